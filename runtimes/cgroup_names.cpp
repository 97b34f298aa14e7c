// Line by line: NUMBER:CONTROLLERS:PATH.
#include "runtimes/cgroup_names.h"

#include <optional>
#include <sstream>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"

namespace ckpt {
namespace {

struct Line {
  std::string controllers, path;
};

std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first != std::string::npos && second != std::string::npos)
      lines.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return lines;
}

bool has_memory(const Line& line) {
  return ("," + line.controllers + ",").find(",memory,") != std::string::npos;
}

/// The kernel shows one that ends, or has ended and is not waited for, in the root of every hierarchy.
bool is_ending(const std::string& proc, int pid) {
  const auto stat = parse_process_stat(read_file(fmt::format("{}/{}/stat", proc, pid), 4096).value_or(""));
  return !stat || stat->state == 'Z' || stat->state == 'X' || stat->exiting;
}

/// Whether it was there before it began to end, which is asked afterwards.
bool lives_in_root(const std::string& proc, int pid) {
  const auto cgroups = read_file(fmt::format("{}/{}/cgroup", proc, pid), 1U << 20U);
  return cgroups && in_root_cgroup(*cgroups) && !is_ending(proc, pid);
}

}  // namespace

std::vector<std::string> foreign_hierarchies(const std::string& proc_cgroup) {
  std::vector<std::string> names;
  for (const Line& line : lines_of(proc_cgroup)) {
    if (!line.controllers.starts_with("name=")) continue;
    std::string name = line.controllers.substr(5);
    if (name != "systemd" && name != "elogind" && name != "openrc") names.push_back(std::move(name));
  }
  return names;
}

bool in_root_cgroup(const std::string& proc_cgroup) {
  std::optional<bool> memory, unified;
  bool version1 = false;
  for (const Line& line : lines_of(proc_cgroup)) {
    if (has_memory(line)) memory = line.path == "/";
    if (line.controllers.empty()) unified = line.path == "/";
    version1 |= !line.controllers.empty() && !line.controllers.starts_with("name=");
  }
  return memory ? *memory : !version1 && unified.value_or(false);
}

void refuse_root_cgroup(const std::string& root, const std::string& id, const std::string& proc) {
  constexpr std::size_t kSmall = 1U << 20U;
  const nlohmann::json told = parse_json(read_file(fs::path(root) / id / "status", kSmall).value_or(""));
  if (!told.is_object()) return;
  const nlohmann::json path = told.value("cgroup-path", nlohmann::json()),
                       pid = told.value("pid", nlohmann::json());
  if (!path.is_string() || path.get_ref<const std::string&>().empty())
    return;  // crun was told to leave cgroups alone
  const bool known = pid.is_number_integer() && pid > 0;
  if (path != "/" && !(known && lives_in_root(proc, pid.get<int>()))) return;
  throw Error(ErrorCode::conflict,
              fmt::format("container '{}' is in the root cgroup, and crun would end every process there, the "
                          "host's included: it is not called",
                          id))
      .with_runtime("crun")
      .with_hint(
          fmt::format("end its first process, {}, and remove its directory in crun's root", pid.dump()));
}

bool ends_the_host(const std::string& root, const std::string& id) {
  try {
    refuse_root_cgroup(root, id);
  } catch (const Error&) {
    return true;
  }
  return false;
}

}  // namespace ckpt
