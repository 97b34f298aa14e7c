// What run and restore share: their common options, the bundle of ours, the record, the monitor or the
// attached companion.
#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "commands/context.h"
#include "commands/options.h"
#include "runtimes/supervisor.h"

namespace ckpt {

/// The options that run and restore have in common.
struct LaunchOptions {
  std::string id;
  std::optional<bool> detach;
  std::optional<bool> check;  ///< restore only looks
  std::optional<std::string> pid_file, log_path, console_socket;
  bool attached() const { return !detach.value_or(false) && !check.value_or(false); }
};
/// Declares all but the id. `default_log` says where output goes when --log-path does not.
void declare_launch_options(CLI::App& app, LaunchOptions& o, const std::string& default_log);
/// `act`, whose errors end ckpt with kAttachedFailure when it stays with the container.
Action launching_action(std::shared_ptr<const LaunchOptions> o, Action act);
/// What run and restore know alike of a container to be: id, target, times, and the log that the user or the
/// default says.
Record launch_record(const Context& context, const LaunchOptions& o, const Target& target);

/// Throws Error(conflict) for an id that `runsc` could not tell from that of another container in the root:
/// with both of them it could reach one of the two no more.
void refuse_abbreviation(const Driver& driver, const std::string& id);
/// Deletes it by force, whatever it does, and waits until its monitor has written its end.
void remove_by_force(const Context& context, const Driver& driver, const std::string& id);

/// Paths that one launch uses; made by write_bundle().
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

/// Attached: brings it up in this process, calls `once_running` (what that throws takes it down again), lets
/// go of `lock`, relays until its end, deletes it as `runc run` does. Returns the container's own status; 137
/// when a checkpoint stopped it.
int run_to_its_end(const Context& context, const Driver& driver, const Record& record, const Launch& launch,
                   const std::optional<std::string>& pid_file, std::unique_ptr<ContainerLock> lock,
                   const std::function<void()>& once_running = {});

/// For --verbose: what the monitor is about to run, since it cannot say so itself.
void say_steps(const Context& context, const Driver& driver, const Launch& launch);

}  // namespace ckpt
