// Deciding whether and how a container is dumped.
#include "commands/checkpoint_plan.h"

#include <fmt/ranges.h>
#include <signal.h>

#include "commands/criu.h"
#include "commands/pre_copy.h"
#include "commands/schedule.h"
#include "gpu/holders.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/spec.h"

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

[[noreturn]] void refuse(const CheckpointPlan& plan, const std::string& why, const std::string& hint) {
  throw Error(ErrorCode::conflict, fmt::format("container '{}' cannot be checkpointed: {}", plan.id(), why))
      .with_runtime(std::string(plan.driver().table().name))
      .with_hint(hint);
}

void heed_exec_sessions(const Context& context, const CheckpointPlan& plan) {
  if (plan.findings.exec_sessions.empty()) return;
  const std::string sessions = fmt::format("{}", fmt::join(plan.findings.exec_sessions, ", "));
  if (!plan.driver().table().shares_host_kernel)
    refuse(plan, "exec sessions are alive, and an image with them cannot be restored: " + sessions,
           "end them first");
  context.out.warn(fmt::format("processes of exec sessions are not part of the checkpoint of '{}': {}",
                               plan.id(), sessions));
}

void heed_linked_files(const CheckpointPlan& plan) {
  const Findings& f = plan.findings;
  if (f.linked_deleted.empty()) return;
  const std::string files = fmt::format("{}", fmt::join(f.linked_deleted, ", "));
  if (!plan.opts.link_remap.value_or(false))
    refuse(plan, "deleted files that have another name are open: " + files,
           "pass --link-remap (without --leave-running)");
  if (!plan.stop)
    refuse(plan, "--link-remap with --leave-running makes an image that cannot be restored: " + files,
           "leave --leave-running out");
}

/// runc restores into a network namespace that it makes itself with lo down (facts 6.3): such an image looks
/// fine and can never be restored with its connections.
void heed_connections(const CheckpointPlan& plan) {
  if (plan.findings.connections.empty()) return;
  if (!plan.opts.allow_open_tcp.value_or(false))
    refuse(
        plan,
        fmt::format("it has an established TCP connection, {}", fmt::join(plan.findings.connections, ", ")),
        "pass --tcp-established, or close it");
  if (plan.driver().target().kind != RuntimeKind::runc || plan.config.empty()) return;
  if (makes_network_namespace(parse_spec(plan.config, plan.state.bundle + "/config.json")))
    refuse(plan, "runc cannot restore its TCP connections into a network namespace of its own making",
           "give it a network namespace by path with lo up, or use crun");
}

/// Refuses what would fail or could not be restored, asks for what is needed.
void heed(const Context& context, CheckpointPlan& plan) {
  const Findings& f = plan.findings;
  heed_exec_sessions(context, plan);
  if (!f.bad_stdio.empty() && !plan.opts.shell_job.value_or(false))
    refuse(plan, fmt::format("{}", fmt::join(f.bad_stdio, "; ")),
           "start it with 'ckpt run', or with pipes or /dev/null as its stdio");
  heed_linked_files(plan);
  heed_connections(plan);
  if (f.host_pid_namespace)
    context.out.warn(fmt::format(
        "'{}' shares the host's pid namespace; it restores only while its pids are free", plan.id()));
  if (!f.lock_holders.empty()) plan.opts.file_locks = true;
  constexpr std::uint64_t kDefaultGhostLimit = 1U << 20U;
  if (f.largest_ghost > kDefaultGhostLimit) plan.opts.ghost_limit = f.largest_ghost;
}

/// Memory and files of one moment need a container that stays paused between the two.
void require_one_pause(const CheckpointPlan& plan) {
  const std::string why = plan.gpu.strategy == CudaStrategy::plugin
                              ? "CRIU's CUDA plugin cannot lock frozen processes"
                          : !version_at_least(plan.criu_version, 4, 1)
                              ? fmt::format("CRIU {} cannot dump a paused container", plan.criu_version)
                              : "";
  if (why.empty()) return;
  throw Error(ErrorCode::unsupported,
              fmt::format("the writable layer of '{}' cannot be saved in one moment with its memory: {}",
                          plan.id(), why))
      .with_hint("leave --leave-running out, or use CRIU 4.1 or newer");
}

/// A paused container can be dumped since CRIU 4.1, but not by CRIU's CUDA plugin, which cannot lock frozen
/// processes; link-remap's files do not outlive a dump that leaves it running.
void choose_strategy(const Context& context, CheckpointPlan& plan) {
  const bool criu = plan.driver().table().uses_criu;
  if (criu) plan.criu_version = context.prober.version(require_criu());
  plan.publish_first = plan.stop && !plan.opts.link_remap.value_or(false) &&
                       plan.gpu.strategy != CudaStrategy::plugin &&
                       (!criu || version_at_least(plan.criu_version, 4, 1));
  if (!plan.layer.empty() && !plan.stop) require_one_pause(plan);
  plan.pause = (plan.publish_first || (!plan.layer.empty() && !plan.stop)) && plan.state.status == "running";
  plan.opts.leave_running = !plan.stop || plan.publish_first ? std::optional(true) : std::nullopt;
}

}  // namespace

CheckpointPlan plan_checkpoint(const Context& context, const CheckpointOpts& opts, const CudaOptions& cuda,
                               Found found, const std::string& id) {
  auto state = found.driver.state(id);
  if (!state)
    throw Error(ErrorCode::not_found,
                fmt::format("container '{}' is gone; its last checkpoint is '{}@latest'", id, id));
  require_checkpointable(*state);
  CheckpointPlan plan{.found = std::move(found),
                      .state = std::move(*state),
                      .opts = opts,
                      .pre_copy = {},
                      .layer = {},
                      .criu_version = {},
                      .config = {},
                      .delivery = {},
                      .findings = {},
                      .gpu = {}};
  plan.stop = !opts.leave_running.value_or(false);
  if (plan.found.record) plan.layer = plan.found.record->layer;
  plan.config = read_file(fs::path(plan.state.bundle) / "config.json").value_or("");
  plan.findings = examine(plan.driver(), plan.state);
  heed(context, plan);
  plan.gpu = plan_gpu(context, cuda, plan.found, plan.state, plan.findings, plan.config);
  if (plan.gpu.strategy == CudaStrategy::native) plan.opts.cuda_checkpoint_path = kInsideCudaCheckpoint;
  if (plan.gpu.strategy == CudaStrategy::plugin) plan.opts.criu_timeout = plugin_timeout(cuda, plan.gpu);
  choose_strategy(context, plan);
  return plan;
}

Command dump_command(const Context& context, const CheckpointPlan& plan, const Delivery& delivery,
                     const fs::path& scratch) {
  Command command = plan.driver().logged("checkpoint", delivery.args, scratch / "runtime.log");
  command.timeout = context.timeout_or(seconds(600));
  command.on_interrupt = OnInterrupt::finish;
  // Not its CRIU: a dump cut off in the middle leaves CRIU's parasite in the tasks.
  command.stop_with = [](pid_t runtime) { ::kill(runtime, SIGTERM); };
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
    const Delivery delivery = checkpoint_delivery(plan.driver().dialect("checkpoint"), opts, plan.id());
    commands.push_back(dump_command(context, plan, delivery, scratch).argv());
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
