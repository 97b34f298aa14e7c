// By CRIU's log and by who has died.
#include "runtimes/restore_watch.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>

#include "runtimes/fs.h"
#include "runtimes/procfs.h"

namespace ckpt {
namespace {

using std::chrono::milliseconds;

constexpr std::uintmax_t kRunawayLog = 16U << 20U;
constexpr std::uintmax_t kAnyLog = 256U << 20U;
constexpr auto kDeadFor = milliseconds(1000);

/// CRIU's restorer reads a truncated pages image for ever and writes a line each time (facts: 30 MB/s of
/// log).
std::optional<std::string> runaway(const std::string& log) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(log, error);
  if (error || size < kRunawayLog) return std::nullopt;
  const std::string tail = read_tail(log, 4096);
  if (tail.find("Advanced iov 0 bytes") != std::string::npos ||
      tail.find("returned 0\n") != std::string::npos)
    return "the image's memory pages are cut short, CRIU would read them for ever";
  if (size > kAnyLog) return fmt::format("its log '{}' grew beyond 256 MiB", log);
  return std::nullopt;
}

/// Of the runtime, those that nobody has waited for.
std::vector<ProcessStat> dead_children(pid_t runtime) {
  std::vector<ProcessStat> dead;
  for (const pid_t pid : children(runtime))
    if (auto stat = process_stat(pid); stat && stat->state == 'Z') dead.push_back(std::move(*stat));
  return dead;
}

/// CRIU makes the container's first process a child of the runtime beside itself.
std::vector<pid_t> criu_of(pid_t runtime) {
  std::vector<pid_t> found = children(runtime);
  std::erase_if(found, [](pid_t pid) { return !alive(pid) || is_nested(pid); });
  return found;
}

bool is_criu(const ProcessStat& process) {
  return process.comm == "criu";
}

}  // namespace

std::optional<std::string> RestoreWatch::look() {
  if (auto why = runaway(criu_log_)) return why;
  const std::vector<ProcessStat> dead = dead_children(runtime_);
  if (dead.empty() || criu_of(runtime_).empty()) {
    dead_since_.reset();
    return std::nullopt;
  }
  const auto now = std::chrono::steady_clock::now();
  if (!dead_since_) dead_since_ = now;
  if (now - *dead_since_ < kDeadFor) return std::nullopt;
  process_died_ = true;
  return std::any_of(dead.begin(), dead.end(), is_criu)
             ? "CRIU was killed, and the runtime waits for its answer"
             : "the container's first process died before CRIU was done, which waits for it";
}

void stop_restore(pid_t runtime) {
  const std::vector<pid_t> tasks = nested_tasks(runtime);
  for (const pid_t task : tasks) ::kill(task, SIGKILL);
  if (tasks.empty() && dead_children(runtime).empty()) {
    ::kill(-runtime, SIGTERM);
    return;
  }
  for (int looks = 0; looks < 100 && !criu_of(runtime).empty(); ++looks) ::poll(nullptr, 0, 10);
  for (const pid_t criu : criu_of(runtime)) ::kill(criu, SIGKILL);
}

}  // namespace ckpt
