// Whether an OCI spec gives its container GPUs, which, and why we think so. Pure, and never throws: a spec
// may hold any JSON at any place, and what is not understood does not count.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct GpuReason {
  std::string rule;   ///< device, mount, cdi-annotation, cdi-device, visible-devices, hook
  std::string place;  ///< "linux.devices[0].path"
  std::string value;  ///< the text that stands there
  bool operator==(const GpuReason&) const = default;
};

/// Every place that counts, in this order: linux.devices, mounts, annotations, lists given as volume mounts,
/// process.env, hooks. NVIDIA_VISIBLE_DEVICES and such lists count only beside another reason.
std::vector<GpuReason> gpu_reasons(const nlohmann::json& spec);
bool uses_gpu(const nlohmann::json& spec);
/// What the reasons name, each once: device paths, CDI names, the words of NVIDIA_VISIBLE_DEVICES. Empty when
/// only a hook tells of GPUs.
std::vector<std::string> named_gpus(const std::vector<GpuReason>& reasons);

/// /dev/nvidia<number>, nvidiactl, nvidia-uvm*, nvidia-modeset and nvidia-caps/<name> in /dev; of a Jetson
/// nvmap, nvhost-* and nvgpu/*.
bool is_nvidia_device(std::string_view path);
/// A CDI name of NVIDIA's: nvidia.com/gpu=0, runtime.nvidia.com/gpu=all, nvidia.com/mig-1g.10gb=0.
bool is_nvidia_cdi_name(std::string_view name);

}  // namespace ckpt
