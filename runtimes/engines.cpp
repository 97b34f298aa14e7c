// The places and files of each engine.
#include "runtimes/engines.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

using nlohmann::json;

json read_json(const fs::path& file) {
  return parse_json(read_file(file).value_or(""));
}

std::string annotation(const json& spec, const char* key) {
  return text_at(spec, {"annotations", key});
}

/// What stands behind the first of `leads` that is a part of `path`: NAMESPACE and ID of containerd's task.
std::vector<std::string> parts_behind(const fs::path& path, std::initializer_list<const char*> leads) {
  for (auto part = path.begin(); part != path.end(); ++part)
    for (const char* lead : leads)
      if (*part == lead) {
        std::vector<std::string> behind;
        while (++part != path.end()) behind.push_back(part->string());
        return behind;
      }
  return {};
}

// ---- docker

/// DOCKER/containers/ID, where the files lie that docker mounts into the container.
fs::path docker_home(const json& spec, const std::string& id) {
  for (const json& mount : spec.is_object() ? spec.value("mounts", json::array()) : json::array()) {
    const fs::path source = text_at(mount, {"source"});
    if (source.parent_path().filename() == id && source.filename() == "hostname") return source.parent_path();
  }
  return fs::path("/var/lib/docker/containers") / id;
}

Engine docker_container(const json& spec, const std::string& id) {
  const fs::path home = docker_home(spec, id);
  const json host = read_json(home / "hostconfig.json");
  Engine engine{.name = "docker"};
  engine.container = text_at(read_json(home / "config.v2.json"), {"Name"});
  if (engine.container.starts_with('/')) engine.container.erase(0, 1);
  engine.restart_policy = text_at(host, {"RestartPolicy", "Name"});
  engine.removed_with_end = host.is_object() && host.value("AutoRemove", json()) == true;
  return engine;
}

// ---- containerd

Engine containerd_container(const json& spec, const std::string& space) {
  Engine engine{.name = "containerd", .space = space};
  if (const std::string pod = annotation(spec, "io.kubernetes.cri.sandbox-name"); !pod.empty()) {
    engine.space = annotation(spec, "io.kubernetes.cri.sandbox-namespace");
    engine.pod = pod;
    engine.container = annotation(spec, "io.kubernetes.cri.container-name");
    if (engine.container.empty()) engine.container = annotation(spec, "io.kubernetes.cri.container-type");
  } else {
    engine.container = annotation(spec, "nerdctl/name");
  }
  return engine;
}

// ---- podman and CRI-O, on the same storage

Engine crio_container(const json& spec) {
  Engine engine{.name = "cri-o",
                .space = annotation(spec, "io.kubernetes.pod.namespace"),
                .pod = annotation(spec, "io.kubernetes.pod.name"),
                .container = annotation(spec, "io.kubernetes.container.name")};
  if (engine.container.empty()) engine.container = annotation(spec, "io.kubernetes.cri-o.ContainerType");
  return engine;
}

/// The storage's list of containers, two directories above the bundle.
std::string name_in_storage(const fs::path& containers, const std::string& id) {
  for (const char* list : {"containers.json", "volatile-containers.json"}) {
    const json known = read_json(containers / list);
    if (!known.is_array()) continue;
    for (const json& one : known)
      if (text_at(one, {"id"}) == id && one.value("names", json()).is_array())
        for (const json& name : one["names"])
          if (name.is_string()) return name.get<std::string>();
  }
  return "";
}

Engine podman_container(const json& spec, const fs::path& bundle, const std::string& id) {
  Engine engine{.name = "podman", .container = name_in_storage(bundle.parent_path().parent_path(), id)};
  engine.removed_with_end = annotation(spec, "io.podman.annotations.autoremove") == "TRUE";
  return engine;
}

std::string hooks_of(const json& hooks) {
  std::string all;
  for (const auto& [when, list] : hooks.items())
    for (const json& hook : list.is_array() ? list : json::array())
      all += fmt::format("{}'{}' ({})", all.empty() ? "" : ", ", text_at(hook, {"path"}), when);
  return all;
}

/// Whose bundle it is, by its place alone: containerd's task, or a container of containers/storage.
struct Place {
  std::vector<std::string> task;  ///< NAMESPACE, ID
  std::string stored;             ///< ID
};

Place place_of(const fs::path& bundle) {
  Place place{parts_behind(bundle, {"io.containerd.runtime.v2.task", "io.containerd.runtime.v1.linux"}), {}};
  if (place.task.size() != 2) place.task.clear();
  const fs::path home = bundle.parent_path();
  if (bundle.filename() == "userdata" && home.parent_path().filename().string().ends_with("-containers"))
    place.stored = home.filename().string();
  return place;
}

}  // namespace

std::optional<Engine> engine_of(const fs::path& bundle, const json& spec) {
  const Place place = place_of(bundle);
  std::optional<Engine> engine;
  std::string id = place.stored;
  if (!place.task.empty()) {
    id = place.task[1];
    engine = place.task[0] == "moby" ? docker_container(spec, id) : containerd_container(spec, place.task[0]);
    if (const fs::path options = bundle / "options.json"; is_trusted(options))
      engine->runtime_binary = text_at(read_json(options), {"binary_name"});
  } else if (!place.stored.empty()) {
    engine = annotation(spec, "io.container.manager") == "cri-o" ? crio_container(spec)
                                                                 : podman_container(spec, bundle, id);
  }
  if (engine && engine->container.empty()) engine->container = id;
  return engine;
}

bool is_of_engine(const fs::path& bundle) {
  const Place place = place_of(bundle);
  return !place.task.empty() || !place.stored.empty();
}

std::optional<Engine> engine_of(const fs::path& bundle) {
  if (!is_of_engine(bundle)) return std::nullopt;
  return engine_of(bundle, read_json(bundle / "config.json"));
}

/// ROOT/ID_sandbox:SANDBOX.state, as runsc names it.
std::string bundle_of_sandbox(const std::string& root, const std::string& id) {
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(id + "_sandbox:") && name.ends_with(".state"))
      return text_at(read_json(it->path()), {"bundleDir"});
  }
  return "";
}

std::string bundle_in_state(RuntimeKind kind, const std::string& root, const std::string& id) {
  const fs::path home = fs::path(root) / id;
  if (kind == RuntimeKind::crun) return text_at(read_json(home / "status"), {"bundle"});
  if (kind == RuntimeKind::runsc) return bundle_of_sandbox(root, id);
  const json state = read_json(home / "state.json");
  if (!state.is_object() || !state.contains("config") || !state["config"].is_object()) return "";
  constexpr std::string_view kLead = "bundle=";
  for (const json& label : state["config"].value("labels", json::array()))
    if (label.is_string() && label.get<std::string>().starts_with(kLead))
      return label.get<std::string>().substr(kLead.size());
  return "";
}

std::string full_name(const Engine& engine) {
  std::string name;
  for (const std::string& part : {engine.space, engine.pod, engine.container})
    if (!part.empty()) name += (name.empty() ? "" : "/") + part;
  return name;
}

std::string after_its_end(const Engine& engine) {
  if (!engine.pod.empty())
    return "the kubelet will see it exit, and start it anew, from its beginning, if the pod's restartPolicy "
           "says so";
  if (engine.removed_with_end)
    return fmt::format("{} will see it exit, and remove it and its root file system", engine.name);
  if (engine.name == "containerd")
    return "containerd will see it exit, and keep its root file system until the task is removed, which a "
           "'ctr run' or 'nerdctl run' that waits for it does at once";
  if (!engine.restart_policy.empty() && engine.restart_policy != "no")
    return fmt::format(
        "{} will see it exit, and start it anew, from its beginning: its restart policy is '{}'", engine.name,
        engine.restart_policy);
  return fmt::format("{} will see it exit, and unmount its root file system{}", engine.name,
                     engine.name == "podman" ? ", or start it anew if it has a restart policy" : "");
}

std::string how_to_get_root(const Engine& engine, const std::string& id) {
  if (engine.name == "podman" && engine.pod.empty())
    return fmt::format("'podman mount {}' mounts it again, as long as podman has the container", id);
  if (engine.name == "docker")
    return fmt::format(
        "'docker export {}' writes it as an archive, as long as docker has the container; "
        "unpack that into a bundle and name it with --bundle",
        id);
  return "copy it into a bundle while the container is there, and name that with --bundle";
}

std::vector<std::string> leave_engine(json& spec) {
  std::vector<std::string> left;
  if (spec.contains("hooks")) {
    const std::string hooks = spec["hooks"].is_object() ? hooks_of(spec["hooks"]) : "";
    if (!hooks.empty()) left.push_back("its hooks are not run: " + hooks);
    spec.erase("hooks");
  }
  if (spec.contains("linux") && spec["linux"].is_object()) {
    const std::string cgroup = text_at(spec, {"linux", "cgroupsPath"});
    if (!cgroup.empty()) left.push_back(fmt::format("it is in a cgroup of its own, not in '{}'", cgroup));
    spec["linux"].erase("cgroupsPath");
  }
  return left;
}

}  // namespace ckpt
