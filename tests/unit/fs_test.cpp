// Files: limits, atomic replacement, private modes, path normalisation.
#include "runtimes/fs.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <set>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

mode_t mode_of(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

std::size_t entries(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("fs: a file is read whole, or up to the limit") {
  const TempDir dir;
  const std::string content("a\0b\nlast", 8);
  const std::string file = dir.file("f", content);
  CHECK(read_file(file) == content);
  CHECK(read_file(file, 8) == content);
  CHECK(read_file(file, 3) == content.substr(0, 3));
  CHECK(read_file(file, 0) == "");
  const std::string big(300'000, 'x');
  CHECK(read_file(dir.file("big", big)) == big);
  CHECK(read_file(dir.file("big", big), 100'001)->size() == 100'001);
}

TEST_CASE("fs: what cannot be read is told with errno") {
  const TempDir dir;
  CHECK_FALSE(read_file(dir / "missing"));
  CHECK(errno == ENOENT);
  CHECK_FALSE(read_file(dir.path()));
  CHECK(errno == EISDIR);
}

TEST_CASE("fs: nothing but a regular file is read, and nothing is waited for") {
  const TempDir dir;
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  fs::create_symlink("fifo", dir / "to-fifo");
  fs::create_symlink(dir.file("file", "content"), dir / "to-file");
  for (const fs::path& path : {dir / "fifo", dir / "to-fifo", fs::path("/dev/zero")}) {
    INFO(path);
    CHECK_FALSE(read_file(path, 16));
    CHECK(errno == ENOTSUP);
    CHECK(read_tail(path, 16).empty());
  }
  CHECK(read_file(dir / "to-file") == "content");
  CHECK(read_file("/proc/self/comm"));
}

TEST_CASE("fs: a tail is the end of a file") {
  const TempDir dir;
  const std::string file = dir.file("f", "0123456789");
  CHECK(read_tail(file, 4) == "6789");
  CHECK(read_tail(file, 10) == "0123456789");
  CHECK(read_tail(file, 100) == "0123456789");
  CHECK(read_tail(dir / "missing", 4).empty());
}

TEST_CASE("fs: an atomic write replaces, is private, and leaves nothing beside") {
  const TempDir dir;
  const std::string file = dir.file("f", "old");
  fs::permissions(file, fs::perms::all);
  write_file_atomic(file, "new");
  CHECK(read_file(file) == "new");
  CHECK(mode_of(file) == 0600);
  write_file_atomic(file, "for all", 0644);
  CHECK(mode_of(file) == 0644);
  CHECK(entries(dir.path()) == 1);
}

TEST_CASE("fs: an atomic write replaces a link, not what the link names") {
  const TempDir dir;
  const std::string victim = dir.file("victim", "untouched");
  fs::create_symlink(victim, dir / "link");
  write_file_atomic(dir / "link", "new");
  CHECK(read_file(victim) == "untouched");
  CHECK(read_file(dir / "link") == "new");
}

TEST_CASE("fs: an atomic write that fails says why and leaves nothing") {
  const TempDir dir;
  const Error missing = error_of([&] { write_file_atomic(dir / "none/f", "x"); });
  CHECK(missing.code == ErrorCode::runtime_failed);
  CHECK(contains(missing.message, (dir / "none/f").string()));
  CHECK(contains(missing.message, "no such file or directory"));
  fs::create_directory(dir / "occupied");
  dir.file("occupied/x");
  CHECK(contains(error_of([&] { write_file_atomic(dir / "occupied", "x"); }).message, "is a directory"));
  CHECK(entries(dir.path()) == 1);
}

TEST_CASE("fs: an atomic write to a full disk leaves the old file") {
  const TempDir dir;
  const std::string file = dir.file("f", "old");
  const pid_t child = fork_with([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit none{.rlim_cur = 1024, .rlim_max = 1024};
    if (::setrlimit(RLIMIT_FSIZE, &none) != 0) return 50;
    try {
      write_file_atomic(file, std::string(100'000, 'x'));
    } catch (const Error& error) {
      return contains(error.message, "file too large") ? 0 : 51;
    }
    return 52;
  });
  CHECK(wait_status(child) == 0);
  CHECK(read_file(file) == "old");
  CHECK(entries(dir.path()) == 1);
}

TEST_CASE("fs: directories are made private, those that exist are left as they are") {
  const TempDir dir;
  fs::create_directory(dir / "a");
  fs::permissions(dir / "a", fs::perms(0755));
  make_private_dirs(dir / "a/b/c");
  CHECK(mode_of(dir / "a") == 0755);
  CHECK(mode_of(dir / "a/b") == 0700);
  CHECK(mode_of(dir / "a/b/c") == 0700);
  make_private_dirs(dir / "a/b/c/");
  make_private_dirs("");
  make_private_dirs("/");
}

TEST_CASE("fs: a file where a directory is wanted is an error") {
  const TempDir dir;
  const std::string file = dir.file("f");
  for (const std::string& path : {file, file + "/sub"}) {
    const Error error = error_of([&] { make_private_dirs(path); });
    CHECK(error.code == ErrorCode::runtime_failed);
    CHECK(contains(error.message, file + "'"));
  }
}

TEST_CASE("fs: removing a tree takes everything, and nothing is no failure") {
  const TempDir dir;
  dir.file("t/a/b/c", "x");
  fs::create_symlink("/etc", dir / "t/link");
  CHECK_FALSE(remove_tree(dir / "t"));
  CHECK_FALSE(fs::exists(dir / "t"));
  CHECK(fs::exists("/etc"));
  CHECK_FALSE(remove_tree(dir / "t"));
}

TEST_CASE("fs: mounts below a tree are detached first, nothing is removed through them") {
  const TempDir dir;
  dir.file("kept/x", "precious");
  fs::create_directories(dir / "t/a b/mounted");
  const pid_t child = fork_with([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return 77;
    const fs::path mounted = dir / "t/a b/mounted";
    if (::mount((dir / "kept").c_str(), mounted.c_str(), nullptr, MS_BIND, nullptr) != 0) return 77;
    if (!fs::exists(mounted / "x")) return 1;
    return remove_tree(dir / "t") ? 2 : 0;
  });
  const int status = wait_status(child);
  if (status == 77) SKIP("needs the right to mount");
  CHECK(status == 0);
  CHECK_FALSE(fs::exists(dir / "t"));
  CHECK(read_file(dir / "kept/x") == "precious");
}

TEST_CASE("fs: no path, a relative one and the root detach nothing") {
  const pid_t child = fork_with([] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return 77;
    const auto mounts = read_file("/proc/self/mountinfo");
    for (const char* path : {"", "/", "proc", "."}) unmount_below(path);
    return read_file("/proc/self/mountinfo") == mounts ? 0 : 1;
  });
  const int status = wait_status(child);
  if (status == 77) SKIP("needs the right to mount");
  CHECK(status == 0);
}

TEST_CASE("fs: a scoped tree goes unless it is kept") {
  const TempDir dir;
  dir.file("gone/x");
  dir.file("kept/x");
  {
    const ScopedTree gone(dir / "gone");
    ScopedTree kept(dir / "kept");
    kept.keep();
  }
  CHECK_FALSE(fs::exists(dir / "gone"));
  CHECK(fs::exists(dir / "kept/x"));
}

TEST_CASE("fs: flushing works on files and directories and tells what is missing") {
  const TempDir dir;
  sync_path(dir.file("f", "x"));
  sync_path(dir.path());
  CHECK(contains(error_of([&] { sync_path(dir / "none"); }).message, "cannot flush to disk"));
}

TEST_CASE("fs: absolute paths have no dots, no double and no trailing slash") {
  const std::string here = fs::current_path().string();
  CHECK(absolute_path("x") == here + "/x");
  CHECK(absolute_path("./x/../y/") == here + "/y");
  CHECK(absolute_path("/a/./b//c/..") == "/a/b");
  CHECK(absolute_path("/a/b/") == "/a/b");
  CHECK(absolute_path("/") == "/");
  CHECK(absolute_path("/..") == "/");
  CHECK(absolute_path(".") == here);
}

TEST_CASE("fs: only a missing or empty directory is free for images") {
  const TempDir dir;
  fs::create_directory(dir / "empty");
  dir.file("full/x");
  CHECK(absent_or_empty(dir / "none"));
  CHECK(absent_or_empty(dir / "empty"));
  CHECK_FALSE(absent_or_empty(dir / "full"));
  const Error error = error_of([&] { absent_or_empty(dir / "full/x"); });
  CHECK(error.code == ErrorCode::conflict);
  CHECK(error.message == fmt::format("'{}' is not a directory", (dir / "full/x").string()));
}

TEST_CASE("fs: descriptors are closed once, moved, and not inherited") {
  int raw = -1;
  {
    Pipe pipe = make_pipe();
    raw = pipe.read.get();
    CHECK((::fcntl(raw, F_GETFD) & FD_CLOEXEC) != 0);
    Fd moved = std::move(pipe.read);
    CHECK_FALSE(pipe.read);
    CHECK(moved.get() == raw);
    moved = std::move(pipe.write);
    CHECK(::fcntl(raw, F_GETFD) == -1);
    raw = moved.get();
  }
  CHECK(::fcntl(raw, F_GETFD) == -1);
}

TEST_CASE("fs: errno's words are lower case, names in capitals stay") {
  CHECK(errno_text(ENOENT) == "no such file or directory");
  CHECK(errno_text(EROFS) == "read-only file system");
  CHECK(errno_text(EIO) == "input/output error");
  CHECK(errno_text(123456) == "error 123456");
}

TEST_CASE("fs: instants are RFC 3339 in UTC") {
  std::string shape = now_rfc3339();
  for (char& c : shape)
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) c = '9';
  CHECK(shape == "9999-99-99T99:99:99Z");
}

TEST_CASE("fs: random digits have the asked length and differ") {
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const std::string hex = random_hex(8);
    CHECK(hex.size() == 16);
    CHECK(hex.find_first_not_of("0123456789abcdef") == std::string::npos);
    seen.insert(hex);
  }
  CHECK(seen.size() == 50);
  CHECK(random_hex(0).empty());
}
