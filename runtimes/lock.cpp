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
#include "runtimes/procfs.h"

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

constexpr std::chrono::milliseconds kPuttingRight{20'000};

bool names_dead(const std::string& text) {
  const json note = parse_json(text);
  const json pid = note.is_object() ? note.value("pid", json()) : json();
  return pid.is_number_integer() && !alive(pid.get<pid_t>());
}

}  // namespace

ContainerLock::ContainerLock(fs::path file, const std::string& verb, std::chrono::milliseconds patience)
    : file_(std::move(file)) {
  make_private_dirs(file_.parent_path());
  const auto begin = std::chrono::steady_clock::now();
  while (!try_take()) {
    throw_if_interrupted();
    const std::string note = read_file(file_).value_or("");
    // Whom the note names is dead: who holds it is putting right what that one left.
    const auto until = begin + (names_dead(note) ? std::max(patience, kPuttingRight) : patience);
    if (std::chrono::steady_clock::now() >= until) {
      const std::string id = file_.stem().string();
      throw Error(ErrorCode::busy, fmt::format("container '{}' is busy with {}", id, holder_of(note)))
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

/// By one call, so that a death in between leaves the old note or the new one, never none. What the old one
/// had more is filled with blanks.
void ContainerLock::note(const std::string& json_text) {
  struct stat now = {};
  std::string text = json_text;
  if (::fstat(fd_.get(), &now) == 0) text.resize(std::max<std::size_t>(text.size(), now.st_size), ' ');
  const ssize_t written = ::pwrite(fd_.get(), text.data(), text.size(), 0);
  if (written >= 0 && static_cast<std::size_t>(written) < text.size()) errno = ENOSPC;
  if (written != static_cast<ssize_t>(text.size()) ||
      ::ftruncate(fd_.get(), static_cast<off_t>(json_text.size())) != 0)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot write '{}': {}", file_.string(), errno_text(errno)));
}

ContainerLock::~ContainerLock() {
  if (!handed_on_) ::unlink(file_.c_str());
}

}  // namespace ckpt
