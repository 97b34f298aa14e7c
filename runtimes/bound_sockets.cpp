// The process' socket is looked at through a descriptor of our own (pidfd_getfd(2)), its file through
// SIOCUNIXFILE (unix(7): an O_PATH descriptor, whose link in /proc is the file's name now).
#include "runtimes/bound_sockets.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <linux/un.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include "runtimes/fs.h"
#include "runtimes/procfs.h"
#include "runtimes/rooted_path.h"

namespace ckpt {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
/// As long as sun_path can be, with its end.
constexpr std::size_t kLongest = UNIX_PATH_MAX - 1;

/// Inodes of the sockets in the network namespace of `pid` that have a path.
std::set<std::uint64_t> with_path(pid_t pid) {
  std::set<std::uint64_t> inodes;
  std::istringstream lines(read_file(fmt::format("/proc/{}/net/unix", pid)).value_or(""));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string skipped, path;
    std::uint64_t inode = 0;
    for (int i = 0; i < 6; ++i) words >> skipped;
    if (words >> inode >> path && path[0] != '@') inodes.insert(inode);
  }
  return inodes;
}

Fd theirs(const Fd& process, int fd) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), fd, 0U)));
}

std::string bound_name(const Fd& socket) {
  sockaddr_un address = {};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      address.sun_family != AF_UNIX || size <= offsetof(sockaddr_un, sun_path))
    return "";
  return {address.sun_path, ::strnlen(address.sun_path, size - offsetof(sockaddr_un, sun_path))};
}

std::string link_of(const Fd& fd) {
  std::error_code error;
  return fs::read_symlink(fmt::format("/proc/self/fd/{}", fd.get()), error).string();
}

/// `path` as the container's processes reach it.
Fd in_root(const Fd& root, const std::string& path, std::uint64_t flags) {
  return open_in(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

bool is_file(const struct stat& one, int directory, const char* name) {
  struct stat there = {};
  return ::fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0)) == 0 &&
         there.st_ino == one.st_ino && there.st_dev == one.st_dev;
}

/// The name of that file in `directory`: a link that was made before the name of the bind was removed.
std::optional<std::string> name_in(const Fd& root, const std::string& directory, const struct stat& file) {
  Fd opened = in_root(root, directory, O_RDONLY | O_DIRECTORY);
  if (!opened) return std::nullopt;
  const std::unique_ptr<DIR, int (*)(DIR*)> all(::fdopendir(opened.release()), ::closedir);
  for (const dirent* one = all ? ::readdir(all.get()) : nullptr; one != nullptr; one = ::readdir(all.get()))
    if (is_file(file, ::dirfd(all.get()), one->d_name)) return one->d_name;
  return std::nullopt;
}

class Search {
 public:
  explicit Search(pid_t init)
      : root_(::open(fmt::format("/proc/{}/root", init).c_str(), O_PATH | O_CLOEXEC)) {}

  void look_at(const Fd& socket, std::uint64_t inode, pid_t pid, BoundSockets& found) {
    const std::string bound = bound_name(socket);
    if (bound.empty() || !root_) return;
    const Fd file(::ioctl(socket.get(), SIOCUNIXFILE, 0));
    struct stat there = {};
    if (!file || ::fstat(file.get(), &there) != 0 || there.st_nlink == 0 || has_its_name(bound, there, file))
      return;
    const auto now = present_name(bound, there, file);
    if (now && now->size() <= kLongest)
      found.moved.push_back({inode, bound, *now});
    else
      found.lost.push_back(fmt::format("'{}' of {}", bound, process_name(pid)));
  }

 private:
  /// A relative name was bound in a directory that nobody remembers: its end must be the same.
  bool has_its_name(const std::string& bound, const struct stat& file, const Fd& opened) const {
    if (bound[0] != '/') {
      const std::string end = "/" + fs::path(bound).lexically_normal().string();
      return bound.starts_with("..") || link_of(opened).ends_with(end);
    }
    const Fd at = in_root(root_, bound, O_PATH | O_NOFOLLOW);
    return at && is_file(file, at.get(), "");
  }

  /// In the container. A file that is not below its root is nobody's matter here.
  std::optional<std::string> present_name(const std::string& bound, const struct stat& file,
                                          const Fd& opened) const {
    const std::string link = link_of(opened);
    if (!link.ends_with(kDeleted)) {
      const Fd at = in_root(root_, link, O_PATH | O_NOFOLLOW);
      if (at && is_file(file, at.get(), "")) return link;
    }
    const fs::path old = link.ends_with(kDeleted) ? link.substr(0, link.size() - kDeleted.size()) : bound;
    const auto name = name_in(root_, old.parent_path().string(), file);
    if (!name) return std::nullopt;
    return (old.parent_path() / *name).string();
  }

  Fd root_;
};

std::uint64_t socket_inode(const std::string& link) {
  constexpr std::string_view kSocket = "socket:[";
  std::uint64_t inode = 0;
  if (link.starts_with(kSocket))
    std::from_chars(link.data() + kSocket.size(), link.data() + link.size(), inode);
  return inode;
}

}  // namespace

BoundSockets bound_sockets(pid_t init, const std::vector<pid_t>& pids) {
  BoundSockets found;
  std::set<std::uint64_t> left = with_path(init);
  Search search(init);
  for (const pid_t pid : pids) {
    if (left.empty()) break;
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
    std::error_code error;
    for (fs::directory_iterator it(fmt::format("/proc/{}/fd", pid), error), end;
         process && !error && it != end; it.increment(error)) {
      std::error_code gone;
      const std::uint64_t inode = socket_inode(fs::read_symlink(it->path(), gone).string());
      if (inode == 0 || left.erase(inode) == 0) continue;
      if (const Fd socket = theirs(process, std::atoi(it->path().filename().c_str())))
        search.look_at(socket, inode, pid, found);
    }
  }
  return found;
}

}  // namespace ckpt
