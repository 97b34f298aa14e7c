// Component by component, with nothing opened, so that no link leads out; or by the kernel.
#include "runtimes/rooted_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

namespace ckpt {
namespace {

void put_before(std::deque<std::string>& rest, const fs::path& path) {
  std::deque<std::string> names;
  for (const fs::path& name : path)
    if (!name.empty() && name != "/" && name != ".") names.push_back(name.string());
  rest.insert(rest.begin(), names.begin(), names.end());
}

}  // namespace

std::string resolve_below(const fs::path& root, const std::string& path,
                          const std::vector<std::string>& covered) {
  constexpr int kMostLinks = 40;  // as the kernel's (path_resolution(7))
  std::deque<std::string> rest;
  put_before(rest, path);
  fs::path done = "/";
  bool below_mount = false;
  for (int links = 0; !rest.empty();) {
    const std::string name = rest.front();
    rest.pop_front();
    if (name == "..") {
      done = done.parent_path();
      continue;
    }
    const fs::path next = done / name;
    std::error_code error;
    const fs::path target = below_mount ? fs::path() : fs::read_symlink(root / next.relative_path(), error);
    if (target.empty()) {
      done = next;
      below_mount = below_mount || std::find(covered.begin(), covered.end(), done.string()) != covered.end();
      continue;
    }
    if (++links > kMostLinks) return path;
    if (target.is_absolute()) done = "/";
    put_before(rest, target);
  }
  return done.string();
}

Fd open_in(const Fd& directory, const fs::path& path, std::uint64_t flags, std::uint64_t resolve) {
  open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  return Fd(static_cast<int>(::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how)));
}

}  // namespace ckpt
