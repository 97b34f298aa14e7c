// What stands in the way of a checkpoint, from what is known of its container: facts in, judgements out.
// Pure.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runtimes/checkup.h"
#include "runtimes/closer_look.h"
#include "runtimes/engines.h"
#include "runtimes/options.h"
#include "runtimes/preflight.h"
#include "runtimes/watches.h"

namespace ckpt {

/// A checkpoint as it was asked for, of a container that was looked at.
struct Case {
  const std::string& id;  ///< the area of the judgements
  const RuntimeTable& runtime;
  const Findings& findings;
  const CheckpointOpts& opts;
  bool stop = false;                  ///< the container is not to go on
  bool own_network = false;           ///< its network namespace is made by the runtime
  std::optional<Engine> engine = {};  ///< whose container it is
  WatchedFiles watches = {};
};

/// runc restores into a network namespace that it makes itself with lo down: such an image looks fine and can
/// never be restored with its connections.
bool cannot_keep_connections(const Case& one);
/// Whether both ends of each are among them, "A -> B" and "B -> A".
bool within(const std::vector<std::string>& connections);
/// What a checkpoint heeds: it refuses what fails here, and tells of warnings.
std::vector<Check> obstacles(const Case& one);
/// What CRIU itself would refuse; by the closer look.
std::vector<Check> closer_obstacles(const Case& one, const CloserFindings& found);
/// Whether the store's file system has room for `memory` bytes.
Check room_for(const std::string& id, std::uint64_t memory, std::uint64_t free, const std::string& store);

}  // namespace ckpt
