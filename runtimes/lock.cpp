// flock with an inode re-check, so that the file can be removed by whoever holds it.
#include "runtimes/lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtimes/error.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

std::string holder_of(const std::string& text) {
  const json note = parse_json(text);
  if (!note.is_object()) return "another ckpt";
  try {
    return fmt::format("ckpt {} (pid {}, since {})", note.value("verb", "?"), note.value("pid", 0),
                       note.value("since", "?"));
  } catch (const json::exception&) {
    return "another ckpt";
  }
}

}  // namespace

ContainerLock::ContainerLock(fs::path file, const std::string& verb, std::chrono::milliseconds patience)
    : file_(std::move(file)) {
  make_private_dirs(file_.parent_path());
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!try_take()) {
    throw_if_interrupted();
    if (std::chrono::steady_clock::now() >= until) {
      const std::string id = file_.stem().string();
      throw Error(ErrorCode::busy,
                  fmt::format("container '{}' is busy with {}", id, holder_of(read_file(file_).value_or(""))))
          .with_hint("try again when it has ended, or wait for it with --if-busy wait");
    }
    ::poll(nullptr, 0, 20);
  }
  left_behind_ = read_file(file_).value_or("");
  own_ = json{{"verb", verb}, {"pid", ::getpid()}, {"since", now_rfc3339()}}.dump();
  if (!left_behind_.empty()) return;
  try {
    note(own_);
  } catch (const Error&) {
    ::unlink(file_.c_str());
    throw;
  }
}

void ContainerLock::settled() {
  handed_on_ = false;
  if (!left_behind_.empty()) note(own_);
}

bool ContainerLock::try_take() {
  Fd fd(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot lock '{}': {}", file_.string(), errno_text(errno)));
  struct stat held = {}, named = {};
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return false;
  if (::fstat(fd.get(), &held) != 0 || ::stat(file_.c_str(), &named) != 0 || held.st_ino != named.st_ino)
    return false;
  fd_ = std::move(fd);
  return true;
}

void ContainerLock::note(const std::string& json_text) {
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0 ||
      !write_all(fd_.get(), json_text))
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot write '{}': {}", file_.string(), errno_text(errno)));
}

ContainerLock::~ContainerLock() {
  if (!handed_on_) ::unlink(file_.c_str());
}

}  // namespace ckpt
