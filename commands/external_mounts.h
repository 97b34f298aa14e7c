// Mounts of a CRIU image that are given again at the restore: by the runtime, else by us.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "commands/compatibility.h"
#include "commands/remap.h"
#include "images/criu_descriptors.h"

namespace ckpt {

struct ExternalMount {
  std::string mountpoint;
  std::string key;     ///< CRIU's name for it
  std::string source;  ///< empty: not known
  bool operator==(const ExternalMount&) const = default;
};

/// Those that a runtime does not name to CRIU: it does bind mounts of `spec`, cgroups and masked files.
/// `root` is the runtime's: crun covers masked directories with an empty one there, but looks for the key
/// that it has with its default root (crun 1.28: "No mapping").
std::vector<ExternalMount> left_to_criu(const std::vector<ImageMount>& mounts, const nlohmann::json& spec,
                                        const std::string& root, const std::vector<MountMap>& maps);
/// Lines for CRIU's configuration file. Throws Error(image_invalid) for a name that would not stay in its
/// line.
std::vector<std::string> external_lines(const std::vector<ExternalMount>& mounts);
std::vector<CheckedItem> check_external(const std::vector<ExternalMount>& mounts);

}  // namespace ckpt
