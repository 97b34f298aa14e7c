// cgroup(7), proc(5).
#include "runtimes/stopped.h"

#include <sstream>

#include "runtimes/fs.h"
#include "runtimes/procfs.h"

namespace ckpt {

bool in_freezer_v1(const std::string& cgroup) {
  std::istringstream lines(cgroup);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers.find(",freezer,") != std::string::npos) return true;
  }
  return false;
}

std::vector<pid_t> stopped_in_v1(pid_t init) {
  std::vector<pid_t> stopped;
  if (init <= 0 || !in_freezer_v1(read_file(fmt::format("/proc/{}/cgroup", init), 64U << 10U).value_or("")))
    return stopped;
  for (const pid_t pid : descendants(init))
    if (process_stat(pid).value_or(ProcessStat{}).state == 'T') stopped.push_back(pid);
  return stopped;
}

}  // namespace ckpt
