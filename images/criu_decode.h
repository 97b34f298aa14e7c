// What CRIU's image files say of the dumped processes, for people and for checks before a restore. The files
// are untrusted: a damaged one is Error(image_invalid) naming it; one that is not there says nothing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

struct ImageProcess {
  int pid = 0, ppid = 0;  ///< in the container's pid namespace; ppid 0: the first process
  std::string comm;
  std::vector<int> threads;  ///< thread ids, the process' own first
};

/// A path that was open, mapped, executed, or a working or root directory.
struct ImageOpenFile {
  std::uint32_t id = 0;
  std::string path;  ///< as in the container's mount namespace
  /// The file must have it at restore. Absent: no regular file, O_WRONLY|O_APPEND, which may grow, or
  /// restored from another of the file's names, which has its own entry.
  std::optional<std::uint64_t> size;
  std::uint32_t flags = 0;     ///< open(2)
  std::uint32_t mode = 0;      ///< st_mode; 0 where CRIU is too old to have it
  std::int64_t mount_id = -1;  ///< -1: not known
  bool ghost = false;          ///< had no name left; its content is in the image
  bool external = false;       ///< given again at restore; `path` is CRIU's name for it
};

/// In the order of the image, parents before children.
std::vector<ImageProcess> image_processes(const std::filesystem::path& images);
std::vector<ImageOpenFile> image_regular_files(const std::filesystem::path& images);

}  // namespace ckpt
