// What is left of a command, and its end.
#include "runtimes/process_group.h"

#include <poll.h>
#include <sys/resource.h>

#include "runtimes/procfs.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// A shell script that leads a process group of its own; reaped when it ends.
class Group {
 public:
  explicit Group(const std::string& script) {
    pid_ = fork_with([&] {
      ::setpgid(0, 0);
      ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
      return 127;
    });
    REQUIRE(eventually([&] { return ::getpgid(pid_) == pid_ && process_stat(pid_)->comm == "sh"; }));
  }
  ~Group() {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  pid_t id() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

bool has(pid_t group, std::size_t members) {
  return eventually([&] { return group_members(group).size() == members; });
}

}  // namespace

TEST_CASE("process group: members are those that are alive, whether their leader is or not") {
  const Group group("sleep 1000 & sleep 1000 & kill -KILL $$");
  CHECK(has(group.id(), 2));
  CHECK(end_group(group.id()));
  CHECK(group_members(group.id()).empty());
}

TEST_CASE("process group: none") {
  CHECK(group_members(0).empty());
  CHECK(group_members(1).empty());
  CHECK(end_group(0));
}

TEST_CASE("process group: one that heeds no SIGTERM is killed") {
  const Group group("trap '' TERM; while :; do sleep 0.1; done");
  REQUIRE(has(group.id(), 2));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto begin = std::chrono::steady_clock::now();
  CHECK(end_group(group.id()));
  CHECK(std::chrono::steady_clock::now() - begin > std::chrono::seconds(2));
}

TEST_CASE("process group: CRIU is told by its limit of open files, not by a signal") {
  const TempDir dir;
  fs::copy_file("/bin/sleep", dir / "criu");
  const Group group((dir / "criu").string() + " 1000 & wait");
  REQUIRE(eventually([&] {
    const auto members = group_members(group.id());
    return members.size() == 2 && process_stat(members.back())->comm == "criu";
  }));
  const pid_t criu = group_members(group.id()).back();
  give_up_group(group.id());
  rlimit limit = {};
  CHECK(::prlimit(criu, RLIMIT_NOFILE, nullptr, &limit) == 0);
  CHECK(limit.rlim_cur == 0);
  CHECK(alive(criu));
  CHECK(alive(group.id()));
  CHECK(end_group(group.id()));
}
