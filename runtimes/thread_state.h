// What CRIU does not save of a thread: the processors that it may run on (sched_setaffinity(2)), and the
// slack of its timers (PR_SET_TIMERSLACK).
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "runtimes/state_facts.h"

namespace ckpt {

/// The numbers in a list such as "0-2,8", sorted; empty when it is none.
std::vector<int> cpus_in(const std::string& list);
std::string cpu_list(const std::vector<int>& cpus);

/// Those threads of `pids` that may not run on every processor of their cgroup that is online, or whose
/// timers have another slack than 50 us.
std::vector<ThreadFact> unusual_threads(const std::vector<pid_t>& pids);

struct ThreadRepair {
  std::vector<std::string> impossible;  ///< processors that are not here, or not the cgroup's
  std::vector<std::string> failed;      ///< what should have been possible
};
/// Gives the threads of `pids` what `before` says, and those that it does not name the usual.
ThreadRepair put_threads_back(const std::vector<pid_t>& pids, const std::vector<ThreadFact>& before);

}  // namespace ckpt
