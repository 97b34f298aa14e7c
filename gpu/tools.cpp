// Finding helper programs.
#include "gpu/tools.h"

#include <fmt/format.h>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/program.h"

namespace ckpt {

std::optional<std::string> own_helper(const std::string& name) {
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& directory :
       {here.parent_path() / "libexec/ckpt", here / "helpers", fs::path(CKPT_LIBEXECDIR)})
    if (auto program = find_program((directory / name).string())) return program;
  return std::nullopt;
}

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
