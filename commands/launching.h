// What run and restore share: the bundle of ours, the record, the monitor or the attached companion.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "commands/context.h"
#include "runtimes/supervisor.h"

namespace ckpt {

/// Paths that one launch uses; made by prepare_launch().
struct LaunchFiles {
  std::filesystem::path home;         ///< the record's directory
  std::filesystem::path bundle;       ///< home/bundle
  std::filesystem::path pid_file;     ///< home/pid
  std::filesystem::path runtime_log;  ///< home/runtime.log
  std::string console_socket;         ///< where the runtime sends the terminal: the user's, ours, or empty
  bool own_console = false;
};

/// Where things will be; makes nothing.
LaunchFiles launch_files(const Context& context, const Record& record,
                         const std::optional<std::string>& console_socket);
/// Makes the record's directory with our copy of the configuration.
void write_bundle(const LaunchFiles& files, const nlohmann::json& spec);

/// Detached: brings it up under a monitor of its own and writes the user's pid file. On a failure no
/// container is left. Returns the container's pid.
pid_t launch_detached(const Context& context, const Driver& driver, const Record& record,
                      const Launch& launch, const std::optional<std::string>& pid_file);

/// Attached: brings it up in this process (`lock` is let go when it runs), relays until its end, deletes it
/// as `runc run` does. Returns the container's own status; 137 when a checkpoint stopped it.
int run_to_its_end(const Context& context, const Driver& driver, const Record& record, const Launch& launch,
                   const std::optional<std::string>& pid_file, std::unique_ptr<ContainerLock> lock);

/// For --verbose: what the monitor is about to run, since it cannot say so itself.
void say_steps(const Context& context, const Driver& driver, const Launch& launch);

}  // namespace ckpt
