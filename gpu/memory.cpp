// NVML's and /proc's figures, and what follows from them.
#include "gpu/memory.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/probe.h"

namespace ckpt {
namespace {

std::string gigabytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
}

/// The number behind `key` in a file of "key number" lines.
std::optional<std::uint64_t> number_of(const fs::path& file, const std::string& key) {
  std::istringstream words(read_file(file).value_or(""));
  for (std::string word; words >> word;)
    if (std::uint64_t value = 0; word == key && words >> value) return value;
  return std::nullopt;
}

std::optional<std::uint64_t> number_in(const fs::path& file) {
  std::istringstream words(read_file(file).value_or(""));
  std::uint64_t value = 0;
  return words >> value ? std::optional(value) : std::nullopt;
}

/// What the limits of a cgroup v2 and its ancestors leave (memory.max - memory.current).
std::uint64_t left_by_cgroups(pid_t pid) {
  std::uint64_t left = UINT64_MAX;
  std::istringstream lines(read_file(fmt::format("/proc/{}/cgroup", pid)).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::/")) continue;
    for (fs::path relative = line.substr(4); !relative.empty(); relative = relative.parent_path()) {
      const fs::path cgroup = fs::path("/sys/fs/cgroup") / relative;
      const auto limit = number_in(cgroup / "memory.max"), used = number_in(cgroup / "memory.current");
      if (limit && used) left = std::min(left, *limit - std::min(*limit, *used));
    }
  }
  return left;
}

int major_of(const std::string& version) {
  return std::atoi(version.c_str());
}

/// A GPU by index or UUID among these UUIDs.
std::string uuid_of(const std::vector<std::string>& uuids, const std::string& name, const char* side) {
  const bool number = !name.empty() && name.size() < 4 && name.find_first_not_of("0123456789") == name.npos;
  if (number && std::stoul(name) < uuids.size()) return uuids[std::stoul(name)];
  if (std::find(uuids.begin(), uuids.end(), name) != uuids.end()) return name;
  throw Error(ErrorCode::usage,
              fmt::format("--gpu-map: '{}' is no GPU {}; there are {}", name, side, uuids.size()))
      .with_hint("write an index or a UUID on each side, as 0=1");
}

}  // namespace

PresentGpus present_gpus() {
  try {
    const Nvml nvml;
    return {nvml.driver_version(), nvml.gpus()};
  } catch (const Error&) {
    return {};
  }
}

std::optional<std::uint64_t> gpu_bytes_of(const std::vector<pid_t>& pids) {
  try {
    std::uint64_t bytes = 0;
    bool told = true;
    for (const GpuProcess& process : Nvml().processes())
      if (std::find(pids.begin(), pids.end(), process.pid) != pids.end()) {
        bytes += process.bytes.value_or(0);
        told = told && process.bytes;
      }
    return told || bytes > 0 ? std::optional(bytes) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::uint64_t available_memory(pid_t pid) {
  const std::uint64_t kilobytes = number_of("/proc/meminfo", "MemAvailable:").value_or(UINT64_MAX / 1024);
  return std::min(kilobytes * 1024, left_by_cgroups(pid));
}

void require_host_memory(std::uint64_t bytes, pid_t pid, const std::string& id) {
  const std::uint64_t room = available_memory(pid);
  if (bytes <= room) return;
  throw Error(
      ErrorCode::conflict,
      fmt::format("container '{}' cannot be checkpointed: its {} of GPU memory go to host memory first, "
                  "and {} are free for it",
                  id, gigabytes(bytes), gigabytes(room)))
      .with_hint("free memory, or raise the memory limit of its cgroup");
}

std::vector<std::string> gpu_obstacles(const SavedGpus& saved, const PresentGpus& present, bool mapped) {
  std::vector<std::string> obstacles;
  if (saved.gpus.empty()) return obstacles;
  if (present.gpus.empty()) return {"this host has no GPU, or its driver does not answer"};
  if (major_of(present.driver) < major_of(saved.driver))
    obstacles.push_back(
        fmt::format("the driver is {}, older than the checkpoint's {}", present.driver, saved.driver));
  if (present.gpus.size() != saved.gpus.size())
    obstacles.push_back(
        fmt::format("there are {} GPUs, the checkpoint had {}", present.gpus.size(), saved.gpus.size()));
  for (std::size_t i = 0; i < std::min(present.gpus.size(), saved.gpus.size()); ++i)
    if (!mapped && present.gpus[i].name != saved.gpus[i].second)
      obstacles.push_back(fmt::format("GPU {} is a '{}', the checkpoint's was a '{}'", i,
                                      present.gpus[i].name, saved.gpus[i].second));
  std::uint64_t room = 0;
  bool told = true;
  for (const Gpu& gpu : present.gpus) {
    told = told && gpu.memory_total;
    const std::uint64_t total = gpu.memory_total.value_or(0);
    room += total - std::min(total, gpu.memory_used.value_or(0));
  }
  if (told && room < saved.bytes)
    obstacles.push_back(fmt::format("{} of GPU memory are free, the checkpoint needs {}", gigabytes(room),
                                    gigabytes(saved.bytes)));
  return obstacles;
}

std::string device_map_of(const SavedGpus& saved, const PresentGpus& present,
                          const std::vector<std::string>& pairs) {
  std::vector<std::string> olds, news;
  for (const auto& [uuid, name] : saved.gpus) olds.push_back(uuid);
  for (const Gpu& gpu : present.gpus) news.push_back(gpu.uuid);
  std::map<std::string, std::string> map;
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == pair.npos)
      throw Error(ErrorCode::usage, fmt::format("--gpu-map: '{}' is not OLD=NEW", pair));
    const std::string old = uuid_of(olds, pair.substr(0, equals), "of the checkpoint");
    if (!map.emplace(old, uuid_of(news, pair.substr(equals + 1), "of this host")).second)
      throw Error(ErrorCode::usage, fmt::format("--gpu-map names the checkpoint's GPU '{}' twice", old));
  }
  std::set<std::string> taken;
  std::string text, strange;
  for (const auto& [old, model] : saved.gpus) {
    const std::string to = map.contains(old) ? map[old] : old;
    const auto here = std::find_if(present.gpus.begin(), present.gpus.end(),
                                   [&](const Gpu& gpu) { return gpu.uuid == to; });
    if (here == present.gpus.end())
      throw Error(ErrorCode::host_incompatible,
                  fmt::format("the checkpoint's GPU '{}' is not on this host", old))
          .with_hint("say with --gpu-map which one takes its place");
    if (!taken.insert(to).second)
      throw Error(ErrorCode::usage, fmt::format("--gpu-map puts two GPUs onto '{}'", to))
          .with_hint("every GPU needs one of its own: 0=1 and 1=0");
    if (here->name != model && strange.empty())
      strange = fmt::format("the GPU '{}' is a '{}', the checkpoint's was a '{}'", to, here->name, model);
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", old, to);
  }
  if (!strange.empty()) throw Error(ErrorCode::host_incompatible, strange);
  return text;
}

}  // namespace ckpt
