// What killed runtimes leave, and processes that are stopped.
#include "runtimes/remains.h"

#include "runtimes/stopped.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("remains: a directory of an id that no runtime knows") {
  const TempDir dir;
  dir.file("root/half/config.json", "{}");
  dir.file("root/crun/status", "{}");
  dir.file("root/runc/state.json", "{}");
  dir.file("root/file", "");
  fs::create_directory_symlink(dir / "root/half", dir / "root/link");
  const std::string root = (dir / "root").string();
  CHECK(half_made(root, "half") == dir / "root/half");
  for (const char* other : {"crun", "runc", "file", "link", "none"}) CHECK_FALSE(half_made(root, other));
  remove_half_made(root, "crun");
  remove_half_made(root, "half");
  CHECK(fs::exists(dir / "root/crun/status"));
  CHECK_FALSE(fs::exists(dir / "root/half"));
}

TEST_CASE("remains: one that a runtime is making is none") {
  const TempDir dir;
  dir.file("root/half/config.json", "{}");
  const std::string root = (dir / "root").string();
  const pid_t pid = fork_with([&] {
    ::execl("/bin/sh", "runc", "-c", "kill -STOP $$; :", "--root", root.c_str(), "create", "half", nullptr);
    return 127;
  });
  CHECK(eventually([&] { return !half_made(root, "half"); }));
  ::kill(pid, SIGKILL);
  wait_status(pid);
  CHECK(half_made(root, "half"));
}

TEST_CASE("remains: CRIU's directories in its work directory, nothing else there") {
  const TempDir dir;
  fs::create_directories(dir / "work/.criu.cgyard.Ab1");
  dir.file("work/dump.log", "x");
  dir.file("work/.criu.cgyard.full/x", "of somebody else");
  remove_cgyard(dir / "work");
  CHECK_FALSE(fs::exists(dir / "work/.criu.cgyard.Ab1"));
  CHECK(fs::exists(dir / "work/dump.log"));
  CHECK(fs::exists(dir / "work/.criu.cgyard.full/x"));
  remove_cgyard(dir / "none");
}

TEST_CASE("stopped: a freezer of version 1 is one by its controller's name") {
  CHECK(in_freezer_v1("5:freezer:/a\n0::/\n"));
  CHECK(in_freezer_v1("3:cpu,freezer:/\n"));
  CHECK_FALSE(in_freezer_v1("0::/freezer\n"));
  CHECK_FALSE(in_freezer_v1("1:name=freezer:/\n0::/a\n"));
  CHECK_FALSE(in_freezer_v1("1:freezers:/\n"));
  CHECK_FALSE(in_freezer_v1(""));
  CHECK(stopped_in_v1(0).empty());
}
