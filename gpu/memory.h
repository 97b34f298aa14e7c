// Room for GPU state: how much of it there is, and whether this host can hold it while it is frozen, or take
// it back.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gpu/nvml.h"

namespace ckpt {

/// The GPUs here and their driver, by NVML; without it none and an empty version.
struct PresentGpus {
  std::string driver;
  std::vector<Gpu> gpus;
};
PresentGpus present_gpus();

/// GPU memory of these processes (host pids; of a sandbox its own). nullopt when NVML cannot tell.
std::optional<std::uint64_t> gpu_bytes_of(const std::vector<pid_t>& pids);

/// Bytes that the host can still give to the process: MemAvailable, and what its cgroup's limit leaves.
std::uint64_t available_memory(pid_t pid);
/// cuda-checkpoint copies GPU memory into the process' own. Throws Error(conflict) when that does not fit.
void require_host_memory(std::uint64_t bytes, pid_t pid, const std::string& id);

/// The GPUs of a checkpoint.
struct SavedGpus {
  std::string driver;
  std::vector<std::pair<std::string, std::string>> gpus;  ///< UUID and model, in the driver's order
  std::uint64_t bytes = 0;
};
/// Why `present` cannot take `saved` back: count, model, older driver, too little free memory. Empty: it can,
/// or nothing is known of the checkpoint's GPUs. The models are left to device_map_of() when `mapped`. Pure.
std::vector<std::string> gpu_obstacles(const SavedGpus& saved, const PresentGpus& present,
                                       bool mapped = false);

/// `--device-map` of cuda-checkpoint from OLD=NEW pairs, each side an index or a UUID: the whole permutation,
/// as it requires; a GPU without a pair stays itself. Throws Error(usage) for what is no pair, no GPU or no
/// permutation, Error(host_incompatible) when a GPU without a pair is not here or one goes to another model.
/// Pure.
std::string device_map_of(const SavedGpus& saved, const PresentGpus& present,
                          const std::vector<std::string>& pairs);

}  // namespace ckpt
