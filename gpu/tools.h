// Where the programs that freeze and find CUDA processes are on this host.
#pragma once
#include <optional>
#include <string>

namespace ckpt {

/// A helper that is installed with ckpt (libexec/ckpt/NAME, seen from ckpt's own program) or built beside it.
/// Never looked for in PATH.
std::optional<std::string> own_helper(const std::string& name);

/// `configured` if given (Error(unsupported) when it is no program), else NVIDIA's cuda-checkpoint in PATH
/// and the sbin directories, else ckpt's `own`; nullopt for none.
std::optional<std::string> cuda_checkpoint_program(
    const std::optional<std::string>& configured,
    const std::optional<std::string>& own = own_helper("cuda-checkpoint"));

}  // namespace ckpt
