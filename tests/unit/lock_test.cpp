// The lock on a container: exclusion, who holds it, what a dead holder left.
#include "runtimes/lock.h"

#include <signal.h>

#include <atomic>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// A process that holds the lock until it is killed; `note` replaces what the lock wrote when it is not
/// empty.
pid_t holder(const fs::path& file, const std::string& verb, const std::string& note = "") {
  return fork_until_ready([&](const auto& stay) {
    ContainerLock lock(file, verb, milliseconds(0));
    if (!note.empty()) lock.note(note);
    stay();
  });
}

void end(pid_t pid) {
  ::kill(pid, SIGKILL);
  CHECK(wait_status(pid) == 137);
}

}  // namespace

TEST_CASE("lock: it is busy while another process holds it, and says who") {
  const TempDir dir;
  const fs::path file = dir / "locks/c1.lock";
  const pid_t pid = holder(file, "checkpoint");
  const Error error = error_of([&] { ContainerLock(file, "restore", milliseconds(0)); });
  CHECK(error.code == ErrorCode::busy);
  CHECK(error.message.starts_with(
      fmt::format("container 'c1' is busy with ckpt checkpoint (pid {}, since 20", pid)));
  CHECK_FALSE(error.hint.empty());
  end(pid);
}

TEST_CASE("lock: a holder's unreadable note does not hide that it is busy") {
  const TempDir dir;
  const fs::path file = dir / "a.b.lock";
  for (const char* note : {"", "nonsense", "[]", "{}", R"({"verb":7,"pid":"x","since":null})"}) {
    const pid_t pid = holder(file, "v", std::string(note).empty() ? " " : note);
    const Error error = error_of([&] { ContainerLock(file, "restore", milliseconds(0)); });
    CHECK(error.code == ErrorCode::busy);
    CHECK(contains(error.message, "container 'a.b' is busy with "));
    end(pid);
  }
}

TEST_CASE("lock: after a clean end nothing is left") {
  const TempDir dir;
  const fs::path file = dir / "c1.lock";
  { const ContainerLock lock(file, "checkpoint", milliseconds(0)); }
  CHECK_FALSE(fs::exists(file));
  const ContainerLock next(file, "restore", milliseconds(0));
  CHECK(next.left_behind().empty());
}

TEST_CASE("lock: what a killed holder noted is found by the next, once") {
  const TempDir dir;
  const fs::path file = dir / "c1.lock";
  end(holder(file, "checkpoint", R"({"verb":"checkpoint","frozen":[7]})"));
  {
    const ContainerLock lock(file, "restore", milliseconds(0));
    CHECK(lock.left_behind() == R"({"verb":"checkpoint","frozen":[7]})");
  }
  CHECK(ContainerLock(file, "restore", milliseconds(0)).left_behind().empty());
}

TEST_CASE("lock: a note replaces a longer one whole") {
  const TempDir dir;
  const fs::path file = dir / "c1.lock";
  ContainerLock lock(file, "checkpoint", milliseconds(0));
  lock.note(std::string(1000, 'x'));
  lock.note("short");
  CHECK(read_file(file) == "short");
}

TEST_CASE("lock: one who waits gets it when it is let go") {
  const TempDir dir;
  const fs::path file = dir / "c1.lock";
  auto first = std::make_unique<ContainerLock>(file, "checkpoint", milliseconds(0));
  std::atomic<bool> taken = false, asked = false;
  std::thread waiter([&] {
    asked = true;
    const ContainerLock second(file, "restore", seconds(20));
    taken = second.left_behind().empty();
  });
  CHECK(eventually([&] { return asked.load(); }));
  first.reset();
  waiter.join();
  CHECK(taken);
}

TEST_CASE("lock: patience ends") {
  const TempDir dir;
  const ContainerLock first(dir / "c1.lock", "checkpoint", milliseconds(0));
  const auto begin = std::chrono::steady_clock::now();
  CHECK(error_of([&] { ContainerLock(dir / "c1.lock", "restore", milliseconds(100)); }).code ==
        ErrorCode::busy);
  CHECK(std::chrono::steady_clock::now() - begin >= milliseconds(100));
}

TEST_CASE("lock: two never hold it, though each removes the file") {
  const TempDir dir;
  const fs::path file = dir / "c1.lock";
  std::atomic<int> inside = 0, most = 0, rounds = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        const ContainerLock lock(file, "checkpoint", seconds(30));
        most = std::max(most.load(), ++inside);
        std::this_thread::yield();
        --inside;
        ++rounds;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(most == 1);
  CHECK(rounds == 20);
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("lock: locks of different containers do not meet") {
  const TempDir dir;
  const ContainerLock one(dir / "c1.lock", "checkpoint", milliseconds(0));
  CHECK_NOTHROW(ContainerLock(dir / "c2.lock", "checkpoint", milliseconds(0)));
}

TEST_CASE("lock: a link in its place is not followed") {
  const TempDir dir;
  const std::string victim = dir.file("victim", "untouched");
  fs::create_symlink(victim, dir / "c1.lock");
  CHECK(error_of([&] { ContainerLock(dir / "c1.lock", "checkpoint", milliseconds(0)); }).code ==
        ErrorCode::runtime_failed);
  CHECK(read_file(victim) == "untouched");
}

TEST_CASE("lock: a note is replaced by one call, longer or shorter") {
  const TempDir dir;
  const fs::path file = dir / "c1.lock";
  ContainerLock lock(file, "checkpoint", milliseconds(0));
  lock.note(R"({"verb":"checkpoint","staging":"/a/long/name/of/a/directory"})");
  lock.note(R"({"verb":"v"})");
  CHECK(read_file(file) == R"({"verb":"v"})");
}

TEST_CASE("lock: who puts right what a dead one left is waited for") {
  const TempDir dir;
  const fs::path file = dir / "c1.lock";
  const pid_t dead = fork_with([] { return 0; });
  wait_status(dead);
  const pid_t pid = holder(file, "guard", fmt::format(R"({{"verb":"checkpoint","pid":{}}})", dead));
  std::thread ends([&] {
    std::this_thread::sleep_for(milliseconds(200));
    end(pid);
  });
  const ContainerLock lock(file, "checkpoint", milliseconds(0));
  ends.join();
  CHECK(contains(lock.left_behind(), std::to_string(dead)));
}
