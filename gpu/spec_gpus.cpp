// The rules by which a spec is said to use GPUs, each with the place where it holds.
#include "gpu/spec_gpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "gpu/cdi_file.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Reasons = std::vector<GpuReason>;

constexpr std::string_view kVisible = "NVIDIA_VISIBLE_DEVICES=";
constexpr std::string_view kCdiAnnotation = "cdi.k8s.io/";
constexpr std::array<std::string_view, 4> kHooks{"nvidia-container-runtime-hook", "nvidia-container-toolkit",
                                                 "nvidia-ctk", "nvidia-cdi-hook"};

/// The member of that name; a null value for what is no object or has none.
const json& member(const json& object, const std::string& name) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

/// Empty for what is no text.
std::string_view text(const json& value) {
  const auto* string = value.get_ptr<const json::string_t*>();
  return string == nullptr ? std::string_view() : *string;
}

bool all_digits(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Calls back with each entry of a list and its index; nothing happens for what is no list.
template <class F>
void each(const json& list, F&& action) {
  if (!list.is_array()) return;
  for (std::size_t i = 0; i < list.size(); ++i) action(list[i], i);
}

std::vector<std::string_view> words(std::string_view list) {
  std::vector<std::string_view> found;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    std::string_view word = list.substr(begin, end - begin);
    begin = end + 1;
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    if (!word.empty()) found.push_back(word);
  }
  return found;
}

void devices(const json& spec, Reasons& reasons) {
  each(member(member(spec, "linux"), "devices"), [&](const json& entry, std::size_t i) {
    const bool plain = entry.is_string();
    const std::string_view path = plain ? text(entry) : text(member(entry, "path"));
    const std::string place = fmt::format("linux.devices[{}]{}", i, plain ? "" : ".path");
    if (!plain && is_nvidia_device(path)) reasons.push_back({"device", place, std::string(path)});
    if (is_nvidia_cdi_name(path)) reasons.push_back({"cdi-device", place, std::string(path)});
  });
}

bool is_bind(const json& mount) {
  bool bind = text(member(mount, "type")) == "bind";
  each(member(mount, "options"), [&](const json& option, std::size_t) {
    bind = bind || text(option) == "bind" || text(option) == "rbind";
  });
  return bind;
}

void mounts(const json& spec, Reasons& reasons) {
  each(member(spec, "mounts"), [&](const json& mount, std::size_t i) {
    if (!is_bind(mount)) return;
    for (const char* end : {"source", "destination"}) {
      const std::string_view path = text(member(mount, end));
      if (!is_nvidia_device(path)) continue;
      reasons.push_back({"mount", fmt::format("mounts[{}].{}", i, end), std::string(path)});
      return;
    }
  });
}

/// NVIDIA's toolkit takes these for a list of devices as well: DIR/0, DIR/cdi/VENDOR/CLASS/NAME.
constexpr std::string_view kVolumeLists[] = {"/var/run/nvidia-container-devices/",
                                             "/run/nvidia-container-devices/"};

/// The device that a mount's destination names; empty for none. Of a CDI device its name.
std::string listed_device(std::string_view destination) {
  for (const std::string_view directory : kVolumeLists) {
    if (!destination.starts_with(directory)) continue;
    std::string name(destination.substr(directory.size()));
    if (!name.starts_with("cdi/")) return name;
    const std::size_t at = name.rfind('/');
    return name.substr(4, at - 4) + "=" + name.substr(at + 1);
  }
  return "";
}

void volume_lists(const json& spec, Reasons& reasons) {
  each(member(spec, "mounts"), [&](const json& mount, std::size_t i) {
    const std::string name = listed_device(text(member(mount, "destination")));
    if (name.empty()) return;
    reasons.push_back({is_nvidia_cdi_name(name) ? "cdi-device" : "visible-devices",
                       fmt::format("mounts[{}].destination", i), name});
  });
}

void annotations(const json& spec, Reasons& reasons) {
  const json& all = member(spec, "annotations");
  if (!all.is_object()) return;
  for (const auto& [key, value] : all.items()) {
    if (!key.starts_with(kCdiAnnotation) || key.size() == kCdiAnnotation.size()) continue;
    const std::vector<std::string_view> names = words(text(value));
    if (std::any_of(names.begin(), names.end(), is_nvidia_cdi_name))
      reasons.push_back(
          {"cdi-annotation", fmt::format("annotations[\"{}\"]", key), std::string(text(value))});
  }
}

void environment(const json& spec, Reasons& reasons) {
  std::optional<GpuReason> last;  // of several, runtimes and NVIDIA's hook take the last
  each(member(member(spec, "process"), "env"), [&](const json& entry, std::size_t i) {
    const std::string_view variable = text(entry);
    if (!variable.starts_with(kVisible)) return;
    last.reset();
    const std::string_view value = variable.substr(kVisible.size());
    const std::vector<std::string_view> names = words(value);
    if (names.empty() || names.front() == "none" || names.front() == "void") return;
    const bool cdi = std::any_of(names.begin(), names.end(), is_nvidia_cdi_name);
    last = GpuReason{cdi ? "cdi-device" : "visible-devices", fmt::format("process.env[{}]", i),
                     std::string(value)};
  });
  if (last) reasons.push_back(*last);
}

/// The nodes of a Jetson: its GPU is reached through the SoC's host1x and memory drivers.
bool is_tegra_node(std::string_view path) {
  return path == "/dev/nvmap" || (path.starts_with("/dev/nvhost-") && path.find('/', 5) == path.npos) ||
         (path.starts_with("/dev/nvgpu/") && path.size() > 11);
}

/// The programs themselves and what NVIDIA's GPU operator renames them to (NAME.real).
bool is_nvidia_hook(std::string_view program) {
  std::string_view name = program.substr(program.rfind('/') + 1);
  if (name.ends_with(".real")) name.remove_suffix(5);
  return std::find(kHooks.begin(), kHooks.end(), name) != kHooks.end();
}

void hooks(const json& spec, Reasons& reasons) {
  const json& all = member(spec, "hooks");
  if (!all.is_object()) return;
  for (const auto& [phase, list] : all.items())
    each(list, [&, &phase = phase](const json& hook, std::size_t i) {
      std::string place = fmt::format("hooks.{}[{}].path", phase, i);
      std::string_view found = text(member(hook, "path"));
      if (!is_nvidia_hook(found)) found = {};
      each(member(hook, "args"), [&](const json& arg, std::size_t k) {
        if (!found.empty() || !is_nvidia_hook(text(arg))) return;
        found = text(arg);
        place = fmt::format("hooks.{}[{}].args[{}]", phase, i, k);
      });
      if (!found.empty()) reasons.push_back({"hook", place, std::string(found)});
    });
}

}  // namespace

bool is_nvidia_device(std::string_view path) {
  if (!path.starts_with("/")) return false;
  const std::string whole = std::filesystem::path(path).lexically_normal().string();
  std::string_view name = whole;
  if (is_tegra_node(name)) return true;
  if (!name.starts_with("/dev/nvidia")) return false;
  name.remove_prefix(std::string_view("/dev/nvidia").size());
  if (name.starts_with("-caps/")) return name.size() > 6 && name.find('/', 6) == name.npos;
  if (name.starts_with("-uvm")) return name.find('/') == name.npos;
  return name == "ctl" || name == "-modeset" || all_digits(name);
}

bool is_nvidia_cdi_name(std::string_view name) {
  const std::size_t equals = name.find('=');
  if (equals == name.npos || !is_cdi_kind(name.substr(0, equals)) || !is_cdi_device(name.substr(equals + 1)))
    return false;
  const std::string_view vendor = name.substr(0, name.find('/'));
  return vendor == "nvidia.com" || vendor.ends_with(".nvidia.com");
}

Reasons gpu_reasons(const json& spec) {
  Reasons reasons;
  devices(spec, reasons);
  mounts(spec, reasons);
  annotations(spec, reasons);
  volume_lists(spec, reasons);
  environment(spec, reasons);
  hooks(spec, reasons);
  // Every image of NVIDIA's says so in its environment: without what acts on it, it gives nothing.
  const auto only_asks = [](const GpuReason& reason) { return reason.rule == "visible-devices"; };
  if (std::all_of(reasons.begin(), reasons.end(), only_asks)) reasons.clear();
  return reasons;
}

bool uses_gpu(const json& spec) {
  return !gpu_reasons(spec).empty();
}

std::vector<std::string> named_gpus(const Reasons& reasons) {
  std::vector<std::string> named;
  for (const GpuReason& reason : reasons)
    if (reason.rule != "hook")
      for (const std::string_view word : words(reason.value))
        if (std::find(named.begin(), named.end(), word) == named.end()) named.emplace_back(word);
  return named;
}

}  // namespace ckpt
