// Symbolic links in the paths of config.json, which CRIU does not follow.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "runtimes/runtime.h"

namespace ckpt {

/// Bind sources without them: CRIU mounts the link itself, and cannot go on with that.
void follow_sources(nlohmann::json& spec);
/// Destinations of mounts without those of the root file system, for crun: it names a mount to CRIU by its
/// destination, which must be the one that the mount has got. `spec` is prepared.
void follow_destinations(nlohmann::json& spec, RuntimeKind kind);

}  // namespace ckpt
