// By the threads' own masks, and the cpuset of their cgroup; the slack by /proc/TID/timerslack_ns.
#include "runtimes/thread_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <sstream>

#include "runtimes/fs.h"
#include "runtimes/procfs.h"

namespace ckpt {
namespace {

constexpr int kMostCpus = 1 << 13;  // what Linux can be built for
constexpr std::uint64_t kUsualSlack = 50000;

/// A mask of so many processors as Linux can have.
class Mask {
 public:
  explicit Mask(const std::vector<int>& cpus = {}) : bits_(CPU_ALLOC(kMostCpus)) {
    CPU_ZERO_S(size(), bits_);
    for (const int cpu : cpus) CPU_SET_S(static_cast<std::size_t>(cpu), size(), bits_);
  }
  Mask(const Mask&) = delete;
  Mask& operator=(const Mask&) = delete;
  ~Mask() { CPU_FREE(bits_); }
  static std::size_t size() { return CPU_ALLOC_SIZE(kMostCpus); }
  cpu_set_t* get() const { return bits_; }
  std::vector<int> cpus() const {
    std::vector<int> all;
    for (int cpu = 0; cpu < kMostCpus; ++cpu)
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), size(), bits_)) all.push_back(cpu);
    return all;
  }

 private:
  cpu_set_t* bits_;
};

std::vector<int> affinity_of(pid_t tid) {
  const Mask mask;
  return ::sched_getaffinity(tid, Mask::size(), mask.get()) == 0 ? mask.cpus() : std::vector<int>();
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  std::error_code error;
  for (fs::directory_iterator it(fmt::format("/proc/{}/task", pid), error), end; !error && it != end;
       it.increment(error))
    threads.push_back(std::atoi(it->path().filename().c_str()));
  return threads;
}

/// The number that a thread has inside; its thread group's status has the same field of the group.
pid_t inner_tid(pid_t pid, pid_t tid) {
  std::istringstream status(
      read_file(fmt::format("/proc/{}/task/{}/status", pid, tid), 64U << 10U).value_or(""));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("NSpid:")) return std::atoi(line.c_str() + line.find_last_of('\t') + 1);
  return 0;
}

/// Of the cgroup that the process is in, in the file system of either version.
std::string cpuset_of(pid_t pid) {
  std::istringstream cgroups(read_file(fmt::format("/proc/{}/cgroup", pid), 1U << 20U).value_or(""));
  for (std::string line; std::getline(cgroups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers.find(",cpuset,") != std::string::npos)
      return read_file("/sys/fs/cgroup/cpuset" + path + "/cpuset.effective_cpus", 64U << 10U).value_or("");
    if (controllers != ",," || !fs::exists("/sys/fs/cgroup/cgroup.controllers")) continue;
    // The nearest one above that the controller is on in.
    for (fs::path one = "/sys/fs/cgroup" + path; one != "/sys/fs"; one = one.parent_path())
      if (const auto cpus = read_file(one / "cpuset.cpus.effective", 64U << 10U)) return *cpus;
  }
  return "";
}

/// Every processor that a thread of it could run on.
std::vector<int> widest(pid_t pid) {
  std::vector<int> online = cpus_in(read_file("/sys/devices/system/cpu/online", 64U << 10U).value_or(""));
  const std::vector<int> own = cpus_in(cpuset_of(pid));
  if (own.empty()) return online;
  std::vector<int> both;
  std::set_intersection(online.begin(), online.end(), own.begin(), own.end(), std::back_inserter(both));
  return both;
}

std::vector<int> among(const std::vector<int>& wanted, const std::vector<int>& there) {
  std::vector<int> both;
  std::set_intersection(wanted.begin(), wanted.end(), there.begin(), there.end(), std::back_inserter(both));
  return both;
}

/// 0 for realtime threads, which have none.
std::uint64_t slack_of(pid_t tid) {
  const auto text = read_file(fmt::format("/proc/{}/timerslack_ns", tid), 64);
  return text && *text != "0\n" ? std::strtoull(text->c_str(), nullptr, 10) : kUsualSlack;
}

void set_slack(pid_t pid, pid_t tid, std::uint64_t slack, ThreadRepair& repair) {
  const Fd file(::open(fmt::format("/proc/{}/timerslack_ns", tid).c_str(), O_WRONLY | O_CLOEXEC));
  if ((!file || !write_all(file.get(), std::to_string(slack))) && alive(pid))
    repair.failed.push_back(fmt::format("{} has lost the slack of its timers", process_name(pid)));
}

void bind_thread(pid_t pid, pid_t tid, const std::vector<int>& asked, const std::vector<int>& all,
                 ThreadRepair& repair) {
  const std::vector<int> can = among(asked, all);
  if (can != asked)
    repair.impossible.push_back(
        fmt::format("{} cannot have the processors {} here", process_name(pid), cpu_list(asked)));
  if (can.empty() || affinity_of(tid) == can) return;
  const Mask mask(can);
  ::sched_setaffinity(tid, Mask::size(), mask.get());
  if (affinity_of(tid) != can && alive(pid))
    repair.failed.push_back(fmt::format("{} may run on the processors {} instead of {}", process_name(pid),
                                        cpu_list(affinity_of(tid)), cpu_list(can)));
}

}  // namespace

std::vector<int> cpus_in(const std::string& list) {
  std::vector<int> cpus;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    int first = -1, last = -1;
    const char* const end = part.data() + part.size();
    auto read = std::from_chars(part.data(), end, first);
    if (read.ec != std::errc()) return {};
    last = first;
    if (read.ptr != end && *read.ptr == '-' && std::from_chars(read.ptr + 1, end, last).ec != std::errc())
      return {};
    if (first < 0 || last < first || last >= kMostCpus) return {};
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

std::string cpu_list(const std::vector<int>& cpus) {
  std::string list;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    list += fmt::format("{}{}", list.empty() ? "" : ",", cpus[i]);
    if (last > i) list += fmt::format("-{}", cpus[last]);
    i = last + 1;
  }
  return list;
}

std::vector<ThreadFact> unusual_threads(const std::vector<pid_t>& pids) {
  std::vector<ThreadFact> unusual;
  for (const pid_t pid : pids) {
    const std::vector<int> all = widest(pid);
    for (const pid_t tid : threads_of(pid)) {
      const std::vector<int> own = affinity_of(tid);
      ThreadFact thread;
      if (!own.empty() && own != all) thread.cpus = cpu_list(own);
      if (const auto slack = slack_of(tid); slack != kUsualSlack) thread.timer_slack = slack;
      if (thread == ThreadFact{}) continue;
      thread.tid = inner_tid(pid, tid);
      unusual.push_back(std::move(thread));
    }
  }
  return unusual;
}

ThreadRepair put_threads_back(const std::vector<pid_t>& pids, const std::vector<ThreadFact>& before) {
  std::map<int, const ThreadFact*> wanted;
  for (const ThreadFact& one : before) wanted[one.tid] = &one;
  ThreadRepair repair;
  for (const pid_t pid : pids) {
    const std::vector<int> all = widest(pid);
    for (const pid_t tid : threads_of(pid)) {
      const auto found = wanted.empty() ? wanted.end() : wanted.find(inner_tid(pid, tid));
      const ThreadFact thread = found == wanted.end() ? ThreadFact{} : *found->second;
      bind_thread(pid, tid, thread.cpus.empty() ? all : cpus_in(thread.cpus), all, repair);
      if (thread.timer_slack != 0) set_slack(pid, tid, thread.timer_slack, repair);
    }
  }
  return repair;
}

}  // namespace ckpt
