// Looking at the restored container.
#include "commands/restore_verify.h"

#include <fmt/ranges.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "commands/parse.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// Types of the OCI runtime specification and their names in /proc/PID/ns.
constexpr std::pair<const char*, const char*> kNamespaces[] = {
    {"pid", "pid"}, {"network", "net"}, {"mount", "mnt"}, {"ipc", "ipc"}, {"uts", "uts"}};

void require_own_namespaces(const RestorePlan& plan, pid_t pid) {
  const auto wanted = spec_namespaces(plan.spec);
  for (const auto& [type, name] : kNamespaces) {
    const auto asked = wanted.find(type);
    const auto there = namespace_inode(pid, name);
    if (asked == wanted.end() || !there) continue;
    struct stat named = {};
    const bool by_path = !asked->second.empty();
    const bool right = by_path ? ::stat(asked->second.c_str(), &named) == 0 && named.st_ino == *there
                               : there != namespace_inode(::getpid(), name);
    if (right) continue;
    throw Error(ErrorCode::verify_failed,
                fmt::format("'{}' was restored, but not into {}", plan.record.id,
                            by_path ? fmt::format("the {} namespace '{}'", type, asked->second)
                                    : fmt::format("a {} namespace of its own", type)))
        .with_runtime(std::string(plan.driver.table().name));
  }
}

/// A process of the image may rightly have ended by now: it is told with -v.
void note_missing(const Context& context, const RestorePlan& plan, pid_t pid) {
  if (!plan.image.manifest || plan.image.manifest->processes.empty()) return;
  std::set<pid_t> there;
  for (const pid_t one : descendants(pid)) there.insert(inner_pid(one));
  std::vector<std::string> missing;
  for (const ProcessFact& one : plan.image.manifest->processes)
    if (!there.contains(one.pid)) missing.push_back(fmt::format("{} ('{}')", one.pid, one.comm));
  if (!missing.empty())
    context.out.detail(
        fmt::format("processes of the image that have ended since: {}", fmt::join(missing, ", ")));
}

/// True when interrupted meanwhile.
bool wait_a_while(milliseconds time) {
  pollfd polled = {interrupt_fd(), POLLIN, 0};
  ::poll(&polled, 1, static_cast<int>(time.count()));
  return interrupted().has_value();
}

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \n");
  if (end == std::string::npos) return "";
  const std::size_t begin = text.find_last_of('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? -1 : static_cast<long>(begin)));
}

}  // namespace

/// A restore can report success of a process that is dead already: the container is asked, and so is /proc.
void verify_restored(const Context& context, const RestorePlan& plan) {
  const auto state = plan.driver.state(plan.record.id);
  if (state && (state->status == "running" || state->status == "paused") && alive(state->pid)) {
    if (!plan.driver.table().shares_host_kernel) return;
    require_own_namespaces(plan, state->pid);
    note_missing(context, plan, state->pid);
    return;
  }
  const auto exit = context.records.exit(plan.record);
  if (exit && exit->status && *exit->status < 128) {
    context.out.warn(
        fmt::format("'{}' ran on and ended at once with status {}", plan.record.id, *exit->status));
    return;
  }
  throw Error(ErrorCode::verify_failed,
              fmt::format("{} reported the restore of '{}' done, but the container is {}",
                          plan.driver.table().name, plan.record.id, state ? state->status : "gone"))
      .with_runtime(std::string(plan.driver.table().name))
      .with_hint("'ckpt logs' may tell why it ended");
}

/// A container whose GPU state did not come back is taken away again; its image is as good as before.
std::vector<CudaStep> bring_gpu_back(const Context& context, const RestorePlan& plan) {
  if (plan.gpu.strategy == "none") return {};
  const auto state = plan.driver.state(plan.record.id);
  if (!state) return {};
  try {
    auto steps = thaw_restored(context, plan.driver, *state,
                               {.spec = plan.spec,
                                .image = plan.gpu,
                                .device_map = plan.device_map,
                                .restore_log = (plan.work_dir / "restore.log").string()});
    say_steps(context, steps);
    return steps;
  } catch (Error& error) {
    const HoldInterrupts hold;
    error.message += "; the container was removed again, its checkpoint is kept";
    remove_by_force(context, plan.driver, plan.record.id);
    throw;
  }
}

void probe_restored(const RestorePlan& plan, const std::string& command, milliseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  const auto left = [&] {
    return std::max(std::chrono::duration_cast<milliseconds>(end - Clock::now()), milliseconds(1));
  };
  Argv args = {plan.record.id};
  const auto words = parse_words(command);
  if (words) args.insert(args.end(), words->begin(), words->end());
  std::string last = "it did not end";
  do {
    Command probe = plan.driver.command("exec", args);
    probe.timeout = left();
    const Result result = plan.driver.runner().run(probe);
    if (result.ok()) return;
    if (result.interrupted) throw interrupted_error(*result.interrupted);
    if (result.timed_out) break;
    const std::string said = last_line(result.err.empty() ? result.out : result.err);
    last = fmt::format("it {}{}", describe(result.outcome), said.empty() ? "" : ": " + said);
    if (wait_a_while(std::min(milliseconds(200), left()))) throw_if_interrupted();
  } while (Clock::now() < end);
  throw Error(ErrorCode::verify_failed,
              fmt::format("'{}' was restored, but its probe '{}' did not succeed within {:g} s: {}",
                          plan.record.id, command, std::chrono::duration<double>(limit).count(), last))
      .with_runtime(std::string(plan.driver.table().name))
      .with_hint(fmt::format("the container runs on; 'ckpt logs {}' may tell more", plan.record.id));
}

}  // namespace ckpt
