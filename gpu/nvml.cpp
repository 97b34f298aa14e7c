// NVML by dlopen: the functions we call, declared as NVIDIA documents them (NVML API reference).
#include "gpu/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

#include "runtimes/error.h"

namespace ckpt {
namespace {

using Device = void*;
using Status = int;
constexpr Status kSuccess = 0, kInsufficientSize = 7;
constexpr unsigned long long kNotAvailable = ~0ULL;

struct Memory {
  unsigned long long total, free, used;
};
/// nvmlProcessInfo_t of versions 2 and 3, which are the same.
struct ProcessInfo {
  unsigned int pid;
  unsigned long long used;
  unsigned int gpu_instance, compute_instance;
};

using Init = Status (*)();
using Text = Status (*)(char*, unsigned);
using Count = Status (*)(unsigned*);
using ByIndex = Status (*)(unsigned, Device*);
using DeviceText = Status (*)(Device, char*, unsigned);
using DeviceNumber = Status (*)(Device, unsigned*);
using DeviceNumbers = Status (*)(Device, unsigned*, unsigned*);
using DeviceMemory = Status (*)(Device, Memory*);
using DeviceProcesses = Status (*)(Device, unsigned*, ProcessInfo*);
using ErrorText = const char* (*)(Status);

struct Unload {
  void operator()(void* handle) const { ::dlclose(handle); }
};

/// Text of a call that fills a buffer; empty when it fails.
template <class F>
std::string filled(F&& call) {
  std::array<char, 256> buffer{};
  return call(buffer.data(), static_cast<unsigned>(buffer.size() - 1)) == kSuccess ? buffer.data() : "";
}

}  // namespace

struct Nvml::Library {
  std::unique_ptr<void, Unload> handle;
  Init init, shutdown;
  Text driver_version;
  Count count;
  ByIndex by_index;
  DeviceText name, uuid;
  DeviceNumber minor;
  DeviceMemory memory;
  DeviceNumbers mig;
  DeviceProcesses processes;
  ErrorText error_text;

  template <class F>
  void find(F& into, std::initializer_list<const char*> names) const {
    into = nullptr;
    for (const char* symbol : names)
      if (into == nullptr) into = reinterpret_cast<F>(::dlsym(handle.get(), symbol));
  }
  void find_all();
  Error failure(const std::string& what, Status status) const;
  Gpu gpu(unsigned index) const;
  std::vector<ProcessInfo> processes_of(Device device, unsigned index) const;
};

void Nvml::Library::find_all() {
  find(init, {"nvmlInit_v2"});
  find(shutdown, {"nvmlShutdown"});
  find(driver_version, {"nvmlSystemGetDriverVersion"});
  find(count, {"nvmlDeviceGetCount_v2"});
  find(by_index, {"nvmlDeviceGetHandleByIndex_v2"});
  find(name, {"nvmlDeviceGetName"});
  find(uuid, {"nvmlDeviceGetUUID"});
  find(minor, {"nvmlDeviceGetMinorNumber"});
  find(memory, {"nvmlDeviceGetMemoryInfo"});
  find(mig, {"nvmlDeviceGetMigMode"});
  find(processes, {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"});
  find(error_text, {"nvmlErrorString"});
}

Error Nvml::Library::failure(const std::string& what, Status status) const {
  const char* words = error_text == nullptr ? nullptr : error_text(status);
  return {ErrorCode::gpu_failed, fmt::format("NVML cannot {}: {}", what,
                                             words != nullptr ? words : fmt::format("status {}", status))};
}

Gpu Nvml::Library::gpu(unsigned index) const {
  Gpu one;
  one.index = static_cast<int>(index);
  Device device = nullptr;
  if (const Status status = by_index(index, &device); status != kSuccess) {
    one.problem = failure(fmt::format("open GPU {}", index), status).message;
    return one;
  }
  if (name != nullptr) one.name = filled([&](char* to, unsigned size) { return name(device, to, size); });
  if (uuid != nullptr) one.uuid = filled([&](char* to, unsigned size) { return uuid(device, to, size); });
  Memory bytes{};
  if (memory != nullptr && memory(device, &bytes) == kSuccess) {
    one.memory_total = bytes.total;
    one.memory_used = bytes.used;
  }
  unsigned current = 0, pending = 0, number = 0;
  if (mig != nullptr && mig(device, &current, &pending) == kSuccess) one.mig = current != 0;
  if (minor != nullptr && minor(device, &number) == kSuccess) one.minor = static_cast<int>(number);
  return one;
}

/// Asks with more room as long as processes come faster than the room grows.
std::vector<ProcessInfo> Nvml::Library::processes_of(Device device, unsigned index) const {
  for (unsigned room = 64; room <= (1U << 16U); room *= 4) {
    std::vector<ProcessInfo> list(room);
    unsigned number = room;
    const Status status = processes(device, &number, list.data());
    if (status == kInsufficientSize) continue;
    if (status != kSuccess) throw failure(fmt::format("list the processes on GPU {}", index), status);
    list.resize(std::min(number, room));
    return list;
  }
  throw failure(fmt::format("list the processes on GPU {}", index), kInsufficientSize);
}

Nvml::Nvml(const std::string& library) : library_(std::make_unique<Library>()) {
  Library& nvml = *library_;
  nvml.handle.reset(::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!nvml.handle) {
    const char* why = ::dlerror();
    throw Error(ErrorCode::unsupported,
                fmt::format("cannot load '{}': {}", library, why != nullptr ? why : "no reason given"))
        .with_hint("it comes with NVIDIA's driver");
  }
  nvml.find_all();
  if (nvml.init == nullptr || nvml.shutdown == nullptr || nvml.driver_version == nullptr ||
      nvml.count == nullptr || nvml.by_index == nullptr)
    throw Error(ErrorCode::unsupported, fmt::format("'{}' is no NVML, or an old one", library))
        .with_hint("it comes with NVIDIA's driver");
  if (const Status status = nvml.init(); status != kSuccess) throw nvml.failure("start", status);
}

Nvml::~Nvml() {
  library_->shutdown();
}

std::string Nvml::driver_version() const {
  std::array<char, 256> buffer{};
  const Status status = library_->driver_version(buffer.data(), static_cast<unsigned>(buffer.size() - 1));
  if (status != kSuccess) throw library_->failure("tell the driver's version", status);
  return buffer.data();
}

std::vector<Gpu> Nvml::gpus() const {
  unsigned number = 0;
  if (const Status status = library_->count(&number); status != kSuccess)
    throw library_->failure("count the GPUs", status);
  std::vector<Gpu> all;
  for (unsigned i = 0; i < number; ++i) all.push_back(library_->gpu(i));
  return all;
}

std::vector<GpuProcess> Nvml::processes() const {
  if (library_->processes == nullptr)
    throw Error(ErrorCode::gpu_failed, "this NVML cannot list the processes on a GPU")
        .with_hint("install a newer driver");
  unsigned number = 0;
  if (const Status status = library_->count(&number); status != kSuccess)
    throw library_->failure("count the GPUs", status);
  std::vector<GpuProcess> all;
  for (unsigned i = 0; i < number; ++i) {
    Device device = nullptr;
    if (const Status status = library_->by_index(i, &device); status != kSuccess)
      throw library_->failure(fmt::format("open GPU {}", i), status);
    for (const ProcessInfo& info : library_->processes_of(device, i))
      all.push_back({.pid = static_cast<pid_t>(info.pid),
                     .gpu = static_cast<int>(i),
                     .bytes = info.used == kNotAvailable ? std::nullopt : std::optional(info.used)});
  }
  return all;
}

}  // namespace ckpt
