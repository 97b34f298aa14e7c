// From fdinfo to paths. What a container has called its files is not trusted: only plain names reach CRIU's
// configuration, and no link is followed out of its root.
#include "runtimes/watches.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <sstream>

#include "runtimes/fs.h"
#include "runtimes/mount_table.h"
#include "runtimes/procfs.h"
#include "runtimes/rooted_path.h"

namespace ckpt {
namespace {

constexpr std::size_t kMostEntries = 200'000, kMostWatches = 4096;
constexpr std::chrono::seconds kPatience{2};

using FileKey = std::pair<std::uint64_t, std::uint64_t>;  ///< device and inode

std::uint64_t hexadecimal(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

/// The kernel's own number of a device (MKDEV of kdev_t.h).
std::uint64_t device_of(std::uint64_t number) {
  return makedev(static_cast<unsigned>(number >> 20U), static_cast<unsigned>(number & 0xfffffU));
}

std::string bytes_of(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(hexadecimal(digits.substr(i, 2)));
  return bytes;
}

// ---- the container's root

class Root {
 public:
  explicit Root(pid_t init)
      : root_(::open(fmt::format("/proc/{}/root", init).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

  Fd directory(const std::string& path) const { return opened(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK); }
  bool stat(const std::string& path, struct stat& status) const {
    const Fd file = opened(path, O_PATH | O_NOFOLLOW);
    return file && ::fstat(file.get(), &status) == 0;
  }

 private:
  Fd opened(const std::string& path, int flags) const {
    return open_in(root_, path == "/" ? "." : path.substr(1), static_cast<std::uint64_t>(flags),
                   RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
  }
  Fd root_;
};

// ---- who watches what

struct Watcher {
  Watch watch;
  pid_t pid = 0;
};

bool watches_files(std::string_view target) {
  return target == "anon_inode:inotify" || target == "anon_inode:[fanotify]";
}

std::vector<Watcher> watchers_of(pid_t pid) {
  std::vector<Watcher> watchers;
  const std::string directory = fmt::format("/proc/{}/fd", pid);
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    char target[64] = "";
    const ssize_t length = ::readlink(it->path().c_str(), target, sizeof target);
    if (length <= 0 || !watches_files({target, static_cast<std::size_t>(length)})) continue;
    const std::string fdinfo = fmt::format("/proc/{}/fdinfo/{}", pid, it->path().filename().string());
    for (Watch& watch : parse_watches(read_file(fdinfo, 4U << 20U).value_or("")))
      watchers.push_back({std::move(watch), pid});
  }
  return watchers;
}

/// As CRIU does it (fsnotify.c): by a handle, on each mount of the file system.
class Handles {
 public:
  Handles(const Root& root, const std::vector<MountLine>& points) : root_(root), points_(points) {}

  enum class Answer { open, gone, cannot };
  Answer open(const Watch& watch) {
    if (watch.handle.empty() || watch.handle.size() > MAX_HANDLE_SZ) return Answer::cannot;
    for (const MountLine& point : points_) {
      if (point.device != watch.device) continue;
      const Fd& mount = mounted_at(point.point);
      if (!mount) continue;
      const Fd file = open_by(mount, watch);
      if (file) return has_name(file) ? Answer::open : Answer::gone;
    }
    return Answer::cannot;
  }

 private:
  const Fd& mounted_at(const std::string& path) {
    auto found = mounts_.find(path);
    if (found == mounts_.end()) found = mounts_.emplace(path, root_.directory(path)).first;
    return found->second;
  }
  static Fd open_by(const Fd& mount, const Watch& watch) {
    std::vector<char> memory(sizeof(file_handle) + watch.handle.size());
    auto* handle = reinterpret_cast<file_handle*>(memory.data());
    handle->handle_bytes = static_cast<unsigned>(watch.handle.size());
    handle->handle_type = watch.handle_type;
    std::memcpy(handle->f_handle, watch.handle.data(), watch.handle.size());
    return Fd(::open_by_handle_at(mount.get(), handle, O_PATH | O_CLOEXEC));
  }
  static bool has_name(const Fd& file) {
    struct stat status = {};
    return ::fstat(file.get(), &status) == 0 && status.st_nlink > 0;
  }

  const Root& root_;
  const std::vector<MountLine>& points_;
  std::map<std::string, Fd> mounts_;
};

// ---- looking for paths

std::string joined(const std::string& directory, const std::string& name) {
  return directory == "/" ? "/" + name : directory + "/" + name;
}

/// Breadth first, from the places where programs mostly watch; stays on the file systems that are wanted.
class Search {
 public:
  Search(const Root& root, std::set<FileKey> wanted) : root_(root), wanted_(std::move(wanted)) {
    for (const FileKey& one : wanted_) devices_.insert(one.first);
  }

  void try_path(const std::string& path) {
    struct stat status = {};
    if (path.starts_with('/') && root_.stat(path, status)) visit(path, status);
  }
  void walk(const std::string& from) {
    std::deque<std::string> left = {from};
    while (!left.empty() && !done()) {
      look_into(left.front(), left);
      left.pop_front();
    }
  }
  bool done() const {
    return wanted_.empty() || entries_ > kMostEntries || std::chrono::steady_clock::now() > until_;
  }
  bool wants(std::uint64_t device) const { return devices_.contains(device); }
  const std::map<FileKey, std::string>& found() const { return found_; }

 private:
  void visit(const std::string& path, const struct stat& status) {
    ++entries_;
    const FileKey key{status.st_dev, status.st_ino};
    if (wanted_.erase(key) != 0) found_[key] = path;
  }

  void look_into(const std::string& path, std::deque<std::string>& left) {
    Fd directory = root_.directory(path);
    if (!directory) return;
    DIR* entries = ::fdopendir(directory.get());
    if (entries == nullptr) return;
    directory.release();  // closed with them
    while (const dirent* entry = ::readdir(entries)) {
      const std::string name = entry->d_name;
      struct stat status = {};
      if (name == "." || name == ".." || done() ||
          ::fstatat(::dirfd(entries), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        continue;
      visit(joined(path, name), status);
      if (S_ISDIR(status.st_mode) && devices_.contains(status.st_dev)) left.push_back(joined(path, name));
    }
    ::closedir(entries);
  }

  const Root& root_;
  std::set<FileKey> wanted_;
  std::set<std::uint64_t> devices_;
  std::map<FileKey, std::string> found_;
  std::size_t entries_ = 0;
  const std::chrono::steady_clock::time_point until_ = std::chrono::steady_clock::now() + kPatience;
};

/// What is on a process' command line and where it stands is watched more often than anything else.
void try_likely_paths(Search& search, pid_t pid) {
  char directory[4096] = "";
  const ssize_t length = ::readlink(fmt::format("/proc/{}/cwd", pid).c_str(), directory, sizeof directory);
  const std::string cwd = length > 0 ? std::string(directory, static_cast<std::size_t>(length)) : "/";
  search.try_path(cwd);
  for (const std::string& argument : zero_terminated(pid, "cmdline"))
    if (!argument.empty() && argument.size() < sizeof directory)
      search.try_path(argument[0] == '/' ? argument : joined(cwd, argument));
}

/// Itself, or the nearest directory above whose name is plain: CRIU looks at all below. The root would lead
/// it into /proc.
std::string place_for(std::string path) {
  while (!plain_path(path)) path = path.substr(0, path.rfind('/'));
  return path;
}

std::size_t depth(const std::string& path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

/// CRIU walks through all below a path until it has found what it looks for.
void sort_deepest_first(std::vector<std::string>& paths) {
  std::sort(paths.begin(), paths.end(), [](const std::string& a, const std::string& b) {
    return std::pair(depth(b), a) < std::pair(depth(a), b);
  });
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
}

std::map<FileKey, std::string> search_paths(const Root& root, const std::vector<MountLine>& points,
                                            const std::vector<Watcher>& watchers) {
  std::set<FileKey> wanted;
  std::set<pid_t> pids;
  for (const Watcher& one : watchers) {
    wanted.insert({one.watch.device, one.watch.inode});
    pids.insert(one.pid);
  }
  Search search(root, std::move(wanted));
  for (const pid_t pid : pids) try_likely_paths(search, pid);
  for (const MountLine& point : points)
    if (search.wants(point.device)) search.try_path(point.point);
  for (const MountLine& point : points)
    if (search.wants(point.device)) search.walk(point.point);
  return search.found();
}

void add_once(std::vector<std::string>& list, const std::string& text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

}  // namespace

std::vector<Watch> parse_watches(std::string_view fdinfo) {
  std::vector<Watch> watches;
  std::istringstream lines{std::string(fdinfo)};
  for (std::string line; std::getline(lines, line) && watches.size() < kMostWatches;) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word != "inotify" && word != "fanotify") continue;
    Watch watch;
    while (words >> word) {
      const std::string value = word.substr(std::min(word.find(':') + 1, word.size()));
      if (word.starts_with("ino:")) watch.inode = hexadecimal(value);
      if (word.starts_with("sdev:")) watch.device = device_of(hexadecimal(value));
      if (word.starts_with("fhandle-type:")) watch.handle_type = static_cast<int>(hexadecimal(value));
      if (word.starts_with("f_handle:")) watch.handle = bytes_of(value);
    }
    if (watch.inode != 0) watches.push_back(std::move(watch));
  }
  return watches;
}

bool plain_path(std::string_view path) {
  return std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return c > ' ' && c != 0x7f && c != '"' && c != '\'' && c != '\\' && c != '#';
  });
}

WatchedFiles watched_files(pid_t init) {
  WatchedFiles files;
  std::vector<Watcher> all, unopened;
  for (const pid_t pid : descendants(init))
    for (Watcher& one : watchers_of(pid)) all.push_back(std::move(one));
  if (all.empty()) return files;
  const Root root(init);
  const std::vector<MountLine> points = mounts_of(init);
  Handles handles(root, points);
  for (const Watcher& one : all) {
    const Handles::Answer answer = handles.open(one.watch);
    if (answer == Handles::Answer::gone) add_once(files.lost, process_name(one.pid));
    if (answer == Handles::Answer::cannot) unopened.push_back(one);
  }
  if (unopened.empty()) return files;
  const std::map<FileKey, std::string> found = search_paths(root, points, unopened);
  for (const Watcher& one : unopened) {
    const auto path = found.find({one.watch.device, one.watch.inode});
    if (path != found.end() && path->second == "/") continue;  // where CRIU looks by itself
    const std::string place = path == found.end() ? "" : place_for(path->second);
    if (place.empty())
      add_once(files.lost, process_name(one.pid));
    else
      files.paths.push_back(place);
  }
  sort_deepest_first(files.paths);
  return files;
}

}  // namespace ckpt
