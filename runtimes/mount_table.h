// /proc/PID/mountinfo (proc(5)), read into values.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct MountLine {
  int id = 0, parent = 0;
  std::string root;          ///< what of its file system is mounted
  std::string point;         ///< as the process sees it
  std::string type;          ///< of the file system
  int shared = 0;            ///< its peer group; 0: none
  bool deleted = false;      ///< what is mounted has no name any more; `root` is the one that it had
  std::uint64_t device = 0;  ///< of its file system, as stat(2) has it
  bool operator==(const MountLine&) const = default;
};
std::vector<MountLine> parse_mountinfo(std::string_view text);
std::vector<MountLine> mounts_of(pid_t pid);

}  // namespace ckpt
