// Where the bind mounts of an image get their content on this host: as the user says, as a new container's
// specification says, or as they were.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "images/manifest.h"
#include "runtimes/pod_paths.h"

namespace ckpt {

/// One --map-mount.
struct MountMap {
  std::string from;  ///< a destination, or the beginning of sources
  std::string to;    ///< absolute
};
/// Throws Error(usage) for what is no OLD=NEW, and for one OLD twice.
std::vector<MountMap> parse_mount_maps(const std::vector<std::string>& pairs);

struct ResolvedMount {
  std::string destination;
  std::string then, now;  ///< sources; `now` is empty when it could not be found
  std::string kind;       ///< of the source then; empty: not known
  std::string how;        ///< "by --map-mount", "by its destination"; empty: as it was
  std::string reason;     ///< without `now`: why; else what is worth knowing
  bool operator==(const ResolvedMount&) const = default;
};

/// Of every bind mount that the container had. `now` is null without a new specification; `facts` know the
/// kinds.
std::vector<ResolvedMount> resolve_mounts(const nlohmann::json& then, const nlohmann::json& now,
                                          const std::vector<MountFact>& facts,
                                          const std::vector<MountMap>& maps, const HostFiles& files);
/// Throws Error(usage) for one that fits none of the mounts, with a list of what there is.
/// `others` are mountpoints that it may name besides.
void require_used(const std::vector<MountMap>& maps, const nlohmann::json& then,
                  const std::vector<std::string>& others = {});
/// Their sources into our copy of the specification.
void apply_mounts(nlohmann::json& spec, const std::vector<ResolvedMount>& mounts);

}  // namespace ckpt
