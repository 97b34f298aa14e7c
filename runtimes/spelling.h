// From options to an argument vector: pure functions over a runtime's table and what its binary advertises.
#pragma once
#include <string>
#include <vector>

#include "runtimes/error.h"
#include "runtimes/help.h"
#include "runtimes/options.h"
#include "runtimes/runtime.h"

namespace ckpt {

/// The binary that the vector is for; version and path only appear in errors.
struct Dialect {
  const RuntimeTable& table;
  std::string path;
  std::string version;
  Advertised flags;  ///< of the verb that is built
};

/// Error(unsupported): this binary has no way to take `what`; `instead` says what would work.
Error cannot_take(const Dialect& dialect, const std::string& what, const std::string& instead);

/// What the runtime is told: arguments behind the verb, and lines for CRIU's configuration file.
struct Delivery {
  Argv args;
  std::vector<std::string> criu_config;
  bool operator==(const Delivery&) const = default;
};

/// Throws Error(unsupported) naming runtime, version and what would work, for an option that cannot be
/// delivered.
Delivery checkpoint_delivery(const Dialect& dialect, const CheckpointOpts& opts, const std::string& id);
Delivery restore_delivery(const Dialect& dialect, const RestoreOpts& opts, const std::string& id);

/// `--root R [--platform P] [--nvproxy=true] [RUNTIME_ARGS...]`: what stands before every verb.
Argv global_args(const Target& target);
Argv create_args(const RunOpts& opts, const std::string& id);
Argv run_args(const RunOpts& opts, const std::string& id);

}  // namespace ckpt
