// The GPU's part of run, checkpoint, restore and gpu-thaw: which processes, which way, freeze, thaw, proof.
#pragma once
#include <CLI/App.hpp>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands/context.h"
#include "gpu/cuda.h"
#include "gpu/memory.h"
#include "gpu/strategy.h"
#include "images/manifest.h"
#include "runtimes/options.h"

namespace ckpt {

/// --cuda of checkpoint and restore, --cuda-timeout of checkpoint.
struct CudaOptions {
  std::string strategy = "auto";
  std::chrono::milliseconds timeout{10'000};  ///< for the work on the GPU to end
};
void declare_cuda(CLI::App& app, CudaOptions& o, const std::string& text);
void declare_cuda_timeout(CLI::App& app, CudaOptions& o);

/// Mounts cuda-checkpoint and the finder read-only into a container that uses GPUs, where `spec` has nothing
/// at their place; a warning when there is no cuda-checkpoint for a sandbox, which needs it inside.
void mount_cuda_tools(const Context& context, const Driver& driver, nlohmann::json& spec);
/// With runsc's --nvproxy=true exactly when `spec` uses GPUs; a user's own --runtime-arg --nvproxy stands.
Driver fitted_to_gpus(const Driver& driver, const nlohmann::json& spec);

/// How one container's GPU state is saved; nothing has been done yet.
struct GpuPlan {
  CudaStrategy strategy = CudaStrategy::none;
  std::vector<GpuHolder> processes;      ///< the CUDA processes
  std::shared_ptr<CudaFreezer> freezer;  ///< empty: no CUDA process
  PresentGpus present;                   ///< the host's GPUs; empty without CUDA processes
  std::uint64_t bytes = 0;               ///< GPU memory that they use; 0 when NVML does not tell
  std::string plugin_directory;          ///< strategy plugin: where cuda-checkpoint is, for CRIU's PATH
};

/// Looks for CUDA processes and chooses the way; asks nothing of a container that has no GPU. `config` is the
/// config.json that it runs with. Throws Error(unsupported) or Error(conflict) for one that cannot be frozen:
/// a live CUDA process makes a runtime fail, or end the container.
GpuPlan plan_gpu(const Context& context, const CudaOptions& o, const Found& found,
                 const ContainerState& state, const Findings& findings, const std::string& config);

/// What the manifest keeps of it.
GpuImage describe_gpu(const GpuPlan& plan);

/// Before a restore: throws Error(host_incompatible) when this host's GPUs cannot take the image; returns
/// cuda-checkpoint's device map for --gpu-map, empty without. Throws Error(unsupported) for a map that the
/// way of the checkpoint cannot apply.
std::string check_gpus(const GpuImage& image, const std::vector<std::string>& gpu_map);

/// How a restored container's GPU state is brought back.
struct GpuRestore {
  const nlohmann::json& spec;  ///< that it was restored with
  const GpuImage& image;
  std::string device_map;
  std::string restore_log;  ///< CRIU's, which alone tells of a plugin that failed (facts 14.5)
};
/// Brings the recorded processes back where ckpt froze them, and proves that each lives, is in state running
/// and has GPU memory again. Throws Error(gpu_failed).
std::vector<CudaStep> thaw_restored(const Context& context, const Driver& driver, const ContainerState& state,
                                    const GpuRestore& restore);

/// The config.json in the bundle that a runtime names; an empty object when it cannot be read.
nlohmann::json spec_of_container(const ContainerState& state);

/// Brings every process of the container that cuda-checkpoint finds frozen back to running, and returns
/// those. Throws Error(gpu_failed), Error(unsupported).
std::vector<GpuHolder> thaw_container(const Context& context, const Driver& driver,
                                      const ContainerState& state, const nlohmann::json& spec,
                                      std::vector<CudaStep>& steps);

/// The commands of thaw_container(), for --dry-run.
std::vector<Argv> planned_thaw(const Context& context, const Driver& driver, const ContainerState& state,
                               const nlohmann::json& spec);

/// CRIU's own limit while its plugin locks and copies.
std::chrono::seconds plugin_timeout(const CudaOptions& o, const GpuPlan& plan);

nlohmann::json steps_json(const std::vector<CudaStep>& steps);
/// With -v: a line for each step.
void say_steps(const Context& context, const std::vector<CudaStep>& steps);

}  // namespace ckpt
