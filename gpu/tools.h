// Where the programs that freeze and find CUDA processes are on this host.
#pragma once
#include <optional>
#include <string>

#include "runtimes/program.h"

namespace ckpt {

/// `configured` if given (Error(unsupported) when it is no program), else NVIDIA's cuda-checkpoint in PATH
/// and the sbin directories, else ckpt's `own`; nullopt for none.
std::optional<std::string> cuda_checkpoint_program(
    const std::optional<std::string>& configured,
    const std::optional<std::string>& own = own_helper("cuda-checkpoint"));

}  // namespace ckpt
