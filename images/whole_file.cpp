// A file without a name, which linkat(2) gives it; or one beside.
#include "images/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "runtimes/error.h"

namespace ckpt {

WholeFile::WholeFile(const fs::path& path)
    : path_(absolute_path(path)),
      beside_(path_.parent_path() / fmt::format(".{}.{}", path_.filename().string(), random_hex(4))),
      fd_(::open(path_.parent_path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)) {
  if (!fd_ && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    fd_ = Fd(::open(beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    named_ = static_cast<bool>(fd_);
  }
  if (!fd_) fail(errno);
}

WholeFile::~WholeFile() {
  if (named_) ::unlink(beside_.c_str());
}

void WholeFile::publish() {
  if (::fchmod(fd_.get(), 0600) != 0 || ::fsync(fd_.get()) != 0) fail(errno);
  const std::string self = fmt::format("/proc/self/fd/{}", fd_.get());
  if (!named_ && ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, beside_.c_str(), AT_SYMLINK_FOLLOW) != 0)
    fail(errno);
  named_ = true;
  if (::rename(beside_.c_str(), path_.c_str()) != 0) fail(errno);
  named_ = false;
  sync_path(path_.parent_path());
}

void WholeFile::fail(int error) const {
  throw Error(ErrorCode::runtime_failed,
              fmt::format("cannot write '{}': {}", path_.string(), errno_text(error)));
}

}  // namespace ckpt
