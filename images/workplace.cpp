// Directories beside the store's checkpoints in which what comes and goes is worked on, and their locks.
#include "images/workplace.h"

#include <fcntl.h>
#include <sys/file.h>

#include "runtimes/error.h"

namespace ckpt {
namespace {

fs::path place_of(const fs::path& store) {
  return absolute_path(store) / "import";
}

/// What lies there belongs to nobody: whoever imports holds the lock with others.
void empty_place(const fs::path& place) {
  std::error_code error;
  for (fs::directory_iterator it(place, error), end; !error && it != end; it.increment(error))
    remove_tree(it->path());
}

Fd open_place(const fs::path& place) {
  return Fd(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

}  // namespace

ImportPlace::ImportPlace(const fs::path& store) : directory_(place_of(store)) {
  make_private_dirs(directory_);
  lock_ = open_place(directory_);
  if (lock_ && ::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) empty_place(directory_);
  if (!lock_ || ::flock(lock_.get(), LOCK_SH) != 0)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot lock '{}': {}", directory_.string(), errno_text(errno)));
}

Staging::Staging(const fs::path& store, const std::string& kind, const std::string& name)
    : directory_(place(store, kind, name)) {
  make_private_dirs(directory_);
  lock_ = open_place(directory_);
  struct stat stat = {};
  if (!lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(lock_.get(), &stat) != 0 ||
      stat.st_nlink == 0)
    throw Error(ErrorCode::busy,
                fmt::format("another ckpt, or a program that it began, works in '{}'", directory_.string()))
        .with_hint("wait for it; one whose ckpt was killed ends by itself");
}

fs::path Staging::place(const fs::path& store, const std::string& kind, const std::string& name) {
  return absolute_path(store) / kind / name;
}

Staging::~Staging() {
  if (!kept_) remove_tree(directory_);
}

void remove_dead(const fs::path& store, const std::string& kind) {
  std::error_code error;
  for (fs::directory_iterator it(absolute_path(store) / kind, error), end; !error && it != end;
       it.increment(error))
    if (const Fd one = open_place(it->path()); one && ::flock(one.get(), LOCK_EX | LOCK_NB) == 0)
      remove_tree(it->path());
}

void finish_imports(const fs::path& store) {
  const Fd lock = open_place(place_of(store));
  if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) empty_place(place_of(store));
  for (const char* kind : {"push", "pull", "copy"}) remove_dead(store, kind);
}

}  // namespace ckpt
