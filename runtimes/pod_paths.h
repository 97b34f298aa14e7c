// Paths that the kubelet, containerd and CRI-O make for one pod, sandbox or container: told apart from all
// others, and the same one of another pod found.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

enum class PathOwner {
  pod,      ///< the kubelet's PREFIX/pods/UID/...
  sandbox,  ///< containerd's PREFIX/sandboxes/ID/...
  storage,  ///< CRI-O's PREFIX/overlay-containers/ID/..., of a sandbox or of a container
};

struct PodPath {
  PathOwner owner = PathOwner::pod;
  std::string prefix;  ///< to the id, with the slash before it
  std::string id;
  std::string rest;  ///< behind the id: "/etc-hosts"
};
/// nullopt for a path of nobody's.
std::optional<PodPath> pod_path(const std::string& path);

/// What is where on a host.
struct HostFiles {
  std::function<std::string(const std::string&)> kind;                ///< as kind_of_path()
  std::function<std::vector<std::string>(const std::string&)> names;  ///< in a directory
};
HostFiles this_host();

/// A path, or why there is none.
struct Counterpart {
  std::string path;
  std::string by;      ///< whose new id led to it: "pod uid"
  std::string reason;  ///< without a path
};
/// What `source` of the container `then` is for the container `now`: the ids are those of its annotations,
/// else of its mounts' sources. It is there, and of `kind` unless that is empty. nullopt for a path of
/// nobody's.
std::optional<Counterpart> counterpart(const std::string& source, const std::string& kind,
                                       const nlohmann::json& then, const nlohmann::json& now,
                                       const HostFiles& files);

}  // namespace ckpt
