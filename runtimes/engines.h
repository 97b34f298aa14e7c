// Whose container it is when an engine called its runtime: docker, containerd, podman or CRI-O, also for
// Kubernetes. Read from where the bundle lies, from annotations and from state files; no daemon is asked.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtimes/runtime.h"

namespace ckpt {

struct Engine {
  std::string name = {};            ///< docker, containerd, podman, cri-o
  std::string space = {};           ///< containerd's namespace, or the pod's; empty: none
  std::string pod = {};             ///< empty: it is in none of Kubernetes
  std::string container = {};       ///< the name that people know
  std::string runtime_binary = {};  ///< the program that the engine calls; empty: not known
  std::string restart_policy = {};  ///< docker's; empty: not known
  bool removed_with_end = false;    ///< the engine removes it when it ends (--rm)
  bool operator==(const Engine&) const = default;
};

/// By the place of its bundle alone.
bool is_of_engine(const std::filesystem::path& bundle);
/// nullopt for a bundle that lies where no engine puts them.
std::optional<Engine> engine_of(const std::filesystem::path& bundle);
/// The same, of a configuration that is kept elsewhere by now.
std::optional<Engine> engine_of(const std::filesystem::path& bundle, const nlohmann::json& spec);

/// The bundle as the runtime's state names it; empty: it cannot be read.
std::string bundle_in_state(RuntimeKind kind, const std::string& root, const std::string& id);

/// "web", "default/web", "shop/web-0/nginx".
std::string full_name(const Engine& engine);
/// What the engine does when somebody else ends the container.
std::string after_its_end(const Engine& engine);
/// How to have its root file system again when the engine has unmounted it.
std::string how_to_get_root(const Engine& engine, const std::string& id);

/// Takes out of `spec` what only the engine can serve: its hooks and its place among the engine's cgroups.
/// Returns what was taken out, for people.
std::vector<std::string> leave_engine(nlohmann::json& spec);

}  // namespace ckpt
