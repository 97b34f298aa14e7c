// Watches of files whose file system opens nothing by a handle.
#include "runtimes/watches.h"

#include <sys/inotify.h>
#include <sys/sysmacros.h>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("watches: lines of fdinfo") {
  const auto watches = parse_watches(
      "pos:\t0\nflags:\t00\nmnt_id:\t16\nino:\t2078\n"
      "inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8 fhandle-type:1 "
      "f_handle:7e9e0000640d1b6d\n"
      "inotify wd:2 ino:a111 sdev:2b mask:800afce ignored_mask:0 \n");
  REQUIRE(watches.size() == 2);
  CHECK(watches[0] == Watch{makedev(8, 0x13), 0x9e7e, 1, std::string("\x7e\x9e\0\0\x64\x0d\x1b\x6d", 8)});
  CHECK(watches[1] == Watch{makedev(0, 0x2b), 0xa111, 0, ""});
}

TEST_CASE("watches: fanotify watches files, mounts and whole file systems") {
  const auto watches = parse_watches(
      "fanotify flags:10 event-flags:0\nfanotify mnt_id:12 mflags:40 mask:38 ignored_mask:40000000\n"
      "fanotify ino:4f969 sdev:800013 mflags:0 mask:3b ignored_mask:40000000 fhandle-bytes:8 fhandle-type:1 "
      "f_handle:69f90400c275b5b4\nfanotify sdev:800013 mflags:0 mask:2 ignored_mask:0\n");
  REQUIRE(watches.size() == 1);
  CHECK(watches[0].inode == 0x4f969);
}

TEST_CASE("watches: what is no fdinfo has none") {
  for (const char* text : {"", "\n\n", "inotify", "inotify wd:1", "inotify ino:", "inotify ino:zz sdev:yy",
                           "epoll ino:1 sdev:2"})
    CHECK(parse_watches(text).empty());
  CHECK(parse_watches("inotify ino:1 sdev:1 f_handle:0").at(0).handle.empty());
}

TEST_CASE("watches: only plain paths may stand in CRIU's configuration") {
  CHECK(plain_path("/srv/app-1.2/conf.d/@x:y=z,~%+"));
  CHECK(plain_path("/srv/\xc3\xa4pp"));
  for (const char* path :
       {"/a b", "/a\tb", "/a\naction-script", "/a\"b", "/a'b", "/a\\b", "/a#b", "/a\x7f", "/a\x01"})
    CHECK_FALSE(plain_path(path));
}

TEST_CASE("watches: of a file system with handles no path is needed, of another it is found") {
  const TempDir dir;
  Pipe ready = make_pipe();
  const pid_t pid = fork_with([&] {
    if (::inotify_add_watch(::inotify_init1(0), dir.path().c_str(), IN_ALL_EVENTS) < 0) return 1;
    write_all(ready.write.get(), "x");
    for (;;) ::pause();
    return 0;
  });
  char byte = 0;
  CHECK(::read(ready.read.get(), &byte, 1) == 1);
  const WatchedFiles found = watched_files(pid);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  if (!found.paths.empty()) CHECK(found.paths == std::vector{dir.path().string()});
  CHECK(found.lost.empty());
}
