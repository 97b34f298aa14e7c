// The host's GPU stack, as far as a checkpoint depends on it: driver, cuda-checkpoint, CRIU's plugin, each
// runtime; and what follows from that (the capability table).
#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gpu/nvml.h"
#include "gpu/tools.h"
#include "runtimes/probe.h"
#include "runtimes/runtime.h"
#include "runtimes/spawn.h"

namespace ckpt {

/// The utility that freezes and thaws CUDA processes.
struct CudaCheckpoint {
  std::string path;
  bool ours = false;                 ///< ckpt's own helper, not NVIDIA's
  std::set<std::string> advertises;  ///< those of its options that matter here: "--action"
  std::string problem;               ///< why it does not work; CRIU's plugin takes only status 0 of its -h
};

struct CriuFacts {
  std::string path;     ///< of the criu program; empty: not installed
  std::string version;  ///< empty: not told
  std::string plugin;   ///< where that CRIU looks for cuda_plugin.so
  bool plugin_there = false;
};

struct RuntimeFacts {
  RuntimeKind kind = RuntimeKind::runc;
  std::string path;     ///< empty: not installed
  std::string version;  ///< empty: not told
  /// runsc: the driver versions of its nvproxy; nullopt when it does not list them (`problem` says why).
  std::optional<std::vector<std::string>> nvproxy_drivers = {};
  bool cuda_checkpoint_path = false;       ///< runsc: `checkpoint --cuda-checkpoint-path`
  bool allows_unsupported_driver = false;  ///< runsc: the global --nvproxy-allow-unsupported-driver
  std::string problem = {};
};

struct HostFacts {
  std::vector<Gpu> gpus;
  std::string driver;        ///< empty: none is loaded
  bool nvml = false;         ///< the GPUs are as NVML tells them; else as /proc does
  std::string nvml_problem;  ///< why not
  std::optional<CudaCheckpoint> cuda_checkpoint;
  CriuFacts criu;
  std::vector<RuntimeFacts> runtimes;
};

/// A runtime to look at; an empty path for one that is not installed.
struct InstalledRuntime {
  RuntimeKind kind;
  std::string path;
};

/// Where to look; tests look elsewhere.
struct HostPlaces {
  std::string nvml = "libnvidia-ml.so.1";
  std::filesystem::path root = "/";                 ///< stands before /proc
  std::optional<std::string> cuda_checkpoint = {};  ///< --cuda-checkpoint
  std::optional<std::string> own_cuda_checkpoint = own_helper("cuda-checkpoint");
  /// Of each program; CUDA takes seconds to start. nullopt: none.
  std::optional<std::chrono::milliseconds> limit = std::chrono::seconds(30);
};

/// Asks everything; what cannot be learned is a problem in the facts. Throws only Error(interrupted).
HostFacts look_at_host(Runner& runner, Prober& prober, const std::vector<InstalledRuntime>& runtimes,
                       const HostPlaces& places = {});
/// Its two parts: driver and GPUs, for which no program is asked; and the programs.
void look_at_driver(HostFacts& facts, const HostPlaces& places = {});
void look_at_programs(HostFacts& facts, Runner& runner, Prober& prober,
                      const std::vector<InstalledRuntime>& runtimes, const HostPlaces& places = {});
/// The one that cuda_checkpoint_program() chooses; nullopt for none.
std::optional<CudaCheckpoint> find_cuda_checkpoint(Runner& runner, const HostPlaces& places = {});
/// CRIU_LIBS_DIR, else /usr/lib/criu (CRIU 4.1, criu/plugin.c), and cuda_plugin.so in it.
std::filesystem::path criu_plugin_path();

/// What a generation of the driver brings, on one runtime.
struct Capability {
  std::string runtime;
  std::string feature;  ///< toggle, actions, nvml, device-map, ipc
  bool ok = false;
  std::string reason;
  std::string fix;  ///< empty when ok
  bool operator==(const Capability&) const = default;
};

/// A feature of cuda-checkpoint, the driver that brought it, and the option that shows it.
struct GpuFeature {
  std::string_view name;
  int driver;
  std::string_view option;
  std::string_view meaning;
};
const std::vector<GpuFeature>& gpu_features();
/// Every runtime of the facts with every feature, in order. Pure.
std::vector<Capability> capability_table(const HostFacts& facts);

}  // namespace ckpt
