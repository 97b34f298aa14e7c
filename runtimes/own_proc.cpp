// Our own entry in /proc.
#include "runtimes/own_proc.h"

#include <fmt/format.h>
#include <unistd.h>

#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {

void require_own_proc() {
  std::error_code error;
  const std::string self =
      fs::read_symlink("/proc/self", error).string();  // proc(5): absent for a foreign one
  if (self == fmt::format("{}", ::getpid())) return;
  throw Error(ErrorCode::unsupported,
              fs::exists("/proc/meminfo", error)
                  ? "/proc is that of another pid namespace; whether a container runs cannot be seen"
                  : "/proc is not mounted; whether a container runs cannot be seen")
      .with_hint("'mount -t proc proc /proc' mounts it");
}

}  // namespace ckpt
