// NVIDIA's wrapper around a runtime: it changes what is created and has no restore; the runtime behind it
// has.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "runtimes/probe.h"

namespace ckpt {

inline constexpr const char* kNvidiaWrapper = "nvidia-container-runtime";

/// By its name, or that of its path: nvidia-container-runtime, also with .cdi or .legacy behind it.
bool is_wrapper(std::string_view program);
/// The `runtimes` of its configuration, nvidia-container-runtime/config.toml in XDG_CONFIG_HOME, else /etc;
/// runc and crun, as it has it, where that says nothing. Throws Error(invalid_config).
std::vector<std::string> wrapped_runtimes();
/// The first of them that is installed; the wrapper itself when its help has `restore`; nullopt for neither.
std::optional<std::string> runtime_behind(Prober& prober, const std::string& wrapper);
/// Whose options the program takes, by its name: docker-runc is a runc.
RuntimeKind kind_by_name(const std::string& program);

}  // namespace ckpt
