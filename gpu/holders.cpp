// Looking for holders of devices inside a sandbox, with what is there.
#include "gpu/holders.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "runtimes/error.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// Collects (pid, device) pairs; only NVIDIA's devices count.
class Gathered {
 public:
  void name(pid_t pid, const std::string& comm) { comms_[pid] = comm; }
  void add(pid_t pid, const std::string& path) {
    if (pid > 0 && path.starts_with("/dev/nvidia")) devices_[pid].insert(path);
  }
  std::vector<GpuHolder> holders() const {
    std::vector<GpuHolder> found;
    for (const auto& [pid, paths] : devices_) {
      const auto comm = comms_.find(pid);
      found.push_back({pid, pid, comm == comms_.end() ? "?" : comm->second, {paths.begin(), paths.end()}});
    }
    return found;
  }

 private:
  std::map<pid_t, std::string> comms_;
  std::map<pid_t, std::set<std::string>> devices_;
};

struct Way {
  const char* name;
  Argv command;
  std::vector<GpuHolder> (*parse)(const std::string&);
};

/// Only shell builtins and readlink, which busybox has too.
constexpr const char* kScript =
    "for p in /proc/[0-9]*; do for f in $p/fd/*; do l=$(readlink \"$f\") && "
    "case $l in /dev/nvidia*) echo \"$f $l\";; esac; done; done; exit 0";

const std::vector<Way>& ways() {
  static const std::vector<Way> all = {
      {"ckpt's finder", {kInsideFinder}, parse_finder},
      {"lsof", {"lsof", "-w", "-F", "pcn"}, parse_lsof},
      {"a shell", {"sh", "-c", kScript}, parse_fd_links},
  };
  return all;
}

/// The runtime's own failure to start it, in contrast to the program's.
bool not_there(const Result& result) {
  const auto* exited = std::get_if<Exited>(&result.outcome);
  return exited != nullptr && exited->status >= 126;
}

}  // namespace

std::vector<GpuHolder> parse_finder(const std::string& text) {
  Gathered gathered;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const json in = parse_json(line);
    const json pid = in.is_object() ? in.value("pid", json()) : json();
    const json devices = in.is_object() ? in.value("devices", json()) : json();
    if (!pid.is_number_integer() || !devices.is_array())
      throw Error(ErrorCode::runtime_failed,
                  fmt::format("the finder of CUDA processes said '{}'", line.substr(0, 80)));
    if (const json comm = in.value("comm", json()); comm.is_string()) gathered.name(pid, comm);
    for (const json& device : devices)
      if (device.is_string()) gathered.add(pid, device);
  }
  return gathered.holders();
}

std::vector<GpuHolder> parse_lsof(const std::string& text) {
  Gathered gathered;
  std::istringstream lines(text);
  pid_t pid = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    if (line[0] == 'p') pid = std::atoi(line.c_str() + 1);
    if (line[0] == 'c') gathered.name(pid, line.substr(1));
    if (line[0] == 'n') gathered.add(pid, line.substr(1));
  }
  return gathered.holders();
}

std::vector<GpuHolder> parse_fd_links(const std::string& text) {
  Gathered gathered;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find(' ');
    if (!line.starts_with("/proc/") || space == std::string::npos) continue;
    gathered.add(std::atoi(line.c_str() + 6), line.substr(space + 1));
  }
  return gathered.holders();
}

InsideCommand inside_of(const Driver& driver, const std::string& id, const json& spec) {
  const json user = spec.is_object() ? spec.value(json::json_pointer("/process/user/uid"), json(0)) : json(0);
  Argv before = {id};
  if (user != 0 && driver.dialect("exec").flags.has("--user")) before = {"--user", "0:0", id};
  return [&driver, before](const Argv& argv) {
    Argv args = before;
    args.insert(args.end(), argv.begin(), argv.end());
    return driver.command("exec", args);
  };
}

std::string cuda_checkpoint_inside(const json& spec) {
  const json mounts = spec.is_object() ? spec.value("mounts", json::array()) : json::array();
  for (const json& mount : mounts)
    if (mount.is_object() && mount.value("destination", json()) == kInsideCudaCheckpoint)
      return kInsideCudaCheckpoint;
  return "cuda-checkpoint";
}

std::vector<GpuHolder> holders_inside(const Driver& driver, const std::string& id,
                                      const InsideCommand& inside) {
  for (const Way& way : ways()) {
    const Command command = inside(way.command);
    const Result result = driver.runner().run(command);
    if (result.interrupted) throw interrupted_error(*result.interrupted);
    if (result.ok()) return way.parse(result.out);
    if (!not_there(result) && way.name != std::string("lsof"))
      throw driver.failure(fmt::format("looking for CUDA processes in '{}' with {} failed", id, way.name),
                           command, result);
  }
  throw Error(ErrorCode::unsupported,
              fmt::format("cannot tell which processes of '{}' use the GPU: the container has neither ckpt's "
                          "finder nor lsof nor a shell",
                          id))
      .with_runtime(std::string(driver.table().name))
      .with_hint("start it with 'ckpt run', which mounts the finder");
}

}  // namespace ckpt
