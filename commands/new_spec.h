// A restore into the specification of a new container: what is taken of it, and what the image has fixed.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "commands/compatibility.h"

namespace ckpt {

/// `then` with what a restored container can take of `now`: the place of its root file system, cgroup,
/// resources, hooks, annotations, and paths of namespaces that were paths then. Mounts are left as they are.
nlohmann::json merge_specs(const nlohmann::json& then, const nlohmann::json& now, bool uses_criu);

/// Item by item, only what differs: process, devices, mounts that cannot be added, namespaces.
std::vector<CheckedItem> compare_specs(const nlohmann::json& then, const nlohmann::json& now);

}  // namespace ckpt
