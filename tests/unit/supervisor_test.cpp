// Bringing a container up and staying with it, with a shell script as the runtime and as the container.
#include "runtimes/supervisor.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <sstream>

#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/program.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using nlohmann::json;

namespace {

/// fixtures/runtime.sh with the container's program and functions of its own, a record and a launch of
/// container c1, all in one directory.
struct Stage {
  explicit Stage(const std::string& program, const std::string& behaviour = "") {
    dir.file("program", program);
    dir.file("behaviour", behaviour);
    record.id = "c1";
    record.target = {.kind = RuntimeKind::runc,
                     .path = dir.file("runtime", fixture("runtime.sh")),
                     .root = (dir / "root").string()};
    fs::permissions(record.target.path, fs::perms::owner_all);
    record.log_path = (dir / "container.log").string();
    record.created = "2026-11-21T20:48:22Z";
    make_private_dirs(home());
    launch.pid_file = (home() / "pid").string();
    launch.runtime_log = (home() / "runtime.log").string();
    launch.steps = {{"create", {"--pid-file", launch.pid_file, "c1"}}, {"start", {"c1"}}};
  }
  ~Stage() {
    const pid_t pid = container();
    if (pid > 0) ::kill(pid, SIGKILL);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Stage& restoring() {
    launch.steps = {{"restore", {"--pid-file", launch.pid_file, "c1"}}};
    launch.is_restore = true;
    return *this;
  }
  fs::path home() const { return records.directory(record); }
  std::string log() const { return read_file(dir / "container.log").value_or(""); }
  pid_t container() const { return std::atoi(read_file(dir / "container").value_or("0").c_str()); }
  /// The verbs that the runtime was called with, with their arguments.
  std::vector<std::string> calls() const {
    std::vector<std::string> found;
    std::istringstream lines(read_file(dir / "calls").value_or(""));
    const std::string globals =
        fmt::format("--root {} --log {} --log-format json ", record.target.root, launch.runtime_log);
    const std::string bare = fmt::format("--root {} ", record.target.root);
    for (std::string line; std::getline(lines, line);) {
      const std::string& lead = line.starts_with(globals) ? globals : bare;
      REQUIRE(line.starts_with(lead));
      found.push_back(line.substr(lead.size()));
    }
    return found;
  }

  TempDir dir;
  Records records{dir / "state"};
  Record record;
  Launch launch;
  SystemRunner runner;
  Prober prober{runner, dir / "probe"};
};

/// Brings the container up and stays to its end, in this process.
ExitRecord whole_life(Stage& stage) {
  const Driver driver(stage.runner, stage.prober, stage.record.target);
  Supervisor supervisor(driver, stage.records, stage.record, stage.launch);
  const pid_t pid = supervisor.bring_up();
  CHECK(pid > 0);
  CHECK(pid == stage.container());
  return supervisor.serve();
}

Error failed_life(Stage& stage) {
  const Driver driver(stage.runner, stage.prober, stage.record.target);
  Supervisor supervisor(driver, stage.records, stage.record, stage.launch);
  return error_of([&] { supervisor.bring_up(); });
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

struct Attached {
  int status;
  std::string out, err;
};

/// An attached life in a process of its own whose stdio are pipes; `meanwhile` runs here with its pid and its
/// stdin.
Attached attached_life(Stage& stage, const std::function<void(pid_t, Fd&)>& meanwhile) {
  stage.record.attached = true;
  Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
  const pid_t pid = fork_with([&] {
    if (::dup2(in.read.get(), 0) != 0 || ::dup2(out.write.get(), 1) != 1 || ::dup2(err.write.get(), 2) != 2)
      return 98;
    for (Pipe* pipe : {&in, &out, &err}) {
      pipe->read.reset();
      pipe->write.reset();
    }
    catch_interrupts();
    const Driver driver(stage.runner, stage.prober, stage.record.target);
    Supervisor supervisor(driver, stage.records, stage.record, stage.launch);
    supervisor.bring_up();
    return supervisor.serve().status.value_or(97);
  });
  in.read.reset();
  out.write.reset();
  err.write.reset();
  meanwhile(pid, in.write);
  in.write.reset();
  Attached result;
  result.out = read_all(out.read.get());
  result.err = read_all(err.read.get());
  result.status = wait_status(pid);
  return result;
}

}  // namespace

TEST_CASE(
    "supervisor: create and start get the runtime's log and a pid file, and the exit status is the "
    "container's") {
  Stage stage("exit 7\n");
  const ExitRecord exit = whole_life(stage);
  CHECK(exit.status == 7);
  CHECK(exit.checkpointed_to.empty());
  CHECK(exit.finished.starts_with("20"));
  CHECK(stage.calls() ==
        std::vector<std::string>{"create --pid-file " + stage.launch.pid_file + " c1", "start c1"});
  CHECK(stage.records.exit(stage.record)->status == 7);
}

TEST_CASE("supervisor: every exit status, and 128 + the signal that killed the container") {
  for (const auto& [program, status] : std::vector<std::pair<std::string, int>>{{"exit 0", 0},
                                                                                {"exit 255", 255},
                                                                                {"kill -KILL $$", 137},
                                                                                {"kill -TERM $$", 143},
                                                                                {"kill -SEGV $$", 139}}) {
    Stage stage(program);
    INFO(program);
    CHECK(whole_life(stage).status == status);
  }
}

TEST_CASE("supervisor: the record says who the container and its monitor are") {
  Stage stage("exit 0\n");
  const Driver driver(stage.runner, stage.prober, stage.record.target);
  Supervisor supervisor(driver, stage.records, stage.record, stage.launch);
  const pid_t pid = supervisor.bring_up();
  const auto record = stage.records.load(RuntimeKind::runc, stage.record.target.root, "c1");
  REQUIRE(record);
  CHECK(record->pid == pid);
  CHECK(record->monitor == ::getpid());
  CHECK(monitor_alive(*record));
  supervisor.serve();
}

TEST_CASE("supervisor: all output goes to the log, from the first line on") {
  Stage stage("echo first; echo second >&2; : >wrote; echo last\n",
              "start() { : >\"$here/started\"; while [ ! -e \"$here/wrote\" ]; do sleep 0.01; done; }\n"
              "container() { while [ ! -e \"$here/started\" ]; do sleep 0.01; done; cd \"$here\"; exec "
              "/bin/sh program; }\n");
  CHECK(whole_life(stage).status == 0);
  std::string log = stage.log();
  CHECK(contains(log, "first\n"));
  CHECK(contains(log, "second\n"));
  CHECK(contains(log, "last\n"));
  CHECK(log.size() == std::string("first\nsecond\nlast\n").size());
}

TEST_CASE("supervisor: a megabyte written at once arrives whole") {
  Stage stage("head -c 1000000 /dev/zero | tr '\\0' x; exit 3\n");
  CHECK(whole_life(stage).status == 3);
  CHECK(stage.log() == std::string(1'000'000, 'x'));
}

TEST_CASE("supervisor: the runtime's own words at create are not the container's") {
  Stage stage("echo container\n", "create() { echo 'a warning of the runtime' >&2; launch; }\n");
  CHECK(whole_life(stage).status == 0);
  CHECK(stage.log() == "container\n");
}

TEST_CASE("supervisor: a log is appended to, and private") {
  Stage stage("echo new\n");
  stage.dir.file("container.log", "old\n");
  CHECK(whole_life(stage).status == 0);
  CHECK(stage.log() == "old\nnew\n");
  Stage fresh("echo new\n");
  CHECK(whole_life(fresh).status == 0);
  CHECK(fs::status(fresh.record.log_path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("supervisor: a detached container reads an empty stdin") {
  Stage stage("cat; echo end\n");
  CHECK(whole_life(stage).status == 0);
  CHECK(stage.log() == "end\n");
}

TEST_CASE("supervisor: a restore's output is the container's from the first line on") {
  Stage stage("echo first; : >wrote; while [ ! -e go ]; do sleep 0.01; done; echo last\n",
              "container() { cd \"$here\"; exec /bin/sh program; }\n"
              "restore() { launch; while [ ! -e \"$here/wrote\" ]; do sleep 0.01; done; }\n");
  stage.restoring();
  const Driver driver(stage.runner, stage.prober, stage.record.target);
  Supervisor supervisor(driver, stage.records, stage.record, stage.launch);
  supervisor.bring_up();
  CHECK(stage.log() == "first\n");
  stage.dir.file("go");
  CHECK(supervisor.serve().status == 0);
  CHECK(stage.log() == "first\nlast\n");
  CHECK(stage.calls() == std::vector<std::string>{"restore --pid-file " + stage.launch.pid_file + " c1"});
}

TEST_CASE("supervisor: helpers of the runtime that become ours do not take the container's place") {
  Stage stage("while [ ! -e \"${0%/*}/go\" ]; do sleep 0.01; done; exit 9\n",
              "start() { : >\"$here/started\"; (sleep 0.05; : >\"$here/go\"; exit 4) & }\n");
  CHECK(whole_life(stage).status == 9);
}

TEST_CASE("supervisor: a grandchild that outlives the container does not hold up its end") {
  Stage stage("sleep 1000 & echo $!; exit 5\n");
  CHECK(whole_life(stage).status == 5);
  const pid_t helper = std::atoi(stage.log().c_str());
  REQUIRE(helper > 0);
  ::kill(helper, SIGKILL);
}

TEST_CASE("supervisor: a container that a checkpoint stops is recorded so") {
  Stage stage("exit 0\n");
  stage.records.save(stage.record);
  stage.records.mark_stopping(stage.record, "/store/c1/t");
  CHECK(whole_life(stage).checkpointed_to == "/store/c1/t");
}

TEST_CASE("supervisor: a failing create is told in the runtime's words, and undone") {
  Stage stage("exit 0\n", "create() { launch; echo 'cannot do it' >&2; exit 1; }\n");
  const Error error = failed_life(stage);
  CHECK(error.code == ErrorCode::runtime_failed);
  CHECK(error.message == "create of 'c1' failed: runc exited with status 1: cannot do it");
  CHECK(error.command[0] == stage.record.target.path);
  CHECK(std::count(error.command.begin(), error.command.end(), "create") == 1);
  CHECK(stage.calls().back() == "delete --force c1");
  CHECK_FALSE(fs::exists(stage.dir / "container"));
}

TEST_CASE("supervisor: a failing start is told and undone, and the container does not stay") {
  Stage stage("exit 0\n",
              "start() { cat \"$here/container\" >\"$here/was\"; echo 'no such program' >&2; exit 1; }\n");
  CHECK(failed_life(stage).message == "start of 'c1' failed: runc exited with status 1: no such program");
  CHECK(stage.calls().back() == "delete --force c1");
  const pid_t was = std::atoi(read_file(stage.dir / "was").value_or("0").c_str());
  REQUIRE(was > 0);
  CHECK(eventually([&] { return !alive(was); }));
}

TEST_CASE("supervisor: the runtime's log is preferred to its stderr") {
  Stage stage("exit 0\n",
              "create() { echo '{\"level\":\"error\",\"msg\":\"from the log\"}' >\"$log\"; echo stderr >&2; "
              "exit 1; }\n");
  CHECK(failed_life(stage).message == "create of 'c1' failed: runc exited with status 1: from the log");
}

TEST_CASE("supervisor: a runtime that writes no pid is an error, and undone") {
  Stage stage("exit 0\n", "create() { :; }\nstart() { :; }\n");
  const Error error = failed_life(stage);
  CHECK(contains(error.message, "runc wrote no pid for 'c1'"));
  CHECK(stage.calls().back() == "delete --force c1");
}

TEST_CASE("supervisor: whatever fails after the start is undone") {
  Stage stage("exit 0\n");
  stage.record.bundle = "/not utf-8: \xff";
  const Driver driver(stage.runner, stage.prober, stage.record.target);
  Supervisor supervisor(driver, stage.records, stage.record, stage.launch);
  CHECK_THROWS(supervisor.bring_up());
  CHECK(stage.calls().back() == "delete --force c1");
}

TEST_CASE("supervisor: a runtime that is killed is told of, and undone") {
  Stage stage("exit 0\n", "create() { kill -KILL $$; }\n");
  CHECK(failed_life(stage).message == "create of 'c1' failed: runc was killed by SIGKILL");
  CHECK(stage.calls().back() == "delete --force c1");
}

TEST_CASE("supervisor: a runtime that hangs runs into the time limit, and is undone") {
  Stage stage("exit 0\n", "create() { exec sleep 1000; }\n");
  stage.launch.timeout_ms = 200;
  CHECK(failed_life(stage).code == ErrorCode::timeout);
  CHECK(stage.calls().back() == "delete --force c1");
}

TEST_CASE("supervisor: a failed restore has CRIU's cause, remedy and log") {
  Stage stage("exit 0\n", "restore() { echo 'criu failed: type RESTORE errno 0' >&2; exit 1; }\n");
  stage.launch.criu_log = stage.dir.file(
      "restore.log",
      "(00.1) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted\n"
      "(00.2) Error (criu/files-reg.c:2175): File logs/in.log has bad size 1100 (expect 28)\n"
      "(00.3) Error (criu/cr-restore.c:1): Restoring FAILED.\n");
  const Error error = failed_life(stage.restoring());
  CHECK(error.cause ==
        "(00.2) Error (criu/files-reg.c:2175): File logs/in.log has bad size 1100 (expect 28)");
  CHECK(error.hint == "put the file back as it was at the checkpoint");
  CHECK(error.log == stage.launch.criu_log);
  CHECK(contains(error.message, "criu failed: type RESTORE errno 0"));
  CHECK(contains(error.message, "a file that a process has open changed since the checkpoint"));
  CHECK(stage.calls().back() == "delete --force c1");
}

TEST_CASE("supervisor: a restore that CRIU would read for ever is stopped as a damaged image") {
  Stage stage("exit 0\n",
              "restore() { truncate -s 17M \"$here/restore.log\"; echo 'Preadv 5:0 returned 0' "
              ">>\"$here/restore.log\"; "
              "exec sleep 1000; }\n");
  stage.launch.criu_log = (stage.dir / "restore.log").string();
  const Error error = failed_life(stage.restoring());
  CHECK(error.code == ErrorCode::image_invalid);
  CHECK(contains(error.message, "cut short"));
  CHECK(stage.calls().back() == "delete --force c1");
}

TEST_CASE("supervisor: a long log of a restore that works is no reason to stop it") {
  Stage stage(
      "echo restored; exit 6\n",
      "restore() { truncate -s 17M \"$here/restore.log\"; : >\"$here/started\"; sleep 0.3; launch; }\n");
  stage.launch.criu_log = (stage.dir / "restore.log").string();
  CHECK(whole_life(stage.restoring()).status == 6);
}

TEST_CASE("supervisor: a log that cannot be written is told before anything runs") {
  Stage stage("exit 0\n");
  stage.record.log_path = stage.dir.path().string();
  CHECK(contains(failed_life(stage).message, "cannot write the container's log"));
  CHECK(stage.calls().empty());
}

TEST_CASE("supervisor: an attached container has ckpt's streams, kept apart, and its status") {
  Stage stage("read line; echo \"got $line\"; echo error >&2; cat; exit 11\n");
  const Attached result = attached_life(stage, [](pid_t, Fd& in) { write_all(in.get(), "one\ntwo\n"); });
  CHECK(result.status == 11);
  CHECK(result.out == "got one\ntwo\n");
  CHECK(result.err == "error\n");
}

TEST_CASE("supervisor: a lot of input reaches an attached container that reads slowly") {
  Stage stage("sleep 0.2; wc -c\n");
  const Attached result =
      attached_life(stage, [](pid_t, Fd& in) { write_all(in.get(), std::string(500'000, 'x')); });
  CHECK(result.out == "500000\n");
}

TEST_CASE("supervisor: input that an attached container does not read does no harm") {
  Stage stage("exec <&-; sleep 0.2; exit 12\n");
  const Attached result =
      attached_life(stage, [](pid_t, Fd& in) { write_all(in.get(), std::string(60'000, 'x')); });
  CHECK(result.status == 12);
}

TEST_CASE("supervisor: a signal to an attached ckpt goes to the container through the runtime") {
  Stage stage(
      "trap 'echo told; exit 21' USR1; echo ready; : >\"${0%/*}/ready\"; while :; do sleep 0.01; done\n",
      "kill() { command kill -USR1 \"$(cat \"$here/container\")\"; }\n");
  const Attached result = attached_life(stage, [&](pid_t pid, Fd&) {
    CHECK(eventually([&] { return fs::exists(stage.dir / "ready"); }));
    CHECK(eventually(
        [&] { return stage.records.load(RuntimeKind::runc, stage.record.target.root, "c1").has_value(); }));
    ::kill(pid, SIGTERM);
  });
  CHECK(result.status == 21);
  CHECK(result.out == "ready\ntold\n");
  CHECK(stage.calls().back() == "kill c1 TERM");
}

TEST_CASE("supervisor: the console socket is listened on, and its terminal's output logged") {
  Stage stage("exit 0\n",
              "create() { python3 \"$here/terminal.py\" \"$here/console\" \"$here/program\" \"$pid_file\" || "
              "exit 1; }\n"
              "start() { :; }\n");
  stage.dir.file(
      "terminal.py",
      "import array, os, pty, socket, sys\n"
      "pid, master = pty.fork()\n"
      "if pid == 0:\n"
      "    os.execv('/bin/sh', ['sh', sys.argv[2]])\n"
      "open(sys.argv[3], 'w').write(str(pid))\n"
      "s = socket.socket(socket.AF_UNIX)\n"
      "s.connect(sys.argv[1])\n"
      "s.sendmsg([b'/dev/ptmx'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [master]))])\n"
      "os._exit(0)\n");
  if (!find_program("python3") || ::access("/dev/ptmx", R_OK | W_OK) != 0)
    SKIP("needs python3 and pseudoterminals");
  stage.dir.file("program", "test -t 1 && echo on a terminal; exit 3\n");
  stage.record.stdio_pipes = false;
  stage.record.terminal = true;
  stage.launch.console_socket = (stage.dir / "console").string();
  const Driver driver(stage.runner, stage.prober, stage.record.target);
  Supervisor supervisor(driver, stage.records, stage.record, stage.launch);
  supervisor.bring_up();
  CHECK(supervisor.serve().status == 3);
  CHECK(stage.log() == "on a terminal\r\n");
  CHECK_FALSE(fs::exists(stage.launch.console_socket));
}

TEST_CASE("supervisor: a launch survives the way to the monitor") {
  Launch launch;
  launch.steps = {{"create", {"--bundle", "/b", "c1"}}, {"start", {"c1"}}};
  launch.env = {{"CRIU_CONFIG_FILE", "/c"}};
  launch.pid_file = "/p";
  launch.console_socket = "/s";
  launch.runtime_log = "/l";
  launch.criu_log = "/r";
  launch.timeout_ms = 1234;
  launch.is_restore = true;
  const Launch back = launch_from_json(json::parse(launch_to_json(launch).dump()));
  CHECK(launch_to_json(back) == launch_to_json(launch));
  REQUIRE(back.steps.size() == 2);
  CHECK(back.steps[0].verb == "create");
  CHECK(back.steps[0].args == Argv{"--bundle", "/b", "c1"});
  CHECK(back.env == launch.env);
  CHECK(back.timeout_ms == 1234);
  CHECK(back.is_restore);
}

TEST_CASE("monitor: it reports the container's pid and stays to the end") {
  Stage stage("while [ ! -e \"${0%/*}/go\" ]; do sleep 0.01; done; echo bye; exit 33\n");
  const pid_t pid = start_monitor(stage.records, stage.record, stage.launch);
  CHECK(pid == stage.container());
  const auto record = stage.records.load(RuntimeKind::runc, stage.record.target.root, "c1");
  REQUIRE(record);
  CHECK(record->monitor != ::getpid());
  CHECK(monitor_alive(*record));
  CHECK_FALSE(stage.records.exit(*record));
  stage.dir.file("go");
  CHECK(wait_for_monitor(*record, 10'000));
  CHECK(stage.records.exit(*record)->status == 33);
  CHECK(stage.log() == "bye\n");
  CHECK(wait_status(record->monitor) == 0);
}

TEST_CASE("monitor: what fails there is thrown here, whole") {
  Stage stage("exit 0\n", "create() { printf 'bad \\377 bytes\\n' >&2; exit 1; }\n");
  const Error error = error_of([&] { start_monitor(stage.records, stage.record, stage.launch); });
  CHECK(error.code == ErrorCode::runtime_failed);
  CHECK(error.message == "create of 'c1' failed: runc exited with status 1: bad \xef\xbf\xbd bytes");
  CHECK(error.runtime == "runc");
  CHECK(error.command[0] == stage.record.target.path);
  CHECK(stage.calls().back() == "delete --force c1");
}

TEST_CASE("monitor: it holds none of ckpt's descriptors, so that a pipe behind ckpt ends with it") {
  Stage stage("while [ ! -e \"${0%/*}/go\" ]; do sleep 0.01; done\n");
  Pipe pipe = make_pipe();
  const pid_t parent = fork_with([&] {
    if (::dup2(pipe.write.get(), 1) != 1 || ::dup2(pipe.write.get(), 2) != 2) return 1;
    pipe.write.reset();
    return start_monitor(stage.records, stage.record, stage.launch) > 0 ? 0 : 1;
  });
  pipe.write.reset();
  CHECK(read_all(pipe.read.get()).empty());
  CHECK(wait_status(parent) == 0);
  CHECK(alive(stage.container()));
  stage.dir.file("go");
  CHECK(eventually([&] { return stage.records.exit(stage.record).has_value(); }));
}

TEST_CASE("monitor: an interrupted start is undone") {
  Stage stage("exit 0\n", "create() { : >\"$here/creating\"; exec sleep 1000; }\n");
  const pid_t ckpt = fork_with([&] {
    catch_interrupts();
    try {
      start_monitor(stage.records, stage.record, stage.launch);
    } catch (const Error& error) {
      return error.status();
    }
    return 0;
  });
  CHECK(eventually([&] { return fs::exists(stage.dir / "creating"); }));
  ::kill(ckpt, SIGINT);
  CHECK(wait_status(ckpt) == 130);
  CHECK(stage.calls().back() == "delete --force c1");
}

TEST_CASE("monitor: a damaged record directory is an error, not a crash") {
  Stage stage("exit 0\n");
  Pipe pipe = make_pipe();
  stage.dir.file("state/containers/runc-00000000/c1/launch.json", "{");
  const pid_t child = fork_with(
      [&] { return monitor_main(stage.dir / "state/containers/runc-00000000/c1", pipe.write.release()); });
  pipe.write.reset();
  const json told = json::parse(read_all(pipe.read.get()), nullptr, false);
  CHECK(wait_status(child) == 1);
  REQUIRE(told.contains("error"));
  CHECK(told["error"]["code"] == "runtime-failed");
}
