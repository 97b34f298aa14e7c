// Deciding whether and how a container is dumped.
#include "commands/checkpoint_plan.h"

#include <fmt/ranges.h>
#include <signal.h>

#include "commands/container_state.h"
#include "commands/criu.h"
#include "commands/judgement.h"
#include "commands/pre_copy.h"
#include "commands/recovery.h"
#include "commands/schedule.h"
#include "gpu/holders.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/process_group.h"
#include "runtimes/procfs.h"
#include "runtimes/spec.h"
#include "runtimes/stopped.h"

namespace ckpt {
namespace {

using std::chrono::seconds;

void require_checkpointable(const ContainerState& state) {
  if (state.status == "running" || state.status == "paused") return;
  throw NotRunningError(
      Error(ErrorCode::conflict, fmt::format("container '{}' is {}; only a running one can be checkpointed",
                                             state.id, state.status))
          .with_hint(state.status == "created" ? "start it first" : "there is no process to save"));
}

/// Says what is worth knowing, refuses what would fail or could not be restored.
void heed(const Context& context, const CheckpointPlan& plan) {
  std::vector<Check> failing, all = obstacles_of(plan);
  if (plan.driver().table().shares_host_kernel)
    for (Check& check : closer_obstacles_of(plan, look_closer(plan.state.pid)))
      all.push_back(std::move(check));
  for (Check& check : all)
    if (check.status == Check::Status::warning || (plan.force && check.status == Check::Status::fails))
      context.out.warn(fmt::format("container '{}': {}", plan.id(), check.found));
    else if (check.status == Check::Status::fails)
      failing.push_back(std::move(check));
  if (failing.empty()) return;
  std::vector<std::string> reasons;
  for (const Check& check : failing) reasons.push_back(check.found);
  const bool in_pod = std::any_of(failing.begin(), failing.end(),
                                  [](const Check& check) { return check.name == kSandboxCheck; });
  throw Error(in_pod ? ErrorCode::host_incompatible : ErrorCode::conflict,
              fmt::format("container '{}' cannot be checkpointed: {}", plan.id(), fmt::join(reasons, "; ")))
      .with_runtime(std::string(plan.driver().table().name))
      .with_hint(failing.size() == 1
                     ? failing.front().fix
                     : fmt::format("'ckpt checkpoint --check {}' says what helps", plan.id()));
}

/// Memory and files of one moment need a container that stays paused between the two.
void require_one_pause(const CheckpointPlan& plan) {
  const std::string why = plan.cedana ? "Cedana lets it run on at the end of its dump"
                          : plan.gpu.strategy == CudaStrategy::plugin
                              ? "CRIU's CUDA plugin cannot lock frozen processes"
                          : !version_at_least(plan.criu_version, 4, 1)
                              ? fmt::format("CRIU {} cannot dump a paused container", plan.criu_version)
                              : "";
  if (why.empty()) return;
  throw Error(ErrorCode::unsupported,
              fmt::format("the writable layer of '{}' cannot be saved in one moment with its memory: {}",
                          plan.id(), why))
      .with_hint(plan.cedana ? "leave --leave-running out"
                             : "leave --leave-running out, or use CRIU 4.1 or newer");
}

/// Whether nobody outside has an end of its connections, and their network namespace goes with it.
bool ends_with_its_connections(const CheckpointPlan& plan) {
  return within(plan.findings.connections) && case_of(plan).own_network;
}

/// Why the container must be stopped by the dump itself, instead of paused, saved and then deleted: a paused
/// container can be dumped since CRIU 4.1, but not by CRIU's CUDA plugin, which cannot lock frozen processes;
/// link-remap's files do not outlive a dump that leaves it running. Empty: it need not.
std::string reason_to_stop_first(const CheckpointPlan& plan) {
  if (plan.cedana) return "Cedana freezes and ends the processes itself";
  // Deleted later, its sockets would be closed as any other's: a FIN to the other end, and a minute of
  // TIME_WAIT. Those that CRIU has ended go in silence.
  if (plan.driver().table().uses_criu && plan.opts.allow_open_tcp.value_or(false) &&
      !plan.opts.tcp_close.value_or(false) && !ends_with_its_connections(plan))
    return "the other ends of connections that are kept must not notice";
  if (plan.opts.link_remap.value_or(false)) return "--link-remap's files do not outlive one that does not";
  if (plan.gpu.strategy == CudaStrategy::plugin) return "CRIU's CUDA plugin cannot lock paused processes";
  if (plan.driver().table().uses_criu && !version_at_least(plan.criu_version, 4, 1))
    return fmt::format("CRIU {} cannot dump a paused container", plan.criu_version);
  return "";
}

/// CRIU would wait for them, with the container frozen, for ever.
Check stopped_processes(const std::string& id, const std::vector<pid_t>& stopped) {
  Check check{.area = id, .name = "stopped-processes", .status = Check::Status::ok, .found = "none"};
  if (stopped.empty()) return check;
  std::vector<std::string> names, pids;
  for (const pid_t pid : stopped) {
    names.push_back(process_name(pid));
    pids.push_back(fmt::format("{}", pid));
  }
  check.status = Check::Status::fails;
  check.found = fmt::format("CRIU cannot freeze what a signal has stopped, in a cgroup of version 1: {}",
                            fmt::join(names, ", "));
  check.fix = fmt::format("'kill -CONT {}' lets it go on", fmt::join(pids, " "));
  return check;
}

/// Connections with both ends inside are memory like any other: whoever asks for nothing wants them kept.
void keep_inner_connections(CheckpointPlan& plan) {
  const CheckpointOpts& asked = plan.opts;
  const std::vector<std::string>& open = plan.findings.connections;
  if (asked.tcp || asked.allow_open_tcp || asked.tcp_close || open.empty()) return;
  if (!plan.driver().table().uses_criu || !within(open) || cannot_keep_connections(case_of(plan))) return;
  plan.opts.allow_open_tcp = true;
  plan.choices.push_back({"--tcp-established", "both ends of its TCP connections are inside"});
}

/// --tcp: CRIU dumps the connections in any case, and the restore keeps or closes all of them.
void choose_connections(CheckpointPlan& plan) {
  if (!plan.opts.tcp) return;
  const std::string& asked = *plan.opts.tcp;
  if (!plan.driver().table().uses_criu && asked == "close")
    throw Error(ErrorCode::unsupported, fmt::format("--tcp close is not possible for '{}': runsc keeps the "
                                                    "connections inside and resets those to other hosts",
                                                    plan.id()))
        .with_runtime("runsc")
        .with_hint("leave it out");
  if (!plan.driver().table().uses_criu) return;
  plan.opts.allow_open_tcp = true;
  const bool lost = cannot_keep_connections(case_of(plan));
  if (asked != "close" && !(asked == "auto" && lost)) return;
  plan.opts.tcp_close = true;
  plan.choices.push_back(
      {"--tcp close",
       lost ? "runc cannot restore them into a network namespace that it makes" : "asked for"});
}

}  // namespace

CheckpointPlan begin_plan(const CheckpointOpts& opts, Found found, const std::string& id) {
  auto state = found.driver.state(id);
  if (!state)
    throw Error(ErrorCode::not_found,
                fmt::format("container '{}' is gone; its last checkpoint is '{}@latest'", id, id));
  require_checkpointable(*state);
  CheckpointPlan plan{.found = std::move(found),
                      .state = std::move(*state),
                      .opts = opts,
                      .pre_copy = {},
                      .engine = {},
                      .layer = {},
                      .criu_version = {},
                      .cedana = {},
                      .config = {},
                      .delivery = {},
                      .findings = {},
                      .standing = {},
                      .watches = {},
                      .gpu = {},
                      .choices = {}};
  plan.stop = !opts.leave_running.value_or(false);
  if (plan.found.record) plan.layer = plan.found.record->layer;
  plan.engine = engine_of(plan.state.bundle);
  plan.config = read_file(fs::path(plan.state.bundle) / "config.json").value_or("");
  plan.findings = examine(plan.driver(), plan.state);
  plan.standing = state_findings(plan);
  if (plan.driver().table().uses_criu) plan.watches = watched_files(plan.state.pid);
  keep_inner_connections(plan);
  choose_connections(plan);
  return plan;
}

Case case_of(const CheckpointPlan& plan) {
  Case one{plan.id(), plan.driver().table(), plan.findings, plan.opts, plan.stop};
  one.engine = plan.engine;
  one.watches = plan.watches;
  one.own_network = plan.standing.own_network;
  return one;
}

std::vector<Check> obstacles_of(const CheckpointPlan& plan) {
  std::vector<Check> checks = obstacles(case_of(plan));
  if (plan.driver().table().uses_criu)
    checks.push_back(stopped_processes(plan.id(), stopped_in_v1(plan.state.pid)));
  const StateFindings& found = plan.standing;
  // Only the first container of a sandbox has a process 1, by which exec sessions are told.
  if (!found.neighbours.empty())
    std::erase_if(checks, [](const Check& check) { return check.name == "exec-sessions"; });
  for (Check& check : state_obstacles(plan.id(), plan.driver().table(), found))
    checks.push_back(std::move(check));
  return checks;
}

std::vector<Check> closer_obstacles_of(const CheckpointPlan& plan, const CloserFindings& found) {
  return closer_obstacles(case_of(plan), found);
}

void choose_options(CheckpointPlan& plan) {
  const Findings& f = plan.findings;
  if (!f.lock_holders.empty() && !plan.opts.file_locks.value_or(false)) {
    plan.opts.file_locks = true;
    plan.choices.push_back({"--file-locks", "held by " + fmt::format("{}", fmt::join(f.lock_holders, ", "))});
  }
  if (!plan.watches.paths.empty())
    plan.choices.push_back({fmt::format("irmap-scan-path of {}", fmt::join(plan.watches.paths, ", ")),
                            "watched by inotify on a file system that opens nothing by a handle"});
  plan.opts.ghost_limit = ghost_limit_for(f.largest_ghost);
  if (!plan.opts.ghost_limit) return;
  plan.choices.push_back(
      {fmt::format("ghost-limit {}", *plan.opts.ghost_limit),
       fmt::format("a deleted file of {} bytes is open, and CRIU takes 1 MiB by itself", f.largest_ghost)});
}

std::optional<std::uint64_t> ghost_limit_for(std::uint64_t bytes) {
  constexpr std::uint64_t kMebi = 1U << 20U;
  const std::uint64_t most = bytes + bytes / 2;
  if (most <= kMebi) return std::nullopt;
  return (most + kMebi - 1) / kMebi * kMebi;
}

void choose_engine(const Context& context, CheckpointPlan& plan) {
  plan.cedana = engine_for_dump(context, plan.opts.engine, plan.driver().table(), plan.id());
}

void choose_gpu(const Context& context, const CudaOptions& cuda, CheckpointPlan& plan) {
  plan.gpu = plan_gpu(context, cuda, plan.found, plan.state, plan.findings, plan.config);
  if (plan.cedana && !plan.gpu.processes.empty())
    throw Error(ErrorCode::unsupported,
                fmt::format("container '{}' has CUDA processes, and Cedana saves GPU memory only of what it "
                            "started itself",
                            plan.id()))
        .with_runtime("cedana")
        .with_hint("leave --engine out");
  if (plan.gpu.strategy == CudaStrategy::native) plan.opts.cuda_checkpoint_path = kInsideCudaCheckpoint;
  if (plan.gpu.strategy == CudaStrategy::plugin) plan.opts.criu_timeout = plugin_timeout(cuda, plan.gpu);
  if (plan.gpu.strategy == CudaStrategy::none) return;
  plan.choices.push_back({fmt::format("--cuda {}", name_of(plan.gpu.strategy)),
                          fmt::format("{} CUDA processes", plan.gpu.processes.size())});
  if (plan.opts.criu_timeout)
    plan.choices.push_back({fmt::format("timeout {}", plan.opts.criu_timeout->count()),
                            "CRIU's plugin freezes and copies GPU memory within it; CRIU's own is 10 s"});
}

void choose_strategy(const Context& context, CheckpointPlan& plan) {
  const bool criu = plan.driver().table().uses_criu && !plan.cedana;
  if (criu) plan.criu_version = context.prober.version(require_criu());
  const std::string why_not = reason_to_stop_first(plan);
  plan.publish_first = plan.stop && why_not.empty();
  if (!plan.layer.empty() && !plan.stop) require_one_pause(plan);
  plan.pause = (plan.publish_first || (!plan.layer.empty() && !plan.stop)) && plan.state.status == "running";
  plan.opts.leave_running = !plan.stop || plan.publish_first ? std::optional(true) : std::nullopt;
  if (plan.publish_first)
    plan.choices.push_back(
        {"--leave-running, then delete", "it is stopped when its image is safe on the disk"});
  else if (plan.stop)
    plan.choices.push_back({"no --leave-running", "the dump stops it: " + why_not});
}

Delivery delivery_of(const CheckpointPlan& plan, const CheckpointOpts& opts) {
  if (plan.cedana) return cedana_dump(plan.cedana->dialect(), opts, plan.driver().target().root, plan.id());
  Delivery delivery = checkpoint_delivery(plan.driver().dialect("checkpoint"), opts, plan.id());
  for (const std::string& path : plan.watches.paths)
    delivery.criu_config.push_back("irmap-scan-path " + path);
  return delivery;
}

void deliver(CheckpointPlan& plan) {
  const Dialect dialect = plan.cedana ? plan.cedana->dialect() : plan.driver().dialect("checkpoint");
  plan.delivery = delivery_of(plan, plan.opts);
  for (const std::string& line : plan.delivery.criu_config)
    plan.choices.push_back({"CRIU's configuration: " + line,
                            fmt::format("{} {} has no flag for it", dialect.table.name, dialect.version)});
}

CheckpointPlan plan_checkpoint(const Context& context, const CheckpointOpts& opts, const CudaOptions& cuda,
                               Found found, const std::string& id, bool force) {
  CheckpointPlan plan = begin_plan(opts, std::move(found), id);
  plan.force = force;
  heed(context, plan);
  heed_judgement(context, plan, judge_running(plan));
  choose_options(plan);
  choose_engine(context, plan);
  choose_gpu(context, cuda, plan);
  choose_strategy(context, plan);
  return plan;
}

Command dump_command(const Context& context, const CheckpointPlan& plan, const Delivery& delivery,
                     const fs::path& scratch) {
  Command command = plan.cedana ? cedana_command(plan.cedana->path, delivery.args)
                                : plan.driver().logged("checkpoint", delivery.args, scratch / "runtime.log");
  command.timeout = context.timeout_or(seconds(600));
  command.on_interrupt = OnInterrupt::finish;
  command.stop_with = give_up_group;
  command.grace = kDumpGrace;
  command.env[kDumpMark] = scratch.string();
  if (!delivery.criu_config.empty()) command.env["CRIU_CONFIG_FILE"] = (scratch / "criu.conf").string();
  if (!plan.gpu.plugin_directory.empty())
    command.env["PATH"] = plan.gpu.plugin_directory + ":" + command.env["PATH"];
  return command;
}

namespace {

/// The dumps: as many rounds before the last as are sure to be.
std::vector<Argv> planned_dumps(const Context& context, const CheckpointPlan& plan,
                                const StagedImage& image) {
  const fs::path scratch = context.scratch();
  std::vector<Argv> commands;
  const auto add = [&](const CheckpointOpts& opts) {
    commands.push_back(dump_command(context, plan, delivery_of(plan, opts), scratch).argv());
  };
  const std::size_t rounds = !plan.pre_copy         ? 0
                             : plan.pre_copy->exact ? static_cast<std::size_t>(plan.pre_copy->most)
                                                    : 1;
  for (std::size_t number = 1; number <= rounds; ++number) add(pre_dump_opts(plan, image, number));
  CheckpointOpts last = plan.opts;
  if (rounds > 0) last.parent_path = parent_path(image, pre_dump_directory(rounds));
  add(last);
  return commands;
}

}  // namespace

std::vector<Argv> planned_commands(const Context& context, const CheckpointPlan& plan,
                                   const StagedImage& image) {
  std::vector<Argv> commands, dumps = planned_dumps(context, plan, image);
  const Argv last = std::move(dumps.back());
  dumps.pop_back();
  if (plan.gpu.strategy == CudaStrategy::manual)
    for (Argv& argv : plan.gpu.freezer->commands(plan.gpu.processes, plan.gpu.freezer->freezing_actions()))
      dumps.push_back(std::move(argv));
  commands = std::move(dumps);
  if (plan.pause) commands.push_back(plan.driver().command("pause", {plan.id()}).argv());
  commands.push_back(last);
  if (plan.pause && !plan.stop) commands.push_back(plan.driver().command("resume", {plan.id()}).argv());
  if (plan.publish_first) commands.push_back(plan.driver().command("delete", {"--force", plan.id()}).argv());
  if (plan.gpu.strategy == CudaStrategy::manual && !plan.stop)
    for (Argv& argv : plan.gpu.freezer->commands(plan.gpu.processes, plan.gpu.freezer->thawing_actions()))
      commands.push_back(std::move(argv));
  return commands;
}

}  // namespace ckpt
