// Members are found in /proc: a kernel that has killed a leader still has its group.
#include "runtimes/process_group.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "runtimes/procfs.h"

namespace ckpt {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr milliseconds kTermAfter{1000}, kKillAfter{3000}, kLimit{5000};

bool is_criu(pid_t pid) {
  return process_stat(pid).value_or(ProcessStat{}).comm == "criu";
}

bool any(pid_t group) {
  return group > 1 && (::kill(-group, 0) == 0 || errno != ESRCH);
}

/// What it has open it keeps.
void allow_no_more_files(pid_t pid) {
  rlimit limit = {};
  if (::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) != 0) return;
  limit.rlim_cur = 0;
  ::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr);
}

void signal_all_but_criu(pid_t group, int signal) {
  for (const pid_t pid : group_members(group))
    if (!is_criu(pid)) ::kill(pid, signal);
}

}  // namespace

std::vector<pid_t> group_members(pid_t group) {
  std::vector<pid_t> members;
  if (!any(group)) return members;
  for (const pid_t pid : all_processes())
    if (::getpgid(pid) == group && alive(pid)) members.push_back(pid);
  return members;
}

void give_up_group(pid_t group) {
  bool criu = false;
  for (const pid_t pid : group_members(group)) {
    if (!is_criu(pid)) continue;
    criu = true;
    allow_no_more_files(pid);
  }
  if (!criu && any(group)) ::kill(-group, SIGTERM);
}

bool end_group(pid_t group) {
  if (group_members(group).empty()) return true;
  const auto begin = Clock::now();
  give_up_group(group);
  for (bool asked = false, killed = false; !group_members(group).empty(); ::poll(nullptr, 0, 10)) {
    const auto passed = Clock::now() - begin;
    if (passed > kLimit) return false;
    if (!asked && passed > kTermAfter) signal_all_but_criu(group, SIGTERM);
    if (!killed && passed > kKillAfter) ::kill(-group, SIGKILL);
    asked = passed > kTermAfter;
    killed = passed > kKillAfter;
  }
  return true;
}

}  // namespace ckpt
