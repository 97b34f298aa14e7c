// open(2), setns(2), and what is thrown carried over.
#include "runtimes/network_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <exception>
#include <thread>

#include "runtimes/fs.h"

namespace ckpt {
namespace {

Fd opened(const std::string& path) {
  return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

bool is_own(const Fd& network) {
  struct stat theirs = {}, ours = {};
  return ::fstat(network.get(), &theirs) != 0 || ::stat("/proc/self/ns/net", &ours) != 0 ||
         (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev);
}

bool inside(const Fd& network, const std::function<void()>& act) {
  bool entered = false;
  std::exception_ptr failed;
  std::thread([&] {
    entered = ::setns(network.get(), CLONE_NEWNET) == 0;
    if (!entered) return;
    try {
      act();
    } catch (...) {
      failed = std::current_exception();
    }
  }).join();
  if (failed) std::rethrow_exception(failed);
  return entered;
}

}  // namespace

bool in_network(const std::string& path, const std::function<void()>& act) {
  const Fd network = opened(path);
  return network && inside(network, act);
}

bool in_other_network(const std::string& path, const std::function<void()>& act) {
  const Fd network = opened(path);
  return network && !is_own(network) && inside(network, act);
}

}  // namespace ckpt
