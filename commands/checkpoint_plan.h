// The look before a checkpoint: what the container is like, what would fail or could not be restored, how it
// will be dumped.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "commands/context.h"
#include "commands/dump_engine.h"
#include "commands/gpu.h"
#include "commands/obstacles.h"
#include "images/store.h"
#include "runtimes/spelling.h"

namespace ckpt {

/// --pre-copy
struct PreCopyOptions {
  int most = 8;        ///< pre-dumps at most
  bool exact = false;  ///< so many, whether they still shrink or not
};

/// What ckpt decided by itself, for --explain-flags.
struct Choice {
  std::string option;  ///< "--file-locks", "ghost-limit 3145728"
  std::string why;
};

/// One container's way to its checkpoint, known before anything is changed.
struct CheckpointPlan {
  Found found;
  ContainerState state;
  CheckpointOpts opts;
  bool stop = false;           ///< the user wants it gone afterwards
  bool force = false;          ///< what would be refused is warned of
  bool publish_first = false;  ///< pause, dump leaving it, publish, then delete
  bool pause = false;          ///< ckpt pauses it (it was running)
  std::optional<PreCopyOptions> pre_copy;
  std::optional<Engine> engine;  ///< whose container it is; nullopt: ckpt's, or a person's
  std::string layer;             ///< its writable layer, saved in the same pause; empty: none
  std::string criu_version;      ///< empty: the runtime does not use CRIU, or Cedana uses its own
  std::optional<Cedana> cedana;  ///< in the runtime's stead
  std::string config;            ///< the config.json that it runs with, byte for byte; empty: cannot be read
  Delivery delivery;             ///< set when the paths of the image are known
  Findings findings;
  StateFindings standing;  ///< what ckpt itself will have to bring back, and what stands in the way of that
  WatchedFiles watches;
  GpuPlan gpu;
  std::vector<Choice> choices;
  const Driver& driver() const { return found.driver; }
  const std::string& id() const { return state.id; }
};

/// Throws Error(conflict) or Error(unsupported) for a container that cannot be checkpointed as asked; asks
/// for what its state needs (file locks, ghost limit). Throws Error(host_incompatible) for one that is to
/// stop and could not be restored. With `force` both are warned of.
CheckpointPlan plan_checkpoint(const Context& context, const CheckpointOpts& opts, const CudaOptions& cuda,
                               Found found, const std::string& id, bool force = false);

// Its steps, for `checkpoint --check`, which goes on after one that throws.
/// The container and what is found of it. Throws Error(not_found), NotRunningError.
CheckpointPlan begin_plan(const CheckpointOpts& opts, Found found, const std::string& id);
Case case_of(const CheckpointPlan& plan);
std::vector<Check> obstacles_of(const CheckpointPlan& plan);
/// What the closer look finds; nothing for runsc.
std::vector<Check> closer_obstacles_of(const CheckpointPlan& plan, const CloserFindings& found);
void choose_options(CheckpointPlan& plan);
/// CRIU's limit for deleted open files of at most so many bytes, which may grow until it stops their
/// processes; nullopt: CRIU's own is enough.
std::optional<std::uint64_t> ghost_limit_for(std::uint64_t bytes);
void choose_engine(const Context& context, CheckpointPlan& plan);
void choose_gpu(const Context& context, const CudaOptions& cuda, CheckpointPlan& plan);
/// Throws Error(unsupported) without a CRIU that can do it.
void choose_strategy(const Context& context, CheckpointPlan& plan);
/// The vector, when the paths of the image are known. Throws Error(unsupported).
void deliver(CheckpointPlan& plan);

/// Of a dump with these options, for CRIU's sake with what ckpt has chosen for its configuration.
Delivery delivery_of(const CheckpointPlan& plan, const CheckpointOpts& opts);
/// A dump as `delivery` says; its small files are in `scratch`.
Command dump_command(const Context& context, const CheckpointPlan& plan, const Delivery& delivery,
                     const std::filesystem::path& scratch);
/// Every command of the checkpoint in order, for --dry-run.
std::vector<Argv> planned_commands(const Context& context, const CheckpointPlan& plan,
                                   const StagedImage& image);

}  // namespace ckpt
