// A thread enters the namespace and ends there.
#include "runtimes/uts.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <thread>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/procfs.h"

namespace ckpt {

std::string no_hostname(const std::string& name) {
  constexpr const char* kTaken = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
  const bool right = !name.empty() && name.size() <= HOST_NAME_MAX && name[0] != '-' && name[0] != '.' &&
                     name.find_first_not_of(kTaken) == std::string::npos;
  return right ? ""
               : fmt::format("'{}' is not a host's name: at most 64 letters, digits, dots and dashes", name);
}

void set_hostname_of(pid_t pid, const std::string& name) {
  int error = namespace_inode(pid, "uts") == namespace_inode(::getpid(), "uts") ? EPERM : 0;
  if (error == 0)
    std::thread([&] {
      const Fd space(::open(fmt::format("/proc/{}/ns/uts", pid).c_str(), O_RDONLY | O_CLOEXEC));
      if (!space || ::setns(space.get(), CLONE_NEWUTS) != 0 || ::sethostname(name.data(), name.size()) != 0)
        error = errno;
    }).join();
  if (error == 0) return;
  throw Error(ErrorCode::verify_failed,
              fmt::format("restored, but process {} could not be given the hostname '{}': {}", pid, name,
                          errno_text(error)));
}

}  // namespace ckpt
