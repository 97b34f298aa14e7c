// Small file operations with our rules built in: private modes, close-on-exec, atomic replacement, clear
// errors.
#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ckpt {

namespace fs = std::filesystem;

/// Owns one descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read, write;
};
/// A close-on-exec pipe. Throws Error(runtime_failed).
Pipe make_pipe();

/// The whole file, at most `limit` bytes; nullopt when it cannot be opened or read (errno tells why).
std::optional<std::string> read_file(const fs::path& path, std::size_t limit = 16U << 20U);
/// The last `limit` bytes of the file; empty when it cannot be read.
std::string read_tail(const fs::path& path, std::size_t limit);
/// Writes beside, then renames over; `mode` whatever the umask. Throws Error(runtime_failed) with errno's
/// text; leaves nothing behind.
void write_file_atomic(const fs::path& path, std::string_view content, mode_t mode = 0600);
/// All of `data` to `fd`, whatever write(2) takes at a time; false with errno on failure.
bool write_all(int fd, std::string_view data);
/// mkdir -p with mode 0700 for what it makes. Throws Error(runtime_failed).
void make_private_dirs(const fs::path& path);
/// Detaches every mount at or below `path` (absolute, not the root), deepest first. CRIU leaves mounts of the
/// host's cgroup hierarchies in its work directory when it is killed; removing through them would remove the
/// host's cgroups.
void unmount_below(const fs::path& path);
/// rm -r of something ckpt made, mounts below it detached first; never throws, a failure is returned as text.
std::optional<std::string> remove_tree(const fs::path& path);
/// Flushes a file's or a directory's own entry to the disk. Throws Error(runtime_failed).
void sync_path(const fs::path& path);
/// Absolute and without `.`/`..`, as a runtime must see it (facts: relative image paths break at restore).
fs::path absolute_path(const fs::path& path);
/// True for a missing or empty directory. Throws Error(conflict) when it is something else.
bool absent_or_empty(const fs::path& directory);

/// Removes what it was given, unless told to keep it.
class ScopedTree {
 public:
  explicit ScopedTree(fs::path path) : path_(std::move(path)) {}
  ScopedTree(const ScopedTree&) = delete;
  ScopedTree& operator=(const ScopedTree&) = delete;
  ~ScopedTree() {
    if (!kept_) remove_tree(path_);
  }
  void keep() { kept_ = true; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  bool kept_ = false;
};

/// "read-only file system" and the like: errno as lower-case text.
std::string errno_text(int error);
/// Now, RFC 3339 UTC with seconds: 2026-11-21T20:48:22Z.
std::string now_rfc3339();
/// `bytes` hexadecimal digits * 2 from the kernel.
std::string random_hex(std::size_t bytes);

}  // namespace ckpt
