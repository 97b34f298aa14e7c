// What each runtime is told of a process that joins a container, whole.
#include "runtimes/exec_options.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

Dialect dialect(const RuntimeTable& table, const std::string& name) {
  return {table, "/opt/" + name, "1.0", parse_help(fixture("help/" + name + "-exec.txt"))};
}

const ExecOpts kAll{.cwd = "/srv",
                    .user = "1000:5",
                    .env = {"A=1", "B=x y"},
                    .tty = true,
                    .detach = true,
                    .pid_file = "/p",
                    .preserve_fds = 2};

}  // namespace

TEST_CASE("exec: every option, every runtime") {
  const Argv criu = {"--cwd",          "/srv",  "--user", "1000:5",   "--env",      "A=1",
                     "--env",          "B=x y", "--tty",  "--detach", "--pid-file", "/p",
                     "--preserve-fds", "2",     "c1",     "sh",       "-c",         "true"};
  for (const char* name : {"runc-1.1", "runc-1.3"})
    CHECK(exec_args(dialect(runc_table(), name), kAll, "c1", {"sh", "-c", "true"}) == criu);
  for (const char* name : {"crun-1.21", "crun-1.28"})
    CHECK(exec_args(dialect(crun_table(), name), kAll, "c1", {"sh", "-c", "true"}) == criu);
  const Argv sandbox = {"--cwd", "/srv",     "--user",     "1000:5", "--env",     "A=1", "--env",
                        "B=x y", "--detach", "--pid-file", "/p",     "--pass-fd", "3:3", "--pass-fd",
                        "4:4",   "c1",       "sh",         "-c",     "true"};
  for (const char* name : {"runsc-2024", "runsc-2026"})
    CHECK(exec_args(dialect(runsc_table(), name), kAll, "c1", {"sh", "-c", "true"}) == sandbox);
}

TEST_CASE("exec: without options a runtime is asked nothing") {
  CHECK(exec_args({runc_table(), "/opt/runc", "", {}}, {}, "c1", {"ps"}) == Argv{"c1", "ps"});
}

TEST_CASE("exec: what a binary has not is refused") {
  const Dialect bare{crun_table(), "/opt/crun", "1.0", {}};
  for (const ExecOpts& opts : {ExecOpts{.cwd = "/"}, ExecOpts{.user = "1"}, ExecOpts{.env = {"A=1"}},
                               ExecOpts{.tty = true}, ExecOpts{.detach = true}, ExecOpts{.preserve_fds = 1}})
    CHECK_THROWS_AS(exec_args(bare, opts, "c1", {"ps"}), Error);
}

TEST_CASE("exec: runsc would lose a detached command's words") {
  const Dialect runsc = dialect(runsc_table(), "runsc-2026");
  CHECK_THROWS_AS(exec_args(runsc, {.detach = true}, "c1", {"app", "--no-detach"}), Error);
  CHECK(exec_args(runsc, {}, "c1", {"app", "--no-detach"}) == Argv{"c1", "app", "--no-detach"});
}
