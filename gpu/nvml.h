// The host's GPUs as NVIDIA's management library tells them, loaded when asked, and as the driver's /proc
// files do, for hosts without that library.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

struct Gpu {
  int index = 0;
  std::string name;
  std::string uuid;                           ///< empty: the driver does not say
  std::optional<std::uint64_t> memory_total;  ///< bytes; nullopt from /proc
  std::optional<std::uint64_t> memory_used;
  std::optional<bool> mig;   ///< nullopt: a model without MIG, or from /proc
  std::optional<int> minor;  ///< of /dev/nvidiaMINOR
  std::string problem;       ///< why the library could not tell, as for a GPU that fell off the bus
  bool operator==(const Gpu&) const = default;
};

/// A process with a CUDA context on one GPU.
struct GpuProcess {
  pid_t pid = 0;  ///< in the host's pid namespace
  int gpu = 0;    ///< index
  std::optional<std::uint64_t> bytes;
  bool operator==(const GpuProcess&) const = default;
};

/// Holds the library initialised. Its calls are not interruptible and have no deadline of their own.
class Nvml {
 public:
  /// Throws Error(unsupported) when it cannot be loaded or is no NVML, Error(gpu_failed) when it does not
  /// initialise (no driver).
  explicit Nvml(const std::string& library = "libnvidia-ml.so.1");
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  /// Throws Error(gpu_failed).
  std::string driver_version() const;
  /// Throws Error(gpu_failed) when not even their number is known.
  std::vector<Gpu> gpus() const;
  /// Of every GPU; a process on two is there twice. Throws Error(gpu_failed): an empty list means none.
  std::vector<GpuProcess> processes() const;

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

/// GPUs in the order of their bus locations, those that the driver excludes left out; `root` stands before
/// /proc.
std::vector<Gpu> proc_gpus(const std::filesystem::path& root = "/");
/// "570.86.15"; nullopt when no driver is loaded or its version cannot be read.
std::optional<std::string> proc_driver_version(const std::filesystem::path& root = "/");

}  // namespace ckpt
