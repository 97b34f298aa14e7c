// Looking for holders of devices inside a sandbox, with what is there.
#include "gpu/holders.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "runtimes/error.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// The number at the beginning; 0 for what is no pid.
pid_t leading_pid(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  return error == std::errc() ? std::max(pid, 0) : 0;
}

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

/// null for what is no object or has none.
json member(const json& object, const char* name) {
  return object.is_object() ? object.value(name, json()) : json();
}

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
    const json number = member(in, "pid");
    const json devices = member(in, "devices");
    const pid_t pid = number.is_number_integer() ? leading_pid(number.dump()) : 0;
    if (pid == 0 || !devices.is_array())
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
    if (line[0] == 'p') pid = leading_pid(std::string_view(line).substr(1));
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
    gathered.add(leading_pid(std::string_view(line).substr(6)), line.substr(space + 1));
  }
  return gathered.holders();
}

InsideCommand inside_of(const Driver& driver, const std::string& id, const json& spec) {
  const json user = member(member(member(spec, "process"), "user"), "uid");
  Argv before = {id};
  if (!user.is_null() && user != 0 && driver.dialect("exec").flags.has("--user"))
    before = {"--user", "0:0", id};
  return [driver, before](const Argv& argv) {
    Argv args = before;
    args.insert(args.end(), argv.begin(), argv.end());
    return driver.command("exec", args);
  };
}

std::string cuda_checkpoint_inside(const json& spec) {
  const json mounts = member(spec, "mounts");
  for (const json& mount : mounts)
    if (member(mount, "destination") == kInsideCudaCheckpoint) return kInsideCudaCheckpoint;
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
