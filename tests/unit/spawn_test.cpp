// Children: outcomes, streams, deadlines, process groups, interruption.
#include "runtimes/spawn.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <sstream>

#include "runtimes/interrupt.h"
#include "runtimes/procfs.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Command shell(const std::string& script) {
  return {.program = "/bin/sh", .args = {"-c", script}};
}

Result run(const Command& command) {
  return SystemRunner().run(command);
}

int exited(const Result& result) {
  const auto* outcome = std::get_if<Exited>(&result.outcome);
  return outcome != nullptr ? outcome->status : -1;
}

int killed(const Result& result) {
  const auto* outcome = std::get_if<Killed>(&result.outcome);
  return outcome != nullptr ? outcome->signal : -1;
}

int not_started(const Result& result) {
  const auto* outcome = std::get_if<NotStarted>(&result.outcome);
  return outcome != nullptr ? outcome->error : -1;
}

}  // namespace

TEST_CASE("spawn: an exit status is told as it is") {
  for (const int status : {0, 1, 7, 255}) {
    const Result result = run(shell("exit " + std::to_string(status)));
    CHECK(exited(result) == status);
    CHECK(result.ok() == (status == 0));
    CHECK(std::get<Exited>(result.outcome).status == status);
  }
  CHECK(describe(Exited{3}) == "exited with status 3");
}

TEST_CASE("spawn: a child that a signal killed is not one that exited") {
  const Result result = run(shell("kill -KILL $$"));
  CHECK(killed(result) == SIGKILL);
  CHECK_FALSE(result.ok());
  CHECK(std::get<Killed>(result.outcome).signal == SIGKILL);
  CHECK(describe(result.outcome) == "was killed by SIGKILL");
}

TEST_CASE("spawn: a signal without a name is told by its number") {
  CHECK(contains(describe(Killed{40}), "40"));
}

TEST_CASE("spawn: what cannot be started has errno") {
  const TempDir dir;
  const Result missing = run({.program = (dir / "none").string()});
  CHECK(not_started(missing) == ENOENT);
  CHECK_FALSE(missing.ok());
  CHECK(describe(missing.outcome) == "could not be started: no such file or directory");
  CHECK(not_started(run({.program = dir.file("plain", "x")})) == EACCES);
  CHECK(not_started(run({.program = dir.path().string()})) == EACCES);
  const std::string broken = dir.script("broken", "");
  dir.file("broken",
           "\x7f"
           "ELF nonsense");
  CHECK(not_started(run({.program = broken})) == ENOEXEC);
}

TEST_CASE("spawn: stdout and stderr are kept apart") {
  const Result result = run(shell("echo out; echo err >&2; echo out again"));
  CHECK(result.out == "out\nout again\n");
  CHECK(result.err == "err\n");
  CHECK_FALSE(result.truncated);
}

TEST_CASE("spawn: arguments arrive as they are, without a shell") {
  const Argv args = {"%s|", "a b", "", "$HOME", "`x`", "'\"\\", "*", "line\nbreak", "caf\xc3\xa9"};
  const Result result = run({.program = "/usr/bin/printf", .args = args});
  CHECK(result.out == "a b||$HOME|`x`|'\"\\|*|line\nbreak|caf\xc3\xa9|");
}

TEST_CASE("spawn: env is set on top of ckpt's own, cwd is where the child runs") {
  const TempDir dir;
  ::setenv("CKPT_TEST_KEPT", "kept", 1);
  ::setenv("CKPT_TEST_CHANGED", "old", 1);
  Command command = shell(
      "echo $CKPT_TEST_KEPT $CKPT_TEST_CHANGED $CKPT_TEST_NEW; pwd -P; env | grep -c CKPT_TEST_CHANGED");
  command.env = {{"CKPT_TEST_CHANGED", "new"}, {"CKPT_TEST_NEW", "a=b"}};
  command.cwd = dir.path().string();
  const Result result = run(command);
  ::unsetenv("CKPT_TEST_KEPT");
  ::unsetenv("CKPT_TEST_CHANGED");
  CHECK(result.out == "kept new a=b\n" + fs::canonical(dir.path()).string() + "\n1\n");
}

TEST_CASE("spawn: a working directory that is gone is an error, not another directory") {
  const TempDir dir;
  Command command = shell("pwd");
  command.cwd = (dir / "none").string();
  CHECK(not_started(run(command)) == ENOENT);
}

TEST_CASE("spawn: stdin is empty unless a descriptor is given") {
  CHECK(run(shell("cat")).out.empty());
  Pipe pipe = make_pipe();
  REQUIRE(write_all(pipe.write.get(), "from the caller"));
  pipe.write.reset();
  Command command = shell("cat");
  command.in = ToFd{pipe.read.get()};
  CHECK(run(command).out == "from the caller");
  CHECK(::fcntl(pipe.read.get(), F_GETFD) >= 0);
}

TEST_CASE("spawn: output goes to the caller's descriptor or to nowhere when told so") {
  Pipe pipe = make_pipe();
  Command command = shell("echo out; echo err >&2");
  command.out = ToFd{pipe.write.get()};
  command.err = Null{};
  const Result result = run(command);
  char buffer[64];
  CHECK(std::string(buffer, static_cast<std::size_t>(::read(pipe.read.get(), buffer, sizeof buffer))) ==
        "out\n");
  CHECK(result.out.empty());
  CHECK(result.err.empty());
}

TEST_CASE("spawn: no descriptor of ckpt's is handed down") {
  const TempDir dir;
  const int leaky = ::open(dir.file("f").c_str(), O_RDONLY);
  REQUIRE(leaky > 2);
  REQUIRE(::fcntl(leaky, F_DUPFD, 40) >= 40);
  const Result result = run({.program = "/bin/ls", .args = {"/proc/self/fd"}});
  CHECK(result.out == "0\n1\n2\n3\n");  // 3 is the directory that ls reads
  ::close(40);
  ::close(leaky);
}

TEST_CASE("spawn: signals are at their defaults in the child, whatever ckpt does with them") {
  const pid_t child = fork_with([] {
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    const Result pipe = run(shell("kill -PIPE $$"));
    const Result term = run(shell("kill -TERM $$"));
    return killed(pipe) == SIGPIPE && killed(term) == SIGTERM ? 0 : 1;
  });
  CHECK(wait_status(child) == 0);
}

TEST_CASE("spawn: a failed child is no success when SIGCHLD is ignored") {
  const pid_t child = fork_with([] {
    ::signal(SIGCHLD, SIG_IGN);
    return run(shell("exit 3")).ok() ? 1 : 0;
  });
  CHECK(wait_status(child) == 0);
}

TEST_CASE("spawn: a hundred megabytes on stderr are bounded and block nothing") {
  Command command = shell("printf BEGIN >&2; head -c 100000000 /dev/zero >&2; printf END >&2; echo done");
  command.capture_limit = 64U << 10U;
  command.timeout = seconds(60);
  const Result result = run(command);
  CHECK(result.ok());
  CHECK(result.out == "done\n");
  CHECK(result.truncated);
  CHECK(result.err.size() >= 2 * command.capture_limit);
  CHECK(result.err.size() <= 3 * command.capture_limit);
  CHECK(result.err.starts_with("BEGIN"));
  CHECK(result.err.ends_with("END"));
}

TEST_CASE("spawn: what fits is kept whole") {
  Command command = shell("head -c 3000 /dev/zero | tr '\\0' x; printf END");
  command.capture_limit = 1024;
  const Result result = run(command);
  CHECK(result.out == std::string(3000, 'x') + "END");
  CHECK_FALSE(result.truncated);
}

TEST_CASE("spawn: the deadline stops a child that hangs") {
  Command command = shell("echo begun; exec sleep 1000");
  command.timeout = milliseconds(200);
  const Result result = run(command);
  CHECK(result.timed_out);
  CHECK(killed(result) == SIGTERM);
  CHECK(result.out == "begun\n");
  CHECK_FALSE(result.ok());
  CHECK(result.seconds >= 0.2);
  CHECK(result.seconds < 5);
}

TEST_CASE("spawn: a child that ignores SIGTERM is killed after the grace time") {
  Command command = shell("trap '' TERM; echo begun; exec sleep 1000");
  command.timeout = milliseconds(100);
  command.grace = milliseconds(150);
  const Result result = run(command);
  CHECK(result.timed_out);
  CHECK(killed(result) == SIGKILL);
  CHECK(result.seconds >= 0.25);
  CHECK(result.seconds < 5);
}

TEST_CASE("spawn: a child that cleans up at SIGTERM may finish within the grace time") {
  Command command = shell("trap 'echo cleaned; exit 5' TERM; echo begun; while :; do sleep 0.01; done");
  command.timeout = milliseconds(300);
  const Result result = run(command);
  CHECK(result.timed_out);
  CHECK(exited(result) == 5);
  CHECK(result.out == "begun\ncleaned\n");
  CHECK_FALSE(result.ok());
}

TEST_CASE("spawn: the grace time of a runtime is ten seconds") {
  CHECK(Command{}.grace == seconds(10));
}

TEST_CASE("spawn: a child leads a process group of its own, which the deadline stops whole") {
  Command command = shell(
      "ps -o pgid= -p $$ 2>/dev/null || awk '{print $5}' /proc/$$/stat; echo $$; sleep 1000 & echo $!; wait");
  command.timeout = milliseconds(300);
  const Result result = run(command);
  std::istringstream words(result.out);
  pid_t group = 0, leader = 0, helper = 0;
  words >> group >> leader >> helper;
  CHECK(group == leader);
  CHECK(group != ::getpgrp());
  REQUIRE(helper > 0);
  CHECK(eventually([&] { return !alive(helper); }));
}

TEST_CASE("spawn: a grandchild that holds the streams open does not hold up the result") {
  Command command = shell("sleep 1000 & echo $!");
  command.timeout = seconds(60);
  const Result result = run(command);
  CHECK(exited(result) == 0);
  CHECK(result.seconds < 30);
  const pid_t helper = std::stoi(result.out);
  CHECK(alive(helper));
  ::kill(helper, SIGKILL);
}

TEST_CASE("spawn: the watch is asked while the child runs, and stops it with a reason") {
  int asked = 0;
  Command command = shell("exec sleep 1000");
  command.watch = [&]() -> std::optional<std::string> {
    if (++asked < 3) return std::nullopt;
    return "enough";
  };
  const Result result = run(command);
  CHECK(asked == 3);
  CHECK(result.stopped_because == "enough");
  CHECK(killed(result) == SIGTERM);
  CHECK_FALSE(result.timed_out);
  CHECK_FALSE(result.ok());
}

TEST_CASE("spawn: a descriptor of the caller's is served while the child runs") {
  Pipe pipe = make_pipe();
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  std::size_t received = 0;
  const auto pump = [&] {
    char buffer[65536];
    for (ssize_t n = 0; (n = ::read(pipe.read.get(), buffer, sizeof buffer)) > 0;)
      received += static_cast<std::size_t>(n);
  };
  Command command = shell("head -c 1000000 /dev/zero");
  command.out = ToFd{pipe.write.get()};
  command.also = {{pipe.read.get(), pump}};
  command.timeout = seconds(60);
  CHECK(run(command).ok());
  pump();
  CHECK(received == 1'000'000);
}

TEST_CASE("spawn: children of several threads do not mix") {
  std::vector<std::thread> threads;
  std::vector<Result> results(8);
  for (std::size_t i = 0; i < results.size(); ++i)
    threads.emplace_back(
        [&, i] { results[i] = run(shell(fmt::format("echo {0}; echo {0} >&2; exit {0}", i))); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < results.size(); ++i) {
    CHECK(results[i].out == fmt::format("{}\n", i));
    CHECK(results[i].err == fmt::format("{}\n", i));
    CHECK(exited(results[i]) == static_cast<int>(i));
  }
}

TEST_CASE("spawn: SIGTERM to ckpt stops the child") {
  const pid_t child = fork_with([] {
    catch_interrupts();
    const Result result = run(shell("kill -TERM $PPID; exec sleep 1000"));
    return result.interrupted == SIGTERM && killed(result) == SIGTERM && !result.timed_out ? 0 : 1;
  });
  CHECK(wait_status(child) == 0);
}

TEST_CASE("spawn: a command that must finish is let finish when a signal arrives") {
  const pid_t child = fork_with([] {
    catch_interrupts();
    Command command = shell("kill -INT $PPID; sleep 0.3; echo finished");
    command.on_interrupt = OnInterrupt::finish;
    const Result result = run(command);
    return result.interrupted == SIGINT && exited(result) == 0 && result.out == "finished\n" ? 0 : 1;
  });
  CHECK(wait_status(child) == 0);
}

TEST_CASE("spawn: a second signal stops also a command that should finish") {
  const pid_t child = fork_with([] {
    catch_interrupts();
    Command command = shell("kill -INT $PPID; sleep 0.3; kill -INT $PPID; exec sleep 1000");
    command.on_interrupt = OnInterrupt::finish;
    const Result result = run(command);
    return result.interrupted == SIGINT && killed(result) == SIGTERM ? 0 : 1;
  });
  CHECK(wait_status(child) == 0);
}

TEST_CASE("spawn: while interrupts are held an undo runs to its end") {
  const pid_t child = fork_with([] {
    catch_interrupts();
    {
      const HoldInterrupts hold;
      const Result undo = run(shell("kill -TERM $PPID; sleep 0.3; echo undone"));
      if (undo.interrupted || undo.out != "undone\n") return 1;
      throw_if_interrupted();
    }
    try {
      throw_if_interrupted();
    } catch (const Error& error) {
      return error.status() == 143 ? 0 : 2;
    }
    return 3;
  });
  CHECK(wait_status(child) == 0);
}

TEST_CASE("spawn: a quoted command line is read back by a shell as the same arguments") {
  const std::vector<Argv> lines = {
      {"/usr/bin/printf", "%s|", "plain", "a b", "", "it's", "\"q\"", "$HOME", "`id`", "!x"},
      {"/usr/bin/printf", "%s|", "line\nbreak", "tab\t", "a\\b", "~", "*?[x]", "#c", ";&|<>()"},
      {"/usr/bin/printf", "%s|", "'", "''", "=x", "--flag=a b", "{a,b}", "caf\xc3\xa9"}};
  for (const Argv& line : lines) {
    const Result through_shell = run(shell(shell_quote(line)));
    const Result direct = run({.program = line[0], .args = Argv(line.begin() + 1, line.end())});
    REQUIRE(direct.ok());
    CHECK(through_shell.out == direct.out);
    CHECK_FALSE(contains(shell_quote({"plain-1.2/x=y"}), "'"));
  }
  CHECK(shell_quote({"runc", "--root", "/run/runc", "checkpoint", "a b"}) ==
        "runc --root /run/runc checkpoint 'a b'");
  CHECK(shell_quote({}).empty());
}

TEST_CASE("spawn: argv is the program and its arguments") {
  CHECK(Command{.program = "/p", .args = {"a", "b"}}.argv() == Argv{"/p", "a", "b"});
}

TEST_CASE("spawn: a detached child has a session of its own and the one descriptor") {
  Pipe pipe = make_pipe();
  const pid_t pid =
      spawn_detached({.program = "/bin/sh",
                      .args = {"-c", "awk '{print $6}' /proc/$$/stat >&3; ls /proc/self/fd >&3; echo x"},
                      .out = Null{},
                      .err = Null{}},
                     pipe.write.get());
  pipe.write.reset();
  std::string told;
  char buffer[256];
  for (ssize_t n = 0; (n = ::read(pipe.read.get(), buffer, sizeof buffer)) > 0;)
    told.append(buffer, static_cast<std::size_t>(n));
  CHECK(told == fmt::format("{}\n0\n1\n2\n3\n4\n", pid));  // 4 is the directory that ls reads
  CHECK(wait_status(pid) == 0);
  CHECK(contains(error_of([&] { spawn_detached({.program = "/none"}, 0); }).message, "cannot start '/none'"));
}
