// The GPU's rows of `ckpt doctor`.
#include "gpu/checkup.h"

namespace ckpt {
namespace {

using Status = Check::Status;

Check row(const std::string& name, bool good, const std::string& found, const std::string& fix) {
  return {"gpu", name, good ? Status::ok : Status::warning, found, good ? "" : fix, ""};
}

bool installed(const HostFacts& facts, const std::string& runtime) {
  for (const RuntimeFacts& one : facts.runtimes)
    if (table_of(one.kind).name == runtime) return !one.path.empty();
  return false;
}

Check check_utility(const HostFacts& facts) {
  const auto& found = facts.cuda_checkpoint;
  if (!found) return row("cuda-checkpoint", false, "not installed", "install all of ckpt, or NVIDIA's");
  return row("cuda-checkpoint", found->problem.empty(), found->problem.empty() ? found->path : found->problem,
             "install NVIDIA's driver 570 or newer");
}

}  // namespace

std::vector<Check> check_gpus(const HostFacts& facts) {
  if (facts.driver.empty()) return {row("driver", true, "none: no container uses NVIDIA's GPUs here", "")};
  std::vector<Check> checks = {row("driver", true, facts.driver, ""),
                               row("nvml", facts.nvml, facts.nvml ? "yes" : facts.nvml_problem,
                                   "install the driver's library libnvidia-ml.so.1")};
  for (const Gpu& gpu : facts.gpus)
    checks.push_back(row(fmt::format("gpu {}", gpu.index), gpu.problem.empty(),
                         gpu.problem.empty() ? gpu.name : gpu.problem,
                         "see 'nvidia-smi' and the kernel's log"));
  if (facts.gpus.empty()) checks.push_back(row("gpus", false, "the driver shows none", "see 'nvidia-smi'"));
  checks.push_back(check_utility(facts));
  for (const Capability& one : capability_table(facts))
    if (one.feature == "toggle" && installed(facts, one.runtime))
      checks.push_back(row(one.runtime, one.ok, one.reason, one.fix));
  return checks;
}

}  // namespace ckpt
