// The layouts: Kubernetes' pkg/kubelet/config (pods/UID/volumes, containers/NAME/HASH, etc-hosts),
// containerd's internal/cri (sandboxes/ID/hostname, hosts, resolv.conf, shm), containers/storage
// (overlay-containers/ID/userdata).
#include "runtimes/pod_paths.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

struct Layout {
  PathOwner owner;
  std::string_view directory;
  std::size_t shortest, longest;  ///< of an id; a static pod's has no dashes
  std::string_view what;
  std::initializer_list<const char*> annotations;
};
const Layout kLayouts[] = {
    {PathOwner::pod, "/pods/", 32, 36, "pod uid", {"io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"}},
    {PathOwner::sandbox, "/sandboxes/", 64, 64, "sandbox id", {"io.kubernetes.cri.sandbox-id"}},
    {PathOwner::storage, "/overlay-containers/", 64, 64, "sandbox id", {"io.kubernetes.cri-o.SandboxID"}},
};
constexpr const char* kContainerId = "io.kubernetes.cri-o.ContainerID";

const Layout& layout_of(PathOwner owner) {
  return *std::find_if(std::begin(kLayouts), std::end(kLayouts),
                       [&](const Layout& one) { return one.owner == owner; });
}

bool is_id(const Layout& layout, std::string_view id) {
  return id.size() >= layout.shortest && id.size() <= layout.longest &&
         id.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

std::string annotation(const json& spec, const char* name) {
  return text_at(spec, {"annotations", name});
}

void add_new(Strings& list, const std::string& text) {
  if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

std::vector<PodPath> sources_of(const json& spec, PathOwner owner) {
  std::vector<PodPath> paths;
  for (const BindMount& mount : bind_mounts(spec))
    if (const auto path = pod_path(mount.source); path && path->owner == owner) paths.push_back(*path);
  return paths;
}

/// CRI-O keeps files of the sandbox and of the container in directories that look alike.
bool is_containers_own(const PodPath& path, const json& then) {
  return path.owner == PathOwner::storage && annotation(then, kContainerId) == path.id;
}

Strings new_ids(const PodPath& path, const json& then, const json& now) {
  Strings ids;
  if (is_containers_own(path, then)) {
    add_new(ids, annotation(now, kContainerId));
    return ids;
  }
  for (const char* name : layout_of(path.owner).annotations) add_new(ids, annotation(now, name));
  if (!ids.empty()) return ids;
  for (const PodPath& one : sources_of(now, path.owner)) add_new(ids, one.id);
  return ids;
}

Strings new_prefixes(const PodPath& path, const json& now) {
  Strings prefixes;
  for (const PodPath& one : sources_of(now, path.owner)) add_new(prefixes, one.prefix);
  add_new(prefixes, path.prefix);
  return prefixes;
}

/// Names that are drawn anew for each container or pod: termination-log's, and a service account's volume.
std::optional<std::string> stem_of(const PodPath& path) {
  const fs::path rest = path.rest;
  if (path.owner == PathOwner::pod && rest.parent_path().parent_path() == "/containers") return "";
  constexpr std::string_view kAccount = "kube-api-access-";
  if (rest.filename().string().starts_with(kAccount)) return std::string(kAccount);
  return std::nullopt;
}

/// `path` itself, or what else there may be in its directory under such a name.
Strings there(const std::string& path, const std::optional<std::string>& stem, const HostFiles& files) {
  if (!files.kind(path).empty()) return {path};
  Strings found;
  const fs::path directory = fs::path(path).parent_path();
  for (const std::string& name : stem ? files.names(directory.string()) : Strings{})
    if (name.starts_with(*stem)) found.push_back((directory / name).string());
  return found;
}

}  // namespace

std::optional<PodPath> pod_path(const std::string& path) {
  for (const Layout& layout : kLayouts) {
    const std::size_t at = path.find(layout.directory);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + layout.directory.size(),
                      end = std::min(path.find('/', begin), path.size());
    std::string id = path.substr(begin, end - begin);
    if (is_id(layout, id))
      return PodPath{layout.owner, path.substr(0, begin), std::move(id), path.substr(end)};
  }
  return std::nullopt;
}

HostFiles this_host() {
  return {.kind = [](const std::string& path) { return kind_of_path(path); },
          .names =
              [](const std::string& directory) {
                Strings names;
                std::error_code error;
                for (const fs::directory_entry& entry : fs::directory_iterator(directory, error))
                  names.push_back(entry.path().filename().string());
                std::sort(names.begin(), names.end());
                return names;
              }};
}

std::optional<Counterpart> counterpart(const std::string& source, const std::string& kind, const json& then,
                                       const json& now, const HostFiles& files) {
  const auto path = pod_path(source);
  if (!path) return std::nullopt;
  const std::string what(is_containers_own(*path, then) ? "container id" : layout_of(path->owner).what);
  const Strings ids = new_ids(*path, then, now);
  if (ids.empty())
    return Counterpart{"", "", fmt::format("the new specification does not tell its {}", what)};
  Strings looked_for;
  for (const std::string& id : ids)
    for (const std::string& prefix : new_prefixes(*path, now)) {
      const Strings found = there(looked_for.emplace_back(prefix + id + path->rest), stem_of(*path), files);
      if (found.size() > 1)
        return Counterpart{"", "", fmt::format("it may be any of '{}'", fmt::join(found, "', '"))};
      if (found.size() == 1 && (kind.empty() || files.kind(found[0]) == kind))
        return Counterpart{found[0], what, ""};
    }
  return Counterpart{"", "", fmt::format("there is no {} '{}'", kind, fmt::join(looked_for, "', '"))};
}

}  // namespace ckpt
