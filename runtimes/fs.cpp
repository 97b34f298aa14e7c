// File operations: private modes, atomic replacement, errors with errno's words.
#include "runtimes/fs.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <sstream>
#include <vector>

#include "runtimes/error.h"
#include "runtimes/mount_table.h"

namespace ckpt {
namespace {

[[noreturn]] void fail(std::string_view what, const fs::path& path, int error) {
  throw Error(ErrorCode::runtime_failed, fmt::format("{} '{}': {}", what, path.string(), errno_text(error)));
}

bool directory_there(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_regular(const struct stat& status) {
  if (S_ISREG(status.st_mode)) return true;
  errno = S_ISDIR(status.st_mode) ? EISDIR : ENOTSUP;
  return false;
}

/// Nothing that waits for somebody: no FIFO for its writer, no file for the holder of its lease; and no
/// device, which opening may set to work: those fail with ENOTSUP.
Fd open_regular(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || !is_regular(status)) return Fd();
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd || ::fstat(fd.get(), &status) != 0 || !is_regular(status)) return Fd();
  return fd;
}

bool read_some(int fd, std::string& into, std::size_t limit) {
  char buffer[65536];
  while (into.size() < limit) {
    const ssize_t n = ::read(fd, buffer, std::min(sizeof buffer, limit - into.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) break;
    into.append(buffer, static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw Error(ErrorCode::runtime_failed, "cannot make a pipe: " + errno_text(errno));
  return {Fd(ends[0]), Fd(ends[1])};
}

std::optional<std::string> read_file(const fs::path& path, std::size_t limit) {
  const Fd fd = open_regular(path);
  std::string content;
  if (!fd || !read_some(fd.get(), content, limit)) return std::nullopt;
  return content;
}

std::string read_tail(const fs::path& path, std::size_t limit) {
  const Fd fd = open_regular(path);
  std::string content;
  if (!fd) return content;
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  ::lseek(fd.get(), size > static_cast<off_t>(limit) ? size - static_cast<off_t>(limit) : 0, SEEK_SET);
  read_some(fd.get(), content, limit);
  return content;
}

bool write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void write_file_atomic(const fs::path& path, std::string_view content, mode_t mode) {
  const fs::path beside = path.parent_path() / fmt::format(".{}.{}", path.filename().string(), random_hex(4));
  const Fd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) fail("cannot write", path, errno);
  if (!write_all(fd.get(), content) || ::fchmod(fd.get(), mode) != 0 ||
      ::rename(beside.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(beside.c_str());
    fail("cannot write", path, error);
  }
}

void make_private_dirs(const fs::path& path) {
  if (path.empty() || directory_there(path)) return;
  make_private_dirs(path.parent_path());
  if (::mkdir(path.c_str(), 0700) == 0) return;
  const int error = errno;
  if (error != EEXIST || !directory_there(path))
    fail("cannot make directory", path, error == EEXIST ? ENOTDIR : error);
}

void unmount_below(const fs::path& path) {
  if (!path.is_absolute() || path == path.root_path()) return;
  std::vector<std::string> below;
  for (const MountLine& mount : parse_mountinfo(read_file("/proc/self/mountinfo").value_or("")))
    if (mount.point == path.string() || mount.point.starts_with(path.string() + "/"))
      below.push_back(mount.point);
  std::sort(below.begin(), below.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const std::string& point : below) ::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
}

std::optional<std::string> remove_tree(const fs::path& path) {
  unmount_below(path);
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return fmt::format("cannot remove '{}': {}", path.string(), error.message());
  return std::nullopt;
}

void sync_path(const fs::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) fail("cannot flush to disk", path, errno);
}

fs::path absolute_path(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  if (error) throw Error(ErrorCode::not_found, "the current directory no longer exists");
  fs::path normal = whole.lexically_normal();
  return normal.has_filename() || normal == normal.root_path() ? normal : normal.parent_path();
}

bool absent_or_empty(const fs::path& directory) {
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (status.type() == fs::file_type::not_found) return true;
  if (status.type() != fs::file_type::directory)
    throw Error(ErrorCode::conflict, fmt::format("'{}' is not a directory", directory.string()));
  return fs::is_empty(directory);
}

std::string errno_text(int error) {
  const char* text = strerrordesc_np(error);
  std::string lower = text != nullptr ? text : fmt::format("error {}", error);
  if (lower.size() > 1 && std::islower(static_cast<unsigned char>(lower[1])))
    lower[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(lower[0])));
  return lower;
}

std::string now_rfc3339() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(bytes))
    throw Error(ErrorCode::runtime_failed, "cannot read random bytes: " + errno_text(errno));
  std::string hex;
  for (const char c : raw) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

}  // namespace ckpt
