// Which processes of a sandbox have NVIDIA's devices open, asked from inside; the host's /proc cannot tell.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtimes/driver.h"
#include "runtimes/preflight.h"

namespace ckpt {

/// Where `ckpt run` mounts its helpers in a container that has GPUs.
inline constexpr const char* kInsideCudaCheckpoint = "/usr/local/bin/cuda-checkpoint";
inline constexpr const char* kInsideFinder = "/usr/local/bin/ckpt-cuda-finder";

/// Makes the command that runs this argument vector inside a container.
using InsideCommand = std::function<Command(const Argv&)>;
/// As root where the container's own user is not: only root sees every process.
InsideCommand inside_of(const Driver& driver, const std::string& id, const nlohmann::json& spec);
/// The cuda-checkpoint inside: the one that `spec` mounts, else that of its PATH.
std::string cuda_checkpoint_inside(const nlohmann::json& spec);

/// Asks the finder that `ckpt run` mounted, else lsof, else a shell: the first that the container has.
/// Throws Error(unsupported) when it has none of them.
std::vector<GpuHolder> holders_inside(const Driver& driver, const std::string& id,
                                      const InsideCommand& inside);

/// One JSON object per line, as our finder prints. Throws Error(runtime_failed).
std::vector<GpuHolder> parse_finder(const std::string& text);
/// `lsof -F pcn`: p, c and n lines.
std::vector<GpuHolder> parse_lsof(const std::string& text);
/// Lines of `/proc/7/fd/3 /dev/nvidia0`, as the shell script prints them.
std::vector<GpuHolder> parse_fd_links(const std::string& text);

}  // namespace ckpt
