// cuda-checkpoint's dialects as whole vectors, and freezing and thawing against a model of the tool: order,
// failures at each phase, what is brought back and what is told.
#include "gpu/cuda.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "gpu/holders.h"
#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using std::chrono::milliseconds;

namespace {

/// The shape of NVIDIA's own help since 555.
constexpr const char* kActions =
    "CUDA checkpoint and restore utility.\n"
    "Version 580.65.06. Copyright (C) 2025 NVIDIA CORPORATION. All rights reserved.\n\n"
    "    --get-state --pid <value>\n        Returns the current state of the target process\n\n"
    "    --get-restore-tid --pid <value>\n        Returns the restore thread of the target process\n\n"
    "    --action|-a lock | checkpoint | restore | unlock --pid|-p <value> [--timeout|-t <milliseconds>] "
    "[--device-map|-d <oldUuid=newUuid,...>]\n        Applies the action to the target process\n\n"
    "    --toggle --pid <value>\n        Toggles the state of CUDA\n\n    --help|-h\n        Print help\n";
constexpr const char* kToggles =
    "CUDA checkpoint and restore utility.\nToggles the state of CUDA within a process between suspended and "
    "running.\nVersion 550.54.09.\n\n    --toggle\n        Toggle the state.\n\n    --pid <value>\n        "
    "The pid of the process.\n\n    --help|-h\n        Print help\n";
constexpr const char* kOurs =
    "usage: cuda-checkpoint ...\n\n  --get-state --pid PID\n  --get-restore-tid --pid PID\n"
    "  --action lock | checkpoint | restore | unlock --pid PID [--timeout MS] [--device-map OLD=NEW,...]\n"
    "  --toggle --pid PID\n\n  -p, --pid PID[,PID...]         also several times\n"
    "  -t, --timeout MS\n  -d, --device-map OLD=NEW,...\n  -h, --help\n";
/// Of the documents: an action word and a pid.
constexpr const char* kWords = "usage: cuda-checkpoint checkpoint PID\n       cuda-checkpoint restore PID\n";
constexpr const char* kLockingWords =
    "usage: cuda-checkpoint lock PID\n       cuda-checkpoint checkpoint PID\n       cuda-checkpoint restore "
    "PID\n       cuda-checkpoint unlock PID\n";

/// A cuda-checkpoint with one state for each process. Its calls may come from several threads.
class Tool : public Runner {
 public:
  explicit Tool(const char* help) : help_(help), dialect_(parse_cuda_help(help)) {}

  Result run(const Command& command) override {
    const std::lock_guard lock(mutex_);
    calls.push_back(command.argv());
    if (command.args == Argv{"-h"}) return FakeRunner::said(help_status, help_);
    if (instead)
      if (const auto result = instead(command)) return *result;
    const auto& args = command.args;
    const auto behind = [&](const char* option) {
      const auto at = std::find(args.begin(), args.end(), option);
      return at == args.end() || at + 1 == args.end() ? std::string() : *(at + 1);
    };
    std::string action = behind("--action"), pids = behind("--pid");
    if (args.front() == "--get-state" || args.front() == "--toggle") action = args.front().substr(2);
    if (!args.front().starts_with('-')) action = args.at(0), pids = args.at(1);
    const bool many = pids.find(',') != std::string::npos;
    Result all = FakeRunner::said(0, "");
    for (std::size_t begin = 0; begin < pids.size();) {
      const std::size_t end = std::min(pids.find(',', begin), pids.size());
      const pid_t pid = std::atoi(pids.c_str() + begin);
      begin = end + 1;
      const Result one = act(action, pid);
      if (!many) return one;
      all.out += fmt::format("{}\t{}\n", pid,
                             one.ok()          ? action == "get-state" ? one.out : "ok"
                             : one.err.empty() ? "error: "
                                               : "error: " + one.err);
      if (!one.ok()) all.outcome = Exited{1};
    }
    return all;
  }

  /// "lock 7", in the order of the calls; without the states.
  std::vector<std::string> actions() const {
    std::vector<std::string> found;
    for (const std::string& one : done)
      if (!one.starts_with("get-state")) found.push_back(one);
    return found;
  }
  bool all_run() const {
    return std::all_of(states.begin(), states.end(), [](const auto& s) { return s.second == "running"; });
  }

  std::map<pid_t, std::string> states;  ///< a pid without one has no CUDA
  std::set<std::string> failing;        ///< "lock 7"
  std::function<std::optional<Result>(const Command&)> instead;
  int help_status = 0;
  std::string no_cuda = "Error getting process state for process ID 1: \"initialization error\"";
  std::vector<Argv> calls;
  std::vector<std::string> done;

 private:
  Result act(const std::string& action, pid_t pid) {
    done.push_back(fmt::format("{} {}", action, pid));
    if (failing.contains(done.back()))
      return FakeRunner::said(1, "", "no luck with " + done.back() + "\nmore");
    if (!states.contains(pid))
      return FakeRunner::said(1, "", action == "get-state" ? no_cuda : "no CUDA there");
    std::string& state = states[pid];
    if (action == "get-state") return FakeRunner::said(0, state);
    std::map<std::string, std::pair<std::string, std::string>> moves = {
        {"lock", {"running", "locked"}},
        {"checkpoint", {dialect_.locks ? "locked" : "running", "checkpointed"}},
        {"restore", {"checkpointed", dialect_.locks ? "locked" : "running"}},
        {"unlock", {"locked", "running"}},
        {"toggle", {state, state == "running" ? "checkpointed" : "running"}}};
    const auto& [from, to] = moves.at(action);
    if (state != from) return FakeRunner::said(1, "", fmt::format("{} is {}", pid, state));
    state = to;
    return FakeRunner::said(0, "");
  }

  const char* help_;
  CudaDialect dialect_;
  std::mutex mutex_;
};

GpuHolder holder(pid_t pid) {
  return {pid, pid, fmt::format("app{}", pid), {"/dev/nvidia0"}};
}
const std::vector<GpuHolder> kThree = {holder(7), holder(8), holder(9)};

/// A freezer of processes that all run, after its probe.
struct Frozen {
  explicit Frozen(const char* help, const std::vector<GpuHolder>& of = kThree) : tool(help) {
    for (const GpuHolder& process : of) tool.states[process.pid] = "running";
    freezer.probe();
  }
  Tool tool;
  CudaFreezer freezer{tool, [](const Argv& args) { return Command{.program = "/cc", .args = args}; }, {}};
};

std::vector<std::string> sorted(std::vector<std::string> list, std::size_t begin, std::size_t end) {
  REQUIRE(end <= list.size());
  std::vector<std::string> part(list.begin() + static_cast<std::ptrdiff_t>(begin),
                                list.begin() + static_cast<std::ptrdiff_t>(end));
  std::sort(part.begin(), part.end());
  return part;
}
using Lines = std::vector<std::string>;

}  // namespace

// ---- the dialects

TEST_CASE("cuda: what each help text tells") {
  const CudaDialect actions = parse_cuda_help(kActions);
  CHECK(actions.options == std::set<std::string>{"--action", "--device-map", "--get-restore-tid",
                                                 "--get-state", "--help", "--pid", "--timeout", "--toggle"});
  CHECK_FALSE(actions.many_pids);
  CHECK_FALSE(actions.action_words);
  CHECK(actions.locks);
  const CudaDialect toggles = parse_cuda_help(kToggles);
  CHECK(toggles.options == std::set<std::string>{"--help", "--pid", "--toggle"});
  CHECK_FALSE(toggles.action_words);
  const CudaDialect ours = parse_cuda_help(kOurs);
  CHECK(ours.options == actions.options);
  CHECK(ours.many_pids);
  CHECK_FALSE(ours.action_words);
  const CudaDialect words = parse_cuda_help(kWords);
  CHECK(words.options.empty());
  CHECK(words.action_words);
  CHECK_FALSE(words.locks);
  CHECK(parse_cuda_help(kLockingWords).locks);
}

TEST_CASE("cuda: a help text of nothing known is no dialect") {
  for (const char* odd : {"", "Insufficient driver", "--", "-- ---", "\xff\xfe--\xff", "checkpoint"}) {
    INFO(odd);
    const CudaDialect dialect = parse_cuda_help(odd);
    CHECK_FALSE(dialect.has("--action"));
    CHECK_FALSE(dialect.action_words);
    CHECK_FALSE(dialect.many_pids);
  }
}

TEST_CASE("cuda: every action in every dialect") {
  struct Row {
    const char* help;
    const char* action;
    Argv args;
  };
  const milliseconds limit(10'000);
  const Row rows[] = {
      {kActions, "get-state", {"--get-state", "--pid", "7"}},
      {kActions, "lock", {"--action", "lock", "--pid", "7", "--timeout", "10000"}},
      {kActions, "checkpoint", {"--action", "checkpoint", "--pid", "7"}},
      {kActions, "restore", {"--action", "restore", "--pid", "7", "--device-map", "GPU-a=GPU-b"}},
      {kActions, "unlock", {"--action", "unlock", "--pid", "7"}},
      {kActions, "toggle", {"--toggle", "--pid", "7"}},
      {kToggles, "toggle", {"--toggle", "--pid", "7"}},
      {"--action --pid", "lock", {"--action", "lock", "--pid", "7"}},
      {kWords, "checkpoint", {"checkpoint", "7"}},
      {kWords, "restore", {"restore", "7"}},
      {kLockingWords, "lock", {"lock", "7"}},
      {kLockingWords, "unlock", {"unlock", "7"}},
  };
  for (const Row& row : rows) {
    INFO(row.help << ": " << row.action);
    CHECK(cuda_args(parse_cuda_help(row.help), row.action, "7", limit, "GPU-a=GPU-b") == row.args);
  }
  CHECK(cuda_args(parse_cuda_help(kOurs), "lock", "7,8", limit) ==
        Argv{"--action", "lock", "--pid", "7,8", "--timeout", "10000"});
  CHECK(cuda_args(parse_cuda_help(kOurs), "lock", "7") == Argv{"--action", "lock", "--pid", "7"});
  CHECK(cuda_args(parse_cuda_help(kOurs), "restore", "7") == Argv{"--action", "restore", "--pid", "7"});
}

TEST_CASE("cuda: the states by their names") {
  for (const CudaState state :
       {CudaState::running, CudaState::locked, CudaState::checkpointed, CudaState::failed})
    CHECK(cuda_state_named(name_of(state)) == state);
  for (const char* odd : {"", "Running", "running ", "checkpointing", "runn"})
    CHECK_FALSE(cuda_state_named(odd));
}

TEST_CASE("cuda: the documents' command inside a sandbox") {
  Tool tool(kWords);
  Prober prober(tool, "/nonexistent");
  const Driver driver(tool, prober, {.kind = RuntimeKind::runsc, .path = "runsc", .root = "/run/gvisor"});
  const nlohmann::json spec = {{"process", {{"user", {{"uid", 0}}}}}};
  const InsideCommand inside = inside_of(driver, "c1", spec);
  const std::string program = cuda_checkpoint_inside(spec);
  tool.states[7] = "running";
  CudaFreezer freezer(tool,
                      [&](const Argv& args) {
                        Argv argv = {program};
                        argv.insert(argv.end(), args.begin(), args.end());
                        return inside(argv);
                      },
                      {});
  const Argv exec = {"runsc", "--root", "/run/gvisor", "exec", "c1", "cuda-checkpoint"};
  const auto whole = [&](const Argv& rest) {
    Argv argv = exec;
    argv.insert(argv.end(), rest.begin(), rest.end());
    return argv;
  };
  tool.instead = [](const Command& command) -> std::optional<Result> {
    return FakeRunner::said(0, command.args.back() == "-h" ? kWords : "");
  };
  freezer.probe();
  freezer.freeze({holder(7)});
  freezer.thaw({holder(7)});
  CHECK(tool.calls == std::vector<Argv>{whole({"-h"}), whole({"checkpoint", "7"}), whole({"restore", "7"})});
}

// ---- asking

TEST_CASE("cuda: a tool that does not work is refused with its own words") {
  Tool tool("Insufficient driver");
  CudaFreezer freezer(tool, [](const Argv& args) { return Command{.program = "/cc", .args = args}; }, {});
  tool.help_status = 255;
  const Error error = error_of([&] { freezer.probe(); });
  CHECK(error.code == ErrorCode::unsupported);
  CHECK(error.message == "cuda-checkpoint does not work here: Insufficient driver");
  CHECK(error.command == Argv{"/cc", "-h"});
  tool.help_status = 0;
  CHECK(error_of([&] { freezer.probe(); }).code == ErrorCode::unsupported);
  Tool failing(kActions);
  failing.help_status = 1;
  CudaFreezer other(failing, [](const Argv& args) { return Command{.program = "/cc", .args = args}; }, {});
  CHECK(error_of([&] { other.probe(); }).code == ErrorCode::unsupported);
}

TEST_CASE("cuda: who holds a device without CUDA is left out") {
  for (const char* help : {kActions, kOurs}) {
    Frozen f(help);
    f.tool.states.erase(8);
    std::vector<GpuHolder> others;
    CHECK(f.freezer.cuda_processes(kThree, others) == std::vector<GpuHolder>{holder(7), holder(9)});
    CHECK(others == std::vector<GpuHolder>{holder(8)});
  }
  Frozen blind(kToggles);
  std::vector<GpuHolder> others;
  CHECK(blind.freezer.cuda_processes(kThree, others) == kThree);
  CHECK(others.empty());
}

TEST_CASE("cuda: a process that somebody else froze, or in a state of no known name, is a conflict") {
  for (const char* help : {kActions, kOurs})
    for (const char* state :
         {"locked", "checkpointed", "failed", "checkpointing", "", "Segmentation fault"}) {
      Frozen f(help);
      f.tool.states[8] = state;
      std::vector<GpuHolder> others;
      const Error error = error_of([&] { f.freezer.cuda_processes(kThree, others); });
      INFO(state << ": " << error.message);
      CHECK(error.code == ErrorCode::conflict);
      CHECK(contains(error.message, "'app8' (pid 8)"));
    }
}

TEST_CASE("cuda: a tool that cannot run does not make its processes look as if they had no CUDA") {
  Result late{.outcome = Killed{SIGTERM}};
  late.timed_out = true;
  const Result results[] = {late,
                            Result{.outcome = Killed{SIGKILL}},
                            Result{.outcome = NotStarted{ENOENT}},
                            FakeRunner::said(255, "", "Insufficient driver"),
                            FakeRunner::said(127, "", "libcuda.so.1: cannot open shared object file"),
                            FakeRunner::said(128, "", "loading container: not there")};
  for (const char* help : {kActions, kOurs})
    for (const Result& result : results) {
      Frozen f(help);
      f.tool.instead = [&](const Command&) { return std::optional(result); };
      std::vector<GpuHolder> others;
      const Error error = error_of([&] { f.freezer.cuda_processes(kThree, others); });
      INFO(error.message);
      CHECK(error.code == ErrorCode::gpu_failed);
      CHECK(contains(error.message, "cannot tell the state of pid 7: "));
    }
}

// ---- freezing

TEST_CASE("cuda: all are locked before the first is checkpointed; thawing is the same backwards") {
  Frozen f(kActions);
  f.freezer.freeze(kThree);
  const Lines done = f.tool.actions();
  REQUIRE(done.size() == 6);
  CHECK(sorted(done, 0, 3) == Lines{"lock 7", "lock 8", "lock 9"});
  CHECK(sorted(done, 3, 6) == Lines{"checkpoint 7", "checkpoint 8", "checkpoint 9"});
  f.tool.done.clear();
  f.freezer.thaw(kThree, "GPU-a=GPU-b");
  CHECK(sorted(f.tool.actions(), 0, 3) == Lines{"restore 7", "restore 8", "restore 9"});
  CHECK(sorted(f.tool.actions(), 3, 6) == Lines{"unlock 7", "unlock 8", "unlock 9"});
  CHECK(f.tool.all_run());
  CHECK(f.freezer.steps().size() == 12);
  for (const Argv& call : f.tool.calls)
    if (call[1] == "--action" && call[2] == "restore")
      CHECK(Argv(call.begin() + 5, call.end()) == Argv{"--device-map", "GPU-a=GPU-b"});
}

TEST_CASE("cuda: a tool for many pids is started once for each step") {
  Frozen f(kOurs);
  f.freezer.freeze(kThree);
  f.freezer.thaw(kThree);
  CHECK(f.tool.calls == std::vector<Argv>{{"/cc", "-h"},
                                          {"/cc", "--action", "lock", "--pid", "7,8,9", "--timeout", "10000"},
                                          {"/cc", "--action", "checkpoint", "--pid", "7,8,9"},
                                          {"/cc", "--get-state", "--pid", "7,8,9"},
                                          {"/cc", "--action", "restore", "--pid", "7,8,9"},
                                          {"/cc", "--get-state", "--pid", "7,8,9"},
                                          {"/cc", "--action", "unlock", "--pid", "7,8,9"},
                                          {"/cc", "--get-state", "--pid", "7,8,9"}});
  CHECK(f.tool.all_run());
}

TEST_CASE("cuda: one that fails, whichever and wherever: all run on, and each is named") {
  for (const char* help : {kActions, kOurs, kToggles, kWords, kLockingWords})
    for (const std::string& action : parse_cuda_help(help).locks ? Lines{"lock", "checkpoint"}
                                     : help == kToggles          ? Lines{"toggle"}
                                                                 : Lines{"checkpoint"})
      for (const pid_t k : {7, 8, 9}) {
        Frozen f(help);
        const std::string what = fmt::format("{} {}", action, k);
        f.tool.failing = {what};
        const Error error = error_of([&] { f.freezer.freeze(kThree); });
        INFO(what << ": " << error.message);
        CHECK(error.code == ErrorCode::gpu_failed);
        CHECK(error.message ==
              fmt::format("the GPU could not be frozen: {} of pid {}: no luck with {}; all 3 "
                          "processes run on",
                          action, k, what));
        CHECK(f.tool.all_run());
        const Lines done = f.tool.actions();
        if (action == "lock")
          CHECK(std::none_of(done.begin(), done.end(),
                             [](const std::string& one) { return one.starts_with("checkpoint"); }));
      }
}

TEST_CASE("cuda: all that fail are named, and nothing is undone twice") {
  Frozen f(kActions);
  f.tool.failing = {"lock 7", "lock 9"};
  const Error error = error_of([&] { f.freezer.freeze(kThree); });
  CHECK(contains(error.message, "lock of pid 7: no luck with lock 7; lock of pid 9: no luck with lock 9"));
  CHECK(sorted(f.tool.actions(), 3, 4) == Lines{"unlock 8"});
  CHECK(f.tool.actions().size() == 4);
}

TEST_CASE("cuda: one that cannot be brought back is told, the others are brought back all the same") {
  struct Row {
    std::set<std::string> failing;
    const char* state;
  };
  for (const char* help : {kActions, kOurs})
    for (const Row& row : {Row{{"checkpoint 9", "restore 7"}, "pid 7 is checkpointed"},
                           Row{{"checkpoint 9", "unlock 7"}, "pid 7 is locked"}}) {
      Frozen f(help);
      f.tool.failing = row.failing;
      const Error error = error_of([&] { f.freezer.freeze(kThree); });
      INFO(error.message);
      CHECK(contains(error.message, "; not brought back: "));
      CHECK(contains(error.message, row.state));
      CHECK(contains(error.message, *row.failing.rbegin()));
      CHECK(contains(error.hint, "gpu-thaw"));
      CHECK(f.tool.states[8] == "running");
      CHECK(f.tool.states[9] == "running");
    }
}

TEST_CASE("cuda: a tool that cannot say whether a process has CUDA is believed nothing") {
  for (const char* help : {kActions, kOurs})
    for (const char* none : {"Error getting process state for process ID 7: \"initialization error\"",
                             "Error getting process state for process ID 7: \"invalid argument\"",
                             "cuda-checkpoint: cannot get the state of process 7: initialization error "
                             "(CUDA_ERROR_NOT_INITIALIZED, 3); is it a CUDA process?"}) {
      INFO(none);
      Frozen f(help);
      f.tool.states.erase(7);
      f.tool.no_cuda = none;
      std::vector<GpuHolder> others;
      CHECK(f.freezer.cuda_processes(kThree, others).size() == 2);
      CHECK(others.size() == 1);
    }
  for (const char* help : {kActions, kOurs})
    for (const char* broken : {"Error initializing CUDA: \"CUDA_ERROR_NO_DEVICE\"",
                               "Error initializing CUDA: \"initialization error\"",
                               "Error getting process state for process ID 7: \"OS call failed or operation "
                               "not supported on this OS\"",
                               "cuda-checkpoint: cannot initialise CUDA: initialization error "
                               "(CUDA_ERROR_NOT_INITIALIZED, 3)",
                               "something new"}) {
      INFO(broken);
      Frozen f(help);
      f.tool.states.erase(7);
      f.tool.no_cuda = broken;
      std::vector<GpuHolder> others;
      const Error error = error_of([&] { f.freezer.cuda_processes(kThree, others); });
      CHECK(error.code == ErrorCode::gpu_failed);
      CHECK(contains(error.message, "cannot tell the state of pid 7"));
    }
}

TEST_CASE("cuda: one that ends meanwhile is told") {
  Frozen f(kActions);
  f.tool.failing = {"checkpoint 8"};
  f.tool.instead = [&](const Command& command) -> std::optional<Result> {
    if (command.args == Argv{"--action", "checkpoint", "--pid", "8"}) f.tool.states.erase(8);
    return std::nullopt;
  };
  const Error error = error_of([&] { f.freezer.freeze(kThree); });
  CHECK(contains(error.message, "not brought back: pid 8 is no CUDA process any more"));
  CHECK(f.tool.all_run());
}

TEST_CASE("cuda: what a helper said before it was killed counts, what it did not say does not") {
  Frozen f(kOurs);
  f.tool.instead = [&](const Command& command) -> std::optional<Result> {
    if (command.args[1] != "lock") return std::nullopt;
    Result cut{.outcome = Killed{SIGKILL}};
    cut.out = "7\tok\ngarbage\n\n\t\n12\tok\n8 ok\n8x\tok\n-9\tok\n99999999999999\tok\n 9\tok\n9";
    cut.timed_out = true;
    f.tool.states[7] = f.tool.states[8] = "locked";
    return cut;
  };
  const Error error = error_of([&] { f.freezer.freeze(kThree); });
  CHECK(
      contains(error.message,
               "frozen: lock of pid 8: did not finish within 600.0 s; lock of pid 9: did not finish within"));
  CHECK_FALSE(contains(error.message, "lock of pid 7"));
  CHECK(contains(error.message, "all 3 processes run on"));
  CHECK(f.tool.all_run());
}

TEST_CASE("cuda: an answer of a helper that is neither ok nor error is a failure") {
  for (const char* answer : {"error:", "error: ", "", "nonsense", "okay"}) {
    Frozen f(kOurs);
    f.tool.instead = [&](const Command& command) -> std::optional<Result> {
      if (command.args[1] != "checkpoint") return std::nullopt;
      return FakeRunner::said(0, fmt::format("7\tok\n8\t{}\n9\tok\n", answer));
    };
    INFO(answer);
    CHECK(contains(error_of([&] { f.freezer.freeze(kThree); }).message, "frozen: checkpoint of pid 8: "));
    CHECK(f.tool.all_run());
  }
}

TEST_CASE("cuda: more processes than threads that one wants") {
  std::vector<GpuHolder> many;
  for (pid_t pid = 1; pid <= 200; ++pid) many.push_back(holder(pid));
  Frozen f(kActions, many);
  f.freezer.freeze(many);
  CHECK(std::none_of(f.tool.states.begin(), f.tool.states.end(),
                     [](const auto& s) { return s.second != "checkpointed"; }));
  const Lines done = f.tool.actions();
  CHECK(
      std::all_of(done.begin(), done.begin() + 200, [](const auto& one) { return one.starts_with("lock"); }));
  f.freezer.thaw(many);
  CHECK(f.tool.all_run());
}

// ---- thawing

TEST_CASE("cuda: thawing begins with any mixture of states") {
  const char* const kStates[] = {"running", "locked", "checkpointed"};
  for (const char* help : {kActions, kOurs})
    for (const char* a : kStates)
      for (const char* b : kStates)
        for (const char* c : kStates) {
          Frozen f(help);
          f.tool.states = {{7, a}, {8, b}, {9, c}};
          f.freezer.thaw(kThree);
          CHECK(f.tool.all_run());
        }
  Frozen running(kActions);
  running.freezer.thaw(kThree);
  CHECK(running.tool.actions().empty());
}

TEST_CASE("cuda: a thaw tries all, and tells those that do not run") {
  Frozen f(kActions);
  f.tool.states = {{7, "checkpointed"}, {8, "checkpointed"}, {9, "failed"}};
  f.tool.failing = {"restore 7"};
  const Error error = error_of([&] { f.freezer.thaw(kThree); });
  CHECK(error.code == ErrorCode::gpu_failed);
  CHECK(error.message ==
        "the GPU could not be thawed: restore of pid 7: no luck with restore 7; pid 7 is checkpointed; pid 9 "
        "is failed");
  CHECK(f.tool.states[8] == "running");
  f.tool.failing.clear();
  f.tool.states[9] = "locked";
  f.freezer.thaw(kThree);
  CHECK(f.tool.all_run());
}

TEST_CASE("cuda: what only toggles is toggled once in each direction") {
  Frozen f(kToggles);
  f.freezer.freeze(kThree);
  CHECK(sorted(f.tool.done, 0, 3) == Lines{"toggle 7", "toggle 8", "toggle 9"});
  f.freezer.thaw(kThree);
  CHECK(f.tool.all_run());
  f.freezer.thaw(kThree);
  CHECK(f.tool.all_run());
  CHECK(f.tool.done.size() == 6);
  Frozen restored(kToggles);  // a new ckpt after a restore knows nothing of what was toggled
  restored.tool.states = {{7, "checkpointed"}, {8, "checkpointed"}, {9, "checkpointed"}};
  restored.freezer.thaw(kThree);
  CHECK(restored.tool.all_run());
}

TEST_CASE("cuda: action words without a lock freeze in one step") {
  Frozen f(kWords);
  f.freezer.freeze(kThree);
  f.freezer.thaw(kThree);
  f.freezer.thaw(kThree);
  CHECK(sorted(f.tool.done, 0, 3) == Lines{"checkpoint 7", "checkpoint 8", "checkpoint 9"});
  CHECK(sorted(f.tool.done, 3, 6) == Lines{"restore 7", "restore 8", "restore 9"});
  CHECK(f.tool.done.size() == 6);
  CHECK(f.tool.all_run());
}

TEST_CASE("cuda: the plan for --dry-run") {
  const std::vector<GpuHolder> two = {holder(7), holder(8)};
  Frozen one_by_one(kActions), together(kOurs), toggles(kToggles);
  CHECK(one_by_one.freezer.commands(two, one_by_one.freezer.freezing_actions()) ==
        std::vector<Argv>{{"/cc", "--action", "lock", "--pid", "7", "--timeout", "10000"},
                          {"/cc", "--action", "lock", "--pid", "8", "--timeout", "10000"},
                          {"/cc", "--action", "checkpoint", "--pid", "7"},
                          {"/cc", "--action", "checkpoint", "--pid", "8"}});
  CHECK(together.freezer.commands(two, together.freezer.thawing_actions()) ==
        std::vector<Argv>{{"/cc", "--action", "restore", "--pid", "7,8"},
                          {"/cc", "--action", "unlock", "--pid", "7,8"}});
  CHECK(toggles.freezer.commands(two, toggles.freezer.thawing_actions()) ==
        std::vector<Argv>{{"/cc", "--toggle", "--pid", "7"}, {"/cc", "--toggle", "--pid", "8"}});
  CHECK(together.freezer.commands({}, {"lock"}).empty());
}
