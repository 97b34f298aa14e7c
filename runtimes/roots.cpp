// Well-known roots and the on-disk forms of each runtime's state.
#include "runtimes/roots.h"

#include <glob.h>
#include <sys/stat.h>

#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

// Sources: runc and crun --help; moby daemon/runtime_unix.go; containerd's runc shim (RuncRoot) and gVisor's
// shim; k3s' containerd state; CRI-O runtime_root; podman's crun under XDG_RUNTIME_DIR.
constexpr const char* kPatterns[] = {
    "/run/runc",
    "/run/crun",
    "/run/gvisor",
    "/run/runsc",
    "/run/docker/runtime-*/*",
    "/run/containerd/runc/*",
    "/run/containerd/runsc/*",
    "/run/k3s/containerd/runc/*",
    "/run/crio/runc",
    "/run/crio/crun",
    "/run/user/*/runc",
    "/run/user/*/crun",
    "/var/run/runsc",
};

std::vector<std::string> expand(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t found = {};
  if (::glob(pattern.c_str(), GLOB_ONLYDIR, nullptr, &found) == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  return paths;
}

/// Whose state the directory entry is, if anyone's.
std::optional<RuntimeKind> kind_of_entry(const fs::path& entry) {
  const std::string name = entry.filename().string();
  if (name.ends_with(".state") && name.find("_sandbox:") != std::string::npos) return RuntimeKind::runsc;
  std::error_code error;
  if (fs::exists(entry / "state.json", error)) return RuntimeKind::runc;
  if (fs::exists(entry / "status", error)) return RuntimeKind::crun;
  return std::nullopt;
}

std::vector<std::string> well_known(const std::string& prefix) {
  std::vector<std::string> paths;
  for (const char* pattern : kPatterns)
    for (std::string& path : expand(prefix + pattern)) paths.push_back(std::move(path));
  return paths;
}

Root look_into(const std::string& path) {
  Root root{.path = path, .kinds = {}};
  std::error_code error;
  fs::directory_iterator entries(path, error);
  if (error) {
    root.error = errno_text(error.value());
    return root;
  }
  for (const fs::directory_iterator end; !error && entries != end; entries.increment(error))
    if (const auto kind = kind_of_entry(entries->path())) root.kinds.insert(*kind);
  return root;
}

}  // namespace

std::vector<Root> known_roots(const std::vector<std::string>& extra, const std::string& prefix) {
  std::vector<std::string> paths = extra;
  for (std::string& path : well_known(prefix))
    if (is_trusted(path)) paths.push_back(std::move(path));
  std::vector<Root> roots;
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const std::string& path : paths) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
        seen.emplace(status.st_dev, status.st_ino).second)
      roots.push_back(look_into(path));
  }
  return roots;
}

std::vector<std::string> foreign_roots(const std::string& prefix) {
  std::vector<std::string> paths = well_known(prefix);
  std::erase_if(paths, [](const std::string& path) {
    std::error_code error;
    return is_trusted(path) || (fs::is_empty(path, error) && !error);
  });
  return paths;
}

std::set<RuntimeKind> holders(const std::string& root, const std::string& id) {
  std::set<RuntimeKind> kinds;
  const fs::path own = fs::path(root) / id;
  std::error_code error;
  if (fs::exists(own / "state.json", error)) kinds.insert(RuntimeKind::runc);
  if (fs::exists(own / "status", error)) kinds.insert(RuntimeKind::crun);
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(id + "_sandbox:") && name.ends_with(".state")) kinds.insert(RuntimeKind::runsc);
  }
  return kinds;
}

std::set<std::string> ids_in(const std::string& root) {
  std::set<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const auto kind = kind_of_entry(it->path());
    const std::string name = it->path().filename().string();
    const std::string id = kind == RuntimeKind::runsc ? name.substr(0, name.find("_sandbox:")) : name;
    if (kind && valid_id(id)) ids.insert(id);
  }
  return ids;
}

bool holds(const Target& target, const std::string& id) {
  return holders(target.root, id).contains(target.kind);
}

std::optional<std::string> confusable_sandbox(const std::string& root, const std::string& id) {
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::string other = name.substr(0, name.find("_sandbox:"));
    if (!name.ends_with(".state") || other.size() == name.size() || other == id) continue;
    if (other.starts_with(id) || id.starts_with(other)) return other;
  }
  return std::nullopt;
}

}  // namespace ckpt
