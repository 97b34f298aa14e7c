// From what the host has to what a checkpoint of a GPU container can do there: the first thing that is
// missing is the reason.
#include <fmt/format.h>

#include <algorithm>

#include "gpu/host.h"

namespace ckpt {
namespace {

/// What stands in the way, and what removes it.
struct Obstacle {
  std::string reason, fix;
};
using Check = std::optional<Obstacle>;

std::string name_of(const RuntimeFacts& runtime) {
  return std::string(table_of(runtime.kind).name);
}

std::string with_version(const std::string& name, const std::string& version) {
  return version.empty() ? name : name + " " + version;
}

Check driver_lacks(const HostFacts& facts, const GpuFeature& feature) {
  const std::string fix = fmt::format("install NVIDIA's driver {} or newer", feature.driver);
  if (facts.driver.empty()) return Obstacle{"no NVIDIA driver is loaded", fix};
  if (!version_at_least(facts.driver, feature.driver, 0))
    return Obstacle{fmt::format("driver {} is older than {}", facts.driver, feature.driver), fix};
  if (facts.gpus.empty())
    return Obstacle{"the driver sees no GPU", "look into the kernel's log ('dmesg | grep NVRM')"};
  return std::nullopt;
}

Check utility_lacks(const HostFacts& facts, const GpuFeature& feature) {
  const std::string get = "put NVIDIA's cuda-checkpoint into PATH, or install ckpt with its own";
  if (!facts.cuda_checkpoint) return Obstacle{"there is no cuda-checkpoint", get};
  const CudaCheckpoint& utility = *facts.cuda_checkpoint;
  if (!utility.problem.empty())
    return Obstacle{utility.problem, "make it work by hand, or take another cuda-checkpoint"};
  if (!utility.advertises.contains(std::string(feature.option)))
    return Obstacle{fmt::format("'{}' has no {}", utility.path, feature.option),
                    fmt::format("install the cuda-checkpoint of driver {} or newer", feature.driver)};
  return std::nullopt;
}

Check nvproxy_lacks(const HostFacts& facts, const RuntimeFacts& runsc) {
  std::string newer = "install a newer runsc";
  if (!runsc.nvproxy_drivers) return Obstacle{runsc.problem, newer};
  const std::vector<std::string>& known = *runsc.nvproxy_drivers;
  if (std::find(known.begin(), known.end(), facts.driver) != known.end()) return std::nullopt;
  newer += ", or a driver of 'runsc nvproxy list-supported-drivers'";
  if (runsc.allows_unsupported_driver) newer += ", or try --runtime-arg=--nvproxy-allow-unsupported-driver";
  const std::string name = with_version("runsc", runsc.version);
  return Obstacle{fmt::format("nvproxy of {} does not know driver {}", name, facts.driver), newer};
}

Check runtime_lacks(const HostFacts& facts, const RuntimeFacts& runtime) {
  const std::string name = name_of(runtime);
  if (runtime.path.empty())
    return Obstacle{name + " is not installed", "install it, or name it with --runtime-path"};
  if (runtime.kind == RuntimeKind::runsc) return nvproxy_lacks(facts, runtime);
  if (facts.criu.path.empty())
    return Obstacle{fmt::format("{} needs criu, which is not installed", name), "install criu"};
  return std::nullopt;
}

/// Who freezes the GPU's state. CRIU's plugin needs --action and, as B3 has it, driver 570.
std::string way(const HostFacts& facts, const RuntimeFacts& runtime) {
  if (runtime.kind == RuntimeKind::runsc)
    return runtime.cuda_checkpoint_path ? "by runsc (--cuda-checkpoint-path) or by ckpt"
                                        : "by ckpt, with 'runsc exec'";
  if (!facts.criu.plugin_there) return fmt::format("by ckpt; CRIU has no '{}'", facts.criu.plugin);
  if (!version_at_least(facts.driver, 570, 0)) return "by ckpt; CRIU's CUDA plugin needs driver 570";
  return "by CRIU's CUDA plugin or by ckpt";
}

Capability judge(const HostFacts& facts, const RuntimeFacts& runtime, const GpuFeature& feature) {
  Capability row{.runtime = name_of(runtime), .feature = std::string(feature.name), .reason = {}, .fix = {}};
  Check missing = driver_lacks(facts, feature);
  if (!missing) missing = runtime_lacks(facts, runtime);
  if (!missing) missing = utility_lacks(facts, feature);
  row.ok = !missing;
  row.reason = missing ? missing->reason : fmt::format("driver {}, {}", facts.driver, way(facts, runtime));
  if (missing) row.fix = missing->fix;
  return row;
}

}  // namespace

const std::vector<GpuFeature>& gpu_features() {
  static const std::vector<GpuFeature> features = {
      {"toggle", 550, "--toggle", "freeze and thaw one process"},
      {"actions", 555, "--action", "lock, checkpoint, restore and unlock apart; the state of a process"},
      {"nvml", 570, "--timeout", "programs that use NVML, a time limit for the lock, process trees"},
      {"device-map", 580, "--device-map", "restore onto other GPUs of the same model"},
      {"ipc", 610, "--launch-job", "CUDA IPC between processes"},
  };
  return features;
}

std::vector<Capability> capability_table(const HostFacts& facts) {
  std::vector<Capability> rows;
  for (const RuntimeFacts& runtime : facts.runtimes)
    for (const GpuFeature& feature : gpu_features()) rows.push_back(judge(facts, runtime, feature));
  return rows;
}

}  // namespace ckpt
