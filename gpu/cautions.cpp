// Reading environments and maps of CUDA processes.
#include "gpu/cautions.h"

#include <algorithm>

#include "runtimes/fs.h"
#include "runtimes/procfs.h"

namespace ckpt {
namespace {

bool has(const std::vector<std::string>& environment, std::string_view start) {
  return std::any_of(environment.begin(), environment.end(),
                     [&](const std::string& one) { return one.starts_with(start); });
}

}  // namespace

std::vector<std::string> cuda_cautions(const CudaSurroundings& seen) {
  std::vector<std::string> cautions;
  const bool mig_device =
      std::any_of(seen.devices.begin(), seen.devices.end(),
                  [](const std::string& device) { return device.starts_with("/dev/nvidia-caps/"); });
  if (mig_device || has(seen.environment, "NVIDIA_VISIBLE_DEVICES=MIG-") ||
      has(seen.environment, "CUDA_VISIBLE_DEVICES=MIG-"))
    cautions.emplace_back("it uses a MIG slice, which cuda-checkpoint cannot save; use a whole GPU");
  if (has(seen.environment, "CUDA_MPS_PIPE_DIRECTORY="))
    cautions.emplace_back(
        "it is a client of MPS, which cuda-checkpoint cannot save; start it without "
        "CUDA_MPS_PIPE_DIRECTORY");
  const bool ipc = seen.nccl && seen.processes > 1 && !has(seen.environment, "NCCL_P2P_DISABLE=1");
  if (ipc && std::atoi(seen.driver.c_str()) < 610)
    cautions.emplace_back(
        "its processes share GPU memory through NCCL, which drivers before 610 cannot save; start it "
        "with NCCL_P2P_DISABLE=1, NCCL_SHM_DISABLE=1 and NCCL_NVLS_ENABLE=0");
  else if (ipc)
    cautions.emplace_back(
        "its processes share GPU memory through NCCL; that is saved only of processes started by "
        "'cuda-checkpoint --launch-job'");
  return cautions;
}

CudaSurroundings look_around(const std::vector<GpuHolder>& processes, bool on_host,
                             const std::vector<std::string>& spec_environment, const std::string& driver) {
  CudaSurroundings seen;
  seen.environment = spec_environment;
  seen.processes = processes.size();
  seen.driver = driver;
  for (const GpuHolder& process : processes) {
    seen.devices.insert(seen.devices.end(), process.devices.begin(), process.devices.end());
    if (!on_host) continue;
    const std::vector<std::string> own = zero_terminated(process.pid, "environ");
    seen.environment.insert(seen.environment.end(), own.begin(), own.end());
    const auto maps = read_file(fmt::format("/proc/{}/maps", process.pid));
    seen.nccl = seen.nccl || (maps && maps->find("/libnccl") != std::string::npos);
  }
  return seen;
}

}  // namespace ckpt
