// What cuda-checkpoint is known not to manage, found in the processes that are to be frozen: MIG, MPS, and
// memory shared between processes (NCCL over CUDA IPC).
#pragma once
#include <string>
#include <vector>

#include "runtimes/preflight.h"

namespace ckpt {

/// What can be seen of the CUDA processes of one container.
struct CudaSurroundings {
  std::vector<std::string> environment;  ///< "NAME=value" of all of them
  std::vector<std::string> devices;      ///< that they hold
  std::size_t processes = 0;
  bool nccl = false;   ///< NCCL's library is mapped by one of them
  std::string driver;  ///< version; empty: not known
};

/// One sentence each: what will not work, and what helps. Pure. Sources: NVIDIA/cuda-checkpoint issue 42
/// (MIG), its README (IPC memory; driver 610 with --launch-job), nccl's environment variables.
std::vector<std::string> cuda_cautions(const CudaSurroundings& seen);

/// From the host's /proc; of processes in a sandbox only the devices and what `spec_environment` says.
CudaSurroundings look_around(const std::vector<GpuHolder>& processes, bool on_host,
                             const std::vector<std::string>& spec_environment, const std::string& driver);

}  // namespace ckpt
