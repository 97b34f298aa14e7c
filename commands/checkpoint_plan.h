// The look before a checkpoint: what the container is like, what would fail or could not be restored, how it
// will be dumped.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "commands/context.h"
#include "commands/gpu.h"
#include "runtimes/preflight.h"
#include "runtimes/spelling.h"

namespace ckpt {

/// One container's way to its checkpoint, known before anything is changed.
struct CheckpointPlan {
  Found found;
  ContainerState state;
  CheckpointOpts opts;
  bool stop = false;           ///< the user wants it gone afterwards
  bool publish_first = false;  ///< pause, dump leaving it, publish, then delete
  bool pause = false;          ///< ckpt pauses it (it was running)
  std::string layer;           ///< its writable layer, saved in the same pause; empty: none
  std::string criu_version;    ///< empty: the runtime does not use CRIU
  std::string config;          ///< the config.json that it runs with, byte for byte; empty: cannot be read
  Delivery delivery;           ///< set when the paths of the image are known
  Findings findings;
  GpuPlan gpu;
  const Driver& driver() const { return found.driver; }
  const std::string& id() const { return state.id; }
};

/// Throws Error(conflict) or Error(unsupported) for a container that cannot be checkpointed as asked; asks
/// for what its state needs (file locks, ghost limit).
CheckpointPlan plan_checkpoint(const Context& context, const CheckpointOpts& opts, const CudaOptions& cuda,
                               Found found, const std::string& id);

/// The dump itself; its small files are in `scratch`.
Command dump_command(const Context& context, const CheckpointPlan& plan,
                     const std::filesystem::path& scratch);
/// Every command of the checkpoint in order, for --dry-run.
std::vector<Argv> planned_commands(const Context& context, const CheckpointPlan& plan);

}  // namespace ckpt
