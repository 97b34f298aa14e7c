// Looking at a container before its dump, tried on a process of the test's own.
#include "runtimes/preflight.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr int kCannot = 77;

struct Examined {
  Findings findings;
  pid_t pid;
};

/// Examines, as runc's, a child that `prepare` has got ready (or that left with kCannot: nullopt).
template <class F>
std::optional<Examined> examined(F&& prepare) {
  Pipe ready = make_pipe();
  const pid_t pid = fork_with([&] {
    ::prctl(PR_SET_NAME, "subject");
    if (const int status = prepare(); status != 0) return status;
    write_all(ready.write.get(), "x");
    for (;;) ::pause();
    return 0;
  });
  ready.write.reset();
  char byte = 0;
  if (::read(ready.read.get(), &byte, 1) != 1) {
    CHECK(wait_status(pid) == kCannot);
    return std::nullopt;
  }
  FakeRunner runner;
  Prober prober(runner, "/nonexistent");
  const Driver driver(runner, prober, {.kind = RuntimeKind::runc, .path = "/opt/runc", .root = "/r"});
  const Examined result{examine(driver, {.id = "c1", .status = "running", .pid = pid}), pid};
  ::kill(pid, SIGKILL);
  CHECK(wait_status(pid) == 137);
  CHECK(runner.calls.empty());
  return result;
}

int quiet_stdio() {
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd)
    if (::dup2(null, fd) != fd) return 1;
  return 0;
}

}  // namespace

TEST_CASE("preflight: a process with nothing special has no findings") {
  const auto subject = examined(quiet_stdio);
  REQUIRE(subject);
  const Findings& found = subject->findings;
  CHECK(found.bad_stdio.empty());
  CHECK(found.lock_holders.empty());
  CHECK(found.linked_deleted.empty());
  CHECK(found.connections.empty());
  CHECK(found.largest_ghost == 0);
  CHECK(found.host_pid_namespace);
  for (const std::string& kind : found.stdio) CHECK(kind == "null");
}

TEST_CASE("preflight: kinds of stdio") {
  const TempDir dir;
  const std::string file = dir.file("f");
  const auto subject = examined([&] {
    int pipe_ends[2], sockets[2];
    if (::pipe(pipe_ends) != 0 || ::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) return 1;
    return ::dup2(pipe_ends[0], 0) == 0 && ::dup2(sockets[0], 1) == 1 &&
                   ::dup2(::open(file.c_str(), O_RDWR), 2) == 2
               ? 0
               : 1;
  });
  REQUIRE(subject);
  CHECK(subject->findings.stdio[0] == "pipe");
  CHECK(subject->findings.stdio[1] == "socket");
  CHECK(subject->findings.stdio[2] == "file");
}

TEST_CASE("preflight: a terminal as stdio") {
  const auto subject = examined([] {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return kCannot;
    const int terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
    if (terminal < 0) return kCannot;
    for (int fd = 0; fd < 3; ++fd)
      if (::dup2(terminal, fd) != fd) return 1;
    return 0;
  });
  if (!subject) SKIP("no pseudoterminals here");
  for (const std::string& kind : subject->findings.stdio) CHECK(kind == "tty");
}

TEST_CASE("preflight: deleted files, locks and connections are found") {
  const TempDir dir;
  const std::string linked = dir.file("linked"), small = dir.file("small", "123"),
                    large = dir.file("large", "1234567");
  fs::create_hard_link(linked, dir / "other");
  const auto subject = examined([&] {
    if (quiet_stdio() != 0) return 1;
    for (const std::string& name : {linked, small, large})
      if (::open(name.c_str(), O_RDWR) < 0 || ::unlink(name.c_str()) != 0) return 2;
    const int lock = ::open(dir.file("lock").c_str(), O_RDWR);
    if (::flock(lock, LOCK_EX) != 0) return 3;
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0), client = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener, any, length) != 0 || ::listen(listener, 1) != 0 ||
        ::getsockname(listener, any, &length) != 0 || ::connect(client, any, length) != 0 ||
        ::accept(listener, nullptr, nullptr) < 0)
      return 4;
    return 0;
  });
  REQUIRE(subject);
  const Findings& found = subject->findings;
  const std::string who = fmt::format("'subject' (pid {})", subject->pid);
  CHECK(found.linked_deleted == std::vector<std::string>{fmt::format("'{}' of {}", linked, who)});
  CHECK(found.largest_ghost >= 7);
  CHECK(found.largest_ghost <= 64U << 10U);  // what its blocks have
  CHECK(found.lock_holders == std::vector<std::string>{who});
  CHECK(found.connections.size() == 2);
  for (const std::string& connection : found.connections) CHECK(contains(connection, "127.0.0.1:"));
}

TEST_CASE("preflight: a deleted file counts with the whole of its blocks, and with its holes") {
  const TempDir dir;
  const auto ghost = [&](const char* name, off_t size, const std::string& content) {
    const auto subject = examined([&] {
      if (quiet_stdio() != 0) return 1;
      const std::string path = dir.file(name, content);
      return ::open(path.c_str(), O_RDWR) >= 0 && ::truncate(path.c_str(), size) == 0 &&
                     ::unlink(path.c_str()) == 0
                 ? 0
                 : 2;
    });
    REQUIRE(subject);
    return subject->findings.largest_ghost;
  };
  CHECK(ghost("whole", 1048577, std::string(1048577, 'x')) >= 1048577);
  CHECK(ghost("hole", 50'000'000, "x") == 50'000'000);
}

TEST_CASE("preflight: stdio that was opened in another mount namespace is told of") {
  const TempDir dir;
  const std::string file = dir.file("log");
  const auto subject = examined([&] {
    if (quiet_stdio() != 0 || ::dup2(::open(file.c_str(), O_WRONLY), 1) != 1) return 1;
    return ::unshare(CLONE_NEWNS) == 0 ? 0 : kCannot;
  });
  if (!subject) SKIP("needs the right to make a mount namespace");
  CHECK(subject->findings.bad_stdio ==
        std::vector<std::string>{fmt::format(
            "stdout of 'subject' (pid {}) is '{}', opened outside the container", subject->pid, file)});
}

TEST_CASE("preflight: memory files as stdio are CRIU's to dump") {
  const auto subject = examined([] {
    if (quiet_stdio() != 0) return 1;
    return ::dup2(::memfd_create("input", 0), 0) == 0 ? 0 : 1;
  });
  REQUIRE(subject);
  CHECK(subject->findings.bad_stdio.empty());
  CHECK(subject->findings.largest_ghost == 0);
  CHECK(subject->findings.linked_deleted.empty());
}

TEST_CASE("preflight: processes in the cgroup that do not descend from the first are exec sessions") {
  const std::string name = fmt::format("ckpt-test-{}", ::getpid());
  const bool unified = fs::exists("/sys/fs/cgroup/cgroup.controllers");
  const fs::path cgroup = (unified ? fs::path("/sys/fs/cgroup") : fs::path("/sys/fs/cgroup/freezer")) / name;
  std::error_code error;
  if (!fs::create_directory(cgroup, error)) SKIP("needs the right to make a cgroup");
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const auto join = [&] {
    std::ofstream procs(cgroup / "cgroup.procs");
    procs << ::getpid() << std::flush;
    return procs.good();
  };
  Pipe ready = make_pipe();
  const pid_t session = fork_with([&] {
    ::prctl(PR_SET_NAME, "session");
    if (!join()) return 1;
    write_all(ready.write.get(), "x");
    for (;;) ::pause();
    return 0;
  });
  ready.write.reset();
  char byte = 0;
  const bool joined = ::read(ready.read.get(), &byte, 1) == 1;
  const auto subject = examined([&] {
    if (quiet_stdio() != 0 || !join()) return kCannot;
    fork_with([&] {
      for (;;) ::pause();
      return 0;
    });
    return 0;
  });
  ::kill(session, SIGKILL);
  ::waitpid(session, nullptr, 0);
  CHECK(eventually([&] {
    ::waitpid(-1, nullptr, WNOHANG);  // the subject's child, which a zombie would keep in the cgroup
    return fs::remove(cgroup, error);
  }));
  if (!joined || !subject) SKIP("needs the right to move processes between cgroups");
  CHECK(subject->findings.exec_sessions ==
        std::vector<std::string>{fmt::format("'session' (pid {})", session)});
}

TEST_CASE("preflight: processes that come and go are no exec sessions") {
  const std::string name = fmt::format("ckpt-storm-{}", ::getpid());
  const bool unified = fs::exists("/sys/fs/cgroup/cgroup.controllers");
  const fs::path cgroup = (unified ? fs::path("/sys/fs/cgroup") : fs::path("/sys/fs/cgroup/freezer")) / name;
  std::error_code error;
  if (!fs::create_directory(cgroup, error)) SKIP("needs the right to make a cgroup");
  Pipe ready = make_pipe();
  const pid_t init = fork_with([&] {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // as the first of a pid namespace is
    {
      std::ofstream procs(cgroup / "cgroup.procs");
      procs << ::getpid() << std::flush;
      if (!procs.good()) return kCannot;
    }
    write_all(ready.write.get(), "x");
    for (;;) {
      for (int i = 0; i < 8; ++i)
        if (::fork() == 0) {
          if (::fork() == 0) ::usleep(500);  // outlives its parent
          ::_exit(0);
        }
      while (::waitpid(-1, nullptr, WNOHANG) > 0) continue;
    }
    return 0;
  });
  ready.write.reset();
  char byte = 0;
  const bool joined = ::read(ready.read.get(), &byte, 1) == 1;
  std::vector<std::string> imagined;
  FakeRunner runner;
  Prober prober(runner, "/nonexistent");
  const Driver driver(runner, prober, {.kind = RuntimeKind::runc, .path = "/opt/runc", .root = "/r"});
  for (int i = 0; joined && i < 40; ++i)
    for (const std::string& one :
         examine(driver, {.id = "c1", .status = "running", .pid = init}).exec_sessions)
      imagined.push_back(one);
  ::kill(init, SIGKILL);
  ::waitpid(init, nullptr, 0);
  CHECK(eventually([&] {
    ::waitpid(-1, nullptr, WNOHANG);
    return fs::remove(cgroup, error);
  }));
  if (!joined) SKIP("needs the right to move processes between cgroups");
  CHECK(imagined == std::vector<std::string>{});
}

TEST_CASE("preflight: exec sessions of a sandbox are the processes without a parent, but for the first") {
  const std::string table =
      "UID       PID       PPID      C         TTY       STIME     TIME      CMD\n"
      "0         1         0         0         ?         21:02     10ms      sh\n"
      "0         7         1         0         ?         21:02     0s        sleep\n"
      "0         20        0         0         ?         21:03     0s        bash\n"
      "0         21        20        0         ?         21:03     0s        vi\n";
  CHECK(sandbox_exec_sessions(table) == std::vector<std::string>{"'bash' (pid 20 in the sandbox)"});
  CHECK(sandbox_exec_sessions("UID PID PPID C TTY STIME TIME CMD\n0 1 0 0 ? 21:02 10ms sh\n").empty());
  CHECK(sandbox_exec_sessions("UID PID PPID C TTY STIME TIME CMD\n\n0 9\n").empty());
}

TEST_CASE("preflight: columns of a sandbox's process table are found by their heading") {
  CHECK(sandbox_exec_sessions("CMD PPID NEW PID\nsh 0 x 1\nbash 0 x 20\nvi 20 x 0\n") ==
        std::vector<std::string>{"'bash' (pid 20 in the sandbox)"});
  for (const char* table : {"", "\n", "some warning\n", "UID PID PPID\n0 1 0\n"})
    CHECK(error_of([&] { sandbox_exec_sessions(table); }).code == ErrorCode::runtime_failed);
}

TEST_CASE("preflight: a sandbox is asked, not the host's /proc") {
  FakeRunner runner(
      [](const Command&) { return FakeRunner::said(0, "UID PID PPID CMD\n0 1 0 sh\n0 9 0 bash\n"); });
  Prober prober(runner, "/nonexistent");
  const Driver driver(runner, prober, {.kind = RuntimeKind::runsc, .path = "/opt/runsc", .root = "/r"});
  const Findings found = examine(driver, {.id = "c1", .status = "running", .pid = ::getpid()});
  CHECK(found.exec_sessions == std::vector<std::string>{"'bash' (pid 9 in the sandbox)"});
  CHECK(runner.calls == std::vector<Argv>{{"/opt/runsc", "--root", "/r", "ps", "c1"}});
}
