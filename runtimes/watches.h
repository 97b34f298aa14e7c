// Files that processes watch by inotify or fanotify where the file system cannot open them by a handle
// (overlayfs): CRIU then needs their paths, and looks for them only where it is told to.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// A line of an inotify's or fanotify's fdinfo (proc(5)) that names a file.
struct Watch {
  std::uint64_t device = 0;  ///< the file system's, as stat(2) has it
  std::uint64_t inode = 0;
  int handle_type = 0;
  std::string handle;  ///< its bytes
  bool operator==(const Watch&) const = default;
};
std::vector<Watch> parse_watches(std::string_view fdinfo);

struct WatchedFiles {
  std::vector<std::string> paths;  ///< in the container; where CRIU shall look, what lies deepest first
  std::vector<std::string> lost;   ///< "'app' (pid 3)": watches what has no path that could be found
};
/// Of the container whose first process is `init`. Reads only, and at most some seconds: of the container's
/// file systems only those that have such a watch are searched.
WatchedFiles watched_files(pid_t init);

/// Whether it can stand in CRIU's configuration, where blanks, quotes and # have a meaning.
bool plain_path(std::string_view path);

}  // namespace ckpt
