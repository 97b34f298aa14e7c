// Finding cuda-checkpoint.
#include "gpu/tools.h"

#include <fmt/format.h>

#include "runtimes/error.h"

namespace ckpt {

std::optional<std::string> cuda_checkpoint_program(const std::optional<std::string>& configured,
                                                   const std::optional<std::string>& own) {
  if (!configured) {
    const auto theirs = find_program("cuda-checkpoint");
    return theirs ? theirs : own;
  }
  if (auto program = find_program(*configured)) return program;
  throw Error(ErrorCode::unsupported,
              fmt::format("--cuda-checkpoint names '{}', which is no program", *configured));
}

}  // namespace ckpt
