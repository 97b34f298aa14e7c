// Appending, and beginning anew.
#include "runtimes/capped_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "runtimes/error.h"

namespace ckpt {
namespace {

fs::path numbered(const fs::path& path, unsigned number) {
  return fmt::format("{}.~{}~", path.string(), number);
}

/// N of NAME.~N~; 0 for other names.
unsigned number_of(std::string_view name, std::string_view of) {
  if (!name.starts_with(of)) return 0;
  name.remove_prefix(of.size());
  if (name.size() < 4 || !name.starts_with(".~") || !name.ends_with('~')) return 0;
  unsigned number = 0;
  const char* end = name.data() + name.size() - 1;
  const auto read = std::from_chars(name.data() + 2, end, number);
  return read.ec == std::errc() && read.ptr == end ? number : 0;
}

bool is_file(int fd, const fs::path& path) {
  struct stat open = {}, named = {};
  return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

}  // namespace

std::optional<OlderLog> older_log(const fs::path& path) {
  OlderLog newest;
  std::error_code error;
  for (fs::directory_iterator it(path.parent_path(), error), end; !error && it != end; it.increment(error))
    if (const unsigned number = number_of(it->path().filename().string(), path.filename().string());
        number > newest.number)
      newest = {it->path(), number};
  return newest.number > 0 ? std::optional(newest) : std::nullopt;
}

void remove_log(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  while (const auto older = older_log(path))
    if (!fs::remove(older->path, error)) return;
}

CappedLog::CappedLog(fs::path path, std::uint64_t most) : path_(std::move(path)), most_(most) {
  make_private_dirs(path_.parent_path());
  new_ = !fs::exists(path_);
  fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot write the container's log '{}': {}", path_.string(), errno_text(errno)));
}

void CappedLog::remove_if_unused() {
  struct stat log = {};
  if (new_ && ::fstat(fd_.get(), &log) == 0 && log.st_size == 0) ::unlink(path_.c_str());
}

bool CappedLog::write(std::string_view data) {
  while (!data.empty()) {
    const std::string_view part = data.substr(0, most_ > 0 ? most_ / 2 : data.size());
    if (!write_part(part)) return false;
    data.remove_prefix(part.size());
  }
  return true;
}

bool CappedLog::write_part(std::string_view part) {
  struct stat log = {};
  const bool capped = most_ > 0 && ::fstat(fd_.get(), &log) == 0 && S_ISREG(log.st_mode);
  if (capped && static_cast<std::uint64_t>(log.st_size) + part.size() > most_ / 2 && log.st_size > 0 &&
      !rotate())
    return false;
  return write_all(fd_.get(), part);
}

/// A log that somebody has renamed meanwhile is his; it only begins anew.
bool CappedLog::rotate() {
  if (is_file(fd_.get(), path_)) {
    const auto older = older_log(path_);
    const unsigned number = older ? older->number + 1 : 1;
    if (::rename(path_.c_str(), numbered(path_, number).c_str()) != 0) return false;
    if (older) ::unlink(older->path.c_str());
  }
  Fd fresh(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fresh) return false;
  fd_ = std::move(fresh);
  return true;
}

}  // namespace ckpt
