// A file that appears under its name at once and whole, or not at all.
#pragma once
#include <filesystem>

#include "runtimes/fs.h"

namespace ckpt {

/// Written without a name where the file system can, so that nothing is left of it when ckpt is killed; mode
/// 0600.
class WholeFile {
 public:
  /// Throws Error(runtime_failed).
  explicit WholeFile(const std::filesystem::path& path);
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;
  ~WholeFile();
  int fd() const { return fd_.get(); }
  /// On the disk and in place of what had the name before. Throws Error(runtime_failed).
  void publish();

 private:
  [[noreturn]] void fail(int error) const;

  const std::filesystem::path path_, beside_;
  Fd fd_;
  bool named_ = false;  ///< beside_ is there
};

}  // namespace ckpt
