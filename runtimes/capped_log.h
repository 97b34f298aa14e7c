// A container's log that takes no more of the disk than it may. It is one file, PATH, until half of that is
// in it; then that becomes PATH.~1~ and PATH begins anew; then PATH.~2~, and PATH.~1~ is removed; and so on.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "runtimes/fs.h"

namespace ckpt {

inline constexpr std::uint64_t kDefaultLogMax = 64U << 20U;
inline constexpr std::uint64_t kLeastLogMax = 64U << 10U;

class CappedLog {
 public:
  CappedLog() = default;
  /// Opens it to append, 0600; both files take at most `most` bytes, 0: any number. What is no regular file
  /// is never renamed. Throws Error(runtime_failed).
  CappedLog(std::filesystem::path path, std::uint64_t most);

  explicit operator bool() const { return static_cast<bool>(fd_); }
  /// False with errno when not all of it could be written.
  bool write(std::string_view data);
  /// When nothing is in it and it was not there before, it goes again.
  void remove_if_unused();

 private:
  bool write_part(std::string_view part);
  bool rotate();

  std::filesystem::path path_;
  std::uint64_t most_ = 0;
  Fd fd_;
  bool new_ = false;
};

/// What was written before what is in PATH.
struct OlderLog {
  std::filesystem::path path;
  unsigned number = 0;  ///< above 1: what came before it has been removed
};
std::optional<OlderLog> older_log(const std::filesystem::path& path);
/// Both files.
void remove_log(const std::filesystem::path& path);

}  // namespace ckpt
