// The verbs' command lines, reading states and errors as the real runtimes write them.
#include "runtimes/driver.h"

#include <signal.h>

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using std::chrono::seconds;

namespace {

/// A driver whose runtime only answers; its root is a directory of the test.
struct Driven {
  explicit Driven(
      RuntimeKind kind_, FakeRunner::Answer answer = [](const Command&) { return FakeRunner::said(0, ""); })
      : kind(kind_), runner(std::move(answer)) {}
  RuntimeKind kind;
  TempDir dir;
  FakeRunner runner;
  Prober prober{runner, dir / "probe"};
  Driver driver{runner, prober, {.kind = kind, .path = "/opt/rt", .root = (dir / "root").string()}};

  /// The argv of a verb as it must be.
  Argv argv(const Argv& rest) const {
    Argv all = {"/opt/rt", "--root", (dir / "root").string()};
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  }
};

std::string own_pid() {
  return std::to_string(::getpid());
}

Result failed(int status, const std::string& standard_error) {
  return FakeRunner::said(status, "", standard_error);
}

}  // namespace

TEST_CASE("driver: a command has the root, the search path and a deadline") {
  Driven d(RuntimeKind::runc);
  const Command command = d.driver.command("state", {"c1"});
  CHECK(command.argv() == d.argv({"state", "c1"}));
  CHECK(contains(command.env.at("PATH"), ":/usr/local/sbin:/usr/sbin:/sbin"));
  CHECK(command.timeout == seconds(30));
}

TEST_CASE("driver: a shorter limit holds for verbs that ask, not for those that undo") {
  FakeRunner runner;
  Prober prober(runner, "/nonexistent");
  const Target target{.kind = RuntimeKind::runc, .path = "/opt/runc", .root = "/r"};
  const Driver hurried(runner, prober, target, std::chrono::milliseconds(100));
  CHECK(hurried.command("state", {"c1"}).timeout == std::chrono::milliseconds(100));
  CHECK(hurried.command("delete", {"c1"}).timeout == seconds(30));
  CHECK(hurried.command("resume", {"c1"}).timeout == seconds(30));
  const Driver patient(runner, prober, target, std::nullopt);
  CHECK_FALSE(patient.command("state", {"c1"}).timeout);
}

TEST_CASE("driver: the runtime's log stands among the globals, before the user's own") {
  FakeRunner runner;
  Prober prober(runner, "/nonexistent");
  const Driver driver(runner, prober,
                      {.kind = RuntimeKind::runsc,
                       .path = "/opt/runsc",
                       .root = "/r",
                       .platform = "kvm",
                       .runtime_args = {"--network=none"}});
  CHECK(driver.logged("checkpoint", {"c1"}, "/l").argv() == Argv{"/opt/runsc", "--root", "/r", "--log", "/l",
                                                                 "--log-format", "json", "--platform", "kvm",
                                                                 "--network=none", "checkpoint", "c1"});
}

TEST_CASE("driver: each verb's vector") {
  Driven d(RuntimeKind::crun);
  d.driver.pause("c1");
  d.driver.resume("c1");
  d.driver.kill("c1", "TERM");
  d.driver.remove("c1", false);
  d.driver.remove("c1", true);
  CHECK(d.runner.calls == std::vector<Argv>{d.argv({"pause", "c1"}), d.argv({"resume", "c1"}),
                                            d.argv({"kill", "c1", "TERM"}), d.argv({"delete", "c1"}),
                                            d.argv({"delete", "--force", "c1"})});
}

TEST_CASE("driver: a container that the root does not hold is not asked for") {
  Driven d(RuntimeKind::runc);
  CHECK_FALSE(d.driver.state("c1"));
  d.dir.file("root/c1/status");
  CHECK_FALSE(d.driver.state("c1"));  // crun's
  CHECK(d.runner.calls.empty());
}

TEST_CASE("driver: a state is read as each runtime writes it") {
  struct Row {
    RuntimeKind kind;
    const char* file;
    std::string answer;
  };
  const std::vector<Row> rows = {
      {RuntimeKind::runc, "root/c1/state.json",
       R"({"ociVersion":"1.0.2-dev","id":"c1","pid":)" + own_pid() +
           R"(,"status":"running","bundle":"/b","rootfs":"/b/rootfs","created":"2026-11-21T21:02:18.21057119Z","owner":""})"},
      {RuntimeKind::crun, "root/c1/status",
       "{\n  \"ociVersion\": \"1.0.0\",\n  \"id\": \"c1\",\n  \"pid\": " + own_pid() +
           ",\n  \"status\": \"running\",\n  \"bundle\": \"\\/b\",\n  \"rootfs\": \"rootfs\",\n"
           "  \"created\": \"2026-11-21T21:02:18.21057119Z\",\n  \"systemd-scope\": \"\",\n  \"owner\": "
           "\"root\"\n}\n"},
      {RuntimeKind::runsc, "root/c1_sandbox:c1.state",
       "{\n  \"ociVersion\": \"1.0.2-dev\",\n  \"id\": \"c1\",\n  \"status\": \"running\",\n  \"pid\": " +
           own_pid() + ",\n  \"bundle\": \"/b\"\n}\n"}};
  for (const Row& row : rows) {
    Driven d(row.kind, [&](const Command&) { return FakeRunner::said(0, row.answer); });
    d.dir.file(row.file);
    const auto state = d.driver.state("c1");
    REQUIRE(state);
    CHECK(state->id == "c1");
    CHECK(state->status == "running");
    CHECK(state->pid == ::getpid());
    CHECK(state->bundle == "/b");
    CHECK(state->created == (row.kind == RuntimeKind::runsc ? "" : "2026-11-21T21:02:18.21057119Z"));
    CHECK(d.runner.calls == std::vector<Argv>{d.argv({"state", "c1"})});
  }
}

TEST_CASE("driver: a container deleted while it was asked for is none, one that cannot be read is an error") {
  TempDir* root = nullptr;
  Driven gone(RuntimeKind::runc, [&](const Command&) {
    remove_tree(*root / "root");
    return failed(1, "container does not exist");
  });
  root = &gone.dir;
  gone.dir.file("root/c1/state.json");
  CHECK_FALSE(gone.driver.state("c1"));
  Driven broken(RuntimeKind::runc, [](const Command&) { return failed(1, "cannot parse state.json"); });
  broken.dir.file("root/c1/state.json");
  const Error error = error_of([&] { broken.driver.state("c1"); });
  CHECK(error.code == ErrorCode::runtime_failed);
  CHECK(error.message == "cannot read the state of 'c1': runc exited with status 1: cannot parse state.json");
  CHECK(error.command == broken.argv({"state", "c1"}));
  CHECK(error.runtime == "runc");
}

TEST_CASE("driver: a state answer without a container is an error") {
  for (const char* answer : {"null", "[]", "", "nonsense"}) {
    Driven d(RuntimeKind::runc, [&](const Command&) { return FakeRunner::said(0, answer); });
    d.dir.file("root/c1/state.json");
    INFO(answer);
    CHECK(error_of([&] { d.driver.state("c1"); }).code == ErrorCode::runtime_failed);
  }
}

TEST_CASE("driver: lists are read as each runtime writes them") {
  for (const char* empty : {"null", "null\n", "[]", "[\n\n]\n"}) CHECK(parse_states(empty, "x").empty());
  const std::string running = own_pid();
  const auto states = parse_states(
      R"([{"ociVersion":"1.0.2","id":"a","pid":)" + running +
          R"(,"status":"running","bundle":"/a","created":"t","owner":"root"},{"id":"b","pid":0,"status":"stopped","bundle":"/b"},)"
          R"({"id":"c","pid":-1,"status":"stopped"},{"id":"d","pid":)" +
          running + R"(,"status":"paused"},{"id":"e","pid":)" + running + R"(,"status":"created"}])",
      "x");
  REQUIRE(states.size() == 5);
  CHECK(states[0].pid == ::getpid());
  CHECK(states[1].pid == 0);
  CHECK(states[2].pid == 0);
  CHECK(states[3].status == "paused");
  CHECK(states[4].status == "created");
}

TEST_CASE("driver: a running container whose process is dead or a zombie is stopped") {
  const pid_t zombie = fork_with([] { return 0; });
  siginfo_t info = {};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT) == 0);
  for (const pid_t pid : {zombie, 1 << 30}) {
    const auto states = parse_states(fmt::format(R"([{{"id":"a","pid":{},"status":"running"}}])", pid), "x");
    REQUIRE(states.size() == 1);
    CHECK(states[0].status == "stopped");
    CHECK(states[0].pid == 0);
  }
  CHECK(wait_status(zombie) == 0);
}

TEST_CASE("driver: an answer that is not the runtime's JSON is an error with the program's name") {
  for (const char* text :
       {"", "nonsense\nsecond", "{", "7", "[1]", "[{}]", R"([{"id":1,"status":"running"}])",
        R"([{"id":"a"}])", R"([{"id":"a","status":"running","pid":"x"}])"}) {
    INFO(text);
    const Error error = error_of([&] { parse_states(text, "/opt/rt"); });
    CHECK(error.code == ErrorCode::runtime_failed);
    CHECK(contains(error.message, "'/opt/rt'"));
    CHECK_FALSE(contains(error.message, "\n"));
  }
}

TEST_CASE("driver: processes are those that the runtime counts") {
  const auto pids = [](const std::string& answer) {
    Driven d(RuntimeKind::crun, [&](const Command&) { return FakeRunner::said(0, answer); });
    const std::vector<pid_t> found = d.driver.processes("c1");
    CHECK(d.runner.calls == std::vector<Argv>{d.argv({"ps", "--format", "json", "c1"})});
    return found;
  };
  CHECK(pids("[22740,22879]\n") == std::vector<pid_t>{22740, 22879});
  CHECK(pids("[\n  7\n]\n") == std::vector<pid_t>{7});
  CHECK(pids("null\n").empty());
  CHECK(pids("[\n").empty());
}

TEST_CASE("driver: the list's vector, and its failure") {
  Driven d(RuntimeKind::runsc, [](const Command&) { return FakeRunner::said(0, "null"); });
  CHECK(d.driver.list().empty());
  CHECK(d.runner.calls == std::vector<Argv>{d.argv({"list", "--format", "json"})});
  Driven broken(RuntimeKind::runsc, [](const Command&) { return failed(128, "permission denied"); });
  CHECK(contains(error_of([&] { broken.driver.list(); }).message, "permission denied"));
}

TEST_CASE("driver: the last error is read from the JSON log, however it is printed") {
  CHECK(last_error(R"({"level":"error","msg":"first","time":"t"})"
                   "\n"
                   R"({"level":"error","msg":"last","time":"t"})"
                   "\n",
                   "stderr") == "last");
  CHECK(last_error("{\n  \"level\": \"error\",\n  \"msg\": \"open `\\/a\\/b`: No {such} \\\"file\\\"\",\n  "
                   "\"time\": \"t\"\n}\n",
                   "") == "open `/a/b`: No {such} \"file\"");
  CHECK(last_error(R"({"level":"warning","msg":"w"})", "from stderr") == "from stderr");
  CHECK(last_error(R"({"level":"error","msg":"real"}{"level":"warning","msg":"Failed to remove cgroup"})",
                   "x") == "real");
  CHECK(last_error(R"({"level":"fatal","msg":"f"})", "") == "f");
}

TEST_CASE("driver: a JSON log that is cut or damaged is read as far as it goes") {
  CHECK(last_error(R"({"level":"error","msg":"whole"}{"level":"error","msg":"cu)", "") == "whole");
  CHECK(last_error("not json\n", "stderr line") == "stderr line");
  CHECK(last_error("}}}{{{", "stderr line") == "stderr line");
  CHECK(last_error(R"({"level":5,"msg":[]})", "stderr line") == "stderr line");
  CHECK(last_error(R"({"level":"error","msg":5})", "stderr line") == "stderr line");
}

TEST_CASE("driver: from stderr the last error line is taken, without its decoration") {
  CHECK(last_error("", "a\nb\n\n") == "b");
  CHECK(last_error("",
                   "time=\"2026-11-21T21:02:18Z\" level=error msg=\"criu failed: type NOTIFY errno 0\\nlog "
                   "file: /w/dump.log\"\n") == "criu failed: type NOTIFY errno 0 log file: /w/dump.log");
  CHECK(last_error("", "time=\"t\" level=error msg=\"container \\\"c1\\\" is gone\"\n") ==
        "container \"c1\" is gone");
  CHECK(last_error("",
                   "time=\"t\" level=error msg=\"the error\"\ntime=\"t\" level=warning msg=\"Failed to "
                   "remove cgroup\"\n") == "the error");
  CHECK(last_error("", "time=\"t\" level=warning msg=\"only a warning\"\n") == "only a warning");
  CHECK(last_error("", "").empty());
}

TEST_CASE("driver: of a Go panic the message is told, not the goroutines") {
  CHECK(
      last_error(
          "",
          "panic: header error: unexpected EOF:\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:5 +0x1\n") ==
      "panic: header error: unexpected EOF:");
  CHECK(last_error("{\"level\":\"error\",\"msg\":\"header error: unexpected EOF:\\ngoroutine 1 [running]:\"}",
                   "") == "header error: unexpected EOF:");
}

TEST_CASE("driver: a failure names the step, the runtime, its words and the command") {
  Driven d(RuntimeKind::crun);
  const Command command = d.driver.command("checkpoint", {"c1"});
  const Error error = d.driver.failure("checkpoint of 'c1' failed", command, failed(1, "something new\n"));
  CHECK(error.code == ErrorCode::runtime_failed);
  CHECK(error.message == "checkpoint of 'c1' failed: crun exited with status 1: something new");
  CHECK(error.runtime == "crun");
  CHECK(error.command == command.argv());
  CHECK(error.hint.empty());
  Result killed{.outcome = Killed{SIGKILL}};
  CHECK(d.driver.failure("x", command, killed).message == "x: crun was killed by SIGKILL");
}

TEST_CASE("driver: a failure that is known gets its meaning and remedy") {
  Driven d(RuntimeKind::runsc);
  const Error error = d.driver.failure("restore of 'c1' failed", d.driver.command("restore", {"c1"}),
                                       failed(128, "statefile cannot be empty\n"));
  CHECK(
      error.message ==
      "restore of 'c1' failed: runsc exited with status 128: statefile cannot be empty (the image is empty)");
  CHECK(error.cause == "statefile cannot be empty");
  CHECK(error.hint == "the image is damaged; restore another one");
}

TEST_CASE("driver: a failure is read from the runtime's log when it has one") {
  Driven d(RuntimeKind::runc);
  const std::string log = d.dir.file("log", R"({"level":"error","msg":"from the log"})");
  CHECK(contains(d.driver.failure("x", {}, failed(1, "from stderr"), log).message, "from the log"));
  CHECK(contains(d.driver.failure("x", {}, failed(1, "from stderr"), d.dir / "none").message, "from stderr"));
}

TEST_CASE("driver: a deadline, a watchdog and an interruption are told as such") {
  Driven d(RuntimeKind::runc);
  Command command = d.driver.command("checkpoint", {"c1"});
  command.timeout = seconds(90);
  Result late{.outcome = Killed{SIGTERM}};
  late.timed_out = true;
  const Error timeout = d.driver.failure("checkpoint of 'c1' failed", command, late);
  CHECK(timeout.code == ErrorCode::timeout);
  CHECK(timeout.message == "checkpoint of 'c1' failed: runc did not finish within 90 s and was stopped");
  Result watched{.outcome = Killed{SIGTERM}};
  watched.stopped_because = "its log grew";
  CHECK(d.driver.failure("x", command, watched).message == "x: runc was stopped: its log grew");
  Result interrupted{.outcome = Killed{SIGTERM}};
  interrupted.interrupted = SIGINT;
  CHECK(d.driver.failure("x", command, interrupted).status() == 130);
}

TEST_CASE("driver: a runtime that cannot be started says why") {
  Driven d(RuntimeKind::runc, [](const Command&) { return Result{.outcome = NotStarted{EACCES}}; });
  const Error error = error_of([&] { d.driver.pause("c1"); });
  CHECK(error.message == "pause of 'c1' failed: runc could not be started: permission denied");
}
