// The process that outlives ckpt.
#include "runtimes/guard.h"

#include <fcntl.h>

#include "commands/guarding.h"
#include "runtimes/procfs.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// Children of this process by that name.
std::vector<pid_t> guards_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes())
    if (const auto stat = process_stat(pid); stat && stat->ppid == parent && stat->comm == "thaw-guard")
      found.push_back(pid);
  return found;
}

/// What it becomes: this program, which lists its tests into a file.
Argv lists_into(const fs::path& file) {
  return {"thaw-guard", "--list-tests", "--out", file.string()};
}

}  // namespace

TEST_CASE(
    "guard: it has a session, a name and no descriptor of its own but the line, and ends when all is well") {
  const TempDir dir;
  const Fd held(::open(dir.file("lock").c_str(), O_RDONLY));
  {
    const Guard guard(lists_into(dir / "list"));
    const std::vector<pid_t> guards = guards_of(::getpid());
    REQUIRE(guards.size() == 1);
    CHECK(::getsid(guards[0]) == guards[0]);
    CHECK(::getpgid(guards[0]) == guards[0]);
    CHECK(zero_terminated(guards[0], "cmdline").front() == "thaw-guard");
    for (const OpenFile& file : open_files(guards[0])) {
      INFO(file.target);
      CHECK(file.target != (dir / "lock").string());
      if (file.fd <= 2) CHECK(file.target == "/dev/null");
    }
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1}) ::kill(guards[0], signal);
    CHECK(alive(guards[0]));
  }
  CHECK(guards_of(::getpid()).empty());
  CHECK_FALSE(fs::exists(dir / "list"));
}

TEST_CASE("guard: whatever ckpt dies of, it does what it is for") {
  const TempDir dir;
  for (const int signal : {SIGKILL, SIGABRT, SIGALRM, SIGXCPU}) {
    const fs::path file = dir / std::to_string(signal);
    const pid_t pid = fork_until_ready([&](const auto& stay) {
      ::signal(signal, SIG_DFL);  // Catch2 would report the abort as a failure of its own
      const Guard guard(lists_into(file));
      stay();
    });
    ::kill(pid, signal);
    CHECK(wait_status(pid) == 128 + signal);
    CHECK(eventually([&] { return contains(read_file(file).value_or(""), "guard: whatever ckpt dies of"); }));
  }
}

TEST_CASE("guard: its command line needs no configuration") {
  Globals globals;
  globals.store = "/s";
  const Target target{.kind = RuntimeKind::crun, .path = "/opt/crun", .root = "/run/c"};
  CHECK(guard_argv(globals, target, "web") == Argv{"thaw-guard", "--runtime", "crun", "--runtime-path",
                                                   "/opt/crun", "--root", "/run/c", "--store", "/s",
                                                   "--timeout", "10m", "__guard", "web"});
  globals.log = "/var/log/ckpt";
  const Target sandbox{.kind = RuntimeKind::runsc,
                       .path = "/opt/runsc",
                       .root = "/run/g",
                       .platform = "kvm",
                       .nvproxy = false,
                       .runtime_args = {"--network=none", "-x"}};
  CHECK(guard_argv(globals, sandbox, "web") == Argv{"thaw-guard",
                                                    "--runtime",
                                                    "runsc",
                                                    "--runtime-path",
                                                    "/opt/runsc",
                                                    "--root",
                                                    "/run/g",
                                                    "--store",
                                                    "/s",
                                                    "--timeout",
                                                    "10m",
                                                    "--platform",
                                                    "kvm",
                                                    "--runtime-arg=--network=none",
                                                    "--runtime-arg=-x",
                                                    "--log",
                                                    "/var/log/ckpt",
                                                    "--log-format",
                                                    "text",
                                                    "__guard",
                                                    "web"});
}
