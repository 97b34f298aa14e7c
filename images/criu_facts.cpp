// From the decoded images to the manifest.
#include "images/criu_facts.h"

#include <algorithm>
#include <optional>

#include "images/criu_decode.h"
#include "images/criu_descriptors.h"

namespace ckpt {
namespace {

/// The root file system, or one that the configuration mounts from outside.
bool from_outside(const ImageMount& mount) {
  return mount.mountpoint == "/" || !mount.external.empty();
}

std::string below(std::string_view path, std::string_view directory) {
  if (directory == "/") return path == "/" ? "" : std::string(path);
  if (!path.starts_with(directory)) return "";
  const std::string_view rest = path.substr(directory.size());
  return rest.empty() || rest[0] == '/' ? std::string(rest) : "";
}

bool holds(const ImageMount& mount, const ImageMount& other) {
  return mount.device == other.device && (mount.root == other.root || !below(other.root, mount.root).empty());
}

/// Where a directory of the host that the container has mounted once more can be reached without that mount.
const ImageMount* original_of(const ImageMount& mount, const std::vector<ImageMount>& mounts) {
  const ImageMount* best = nullptr;
  for (const ImageMount& one : mounts)
    if (from_outside(one) && holds(one, mount) && (best == nullptr || one.root.size() > best->root.size()))
      best = &one;
  return best;
}

/// The file's path without the mounts that the container has made; nullopt: its content is in the image.
std::optional<std::string> path_outside(const ImageOpenFile& file, const std::vector<ImageMount>& mounts) {
  const auto mount = std::find_if(mounts.begin(), mounts.end(),
                                  [&](const ImageMount& one) { return one.id == file.mount_id; });
  if (mount == mounts.end() || from_outside(*mount)) return file.path;
  const ImageMount* original = original_of(*mount, mounts);
  if (original == nullptr) return std::nullopt;
  const std::string top = original->mountpoint == "/" ? "" : original->mountpoint;
  return top + below(mount->root, original->root) + below(file.path, mount->mountpoint);
}

}  // namespace

std::vector<OpenFileFact> image_open_files(const std::filesystem::path& images) {
  std::vector<OpenFileFact> files;
  const std::vector<ImageMount> mounts = image_mounts(images);
  for (const ImageOpenFile& file : image_regular_files(images))
    if (file.size && !file.ghost && !file.external && file.path.starts_with('/'))
      if (auto path = path_outside(file, mounts)) files.push_back({std::move(*path), *file.size});
  return files;
}

void add_criu_facts(const std::filesystem::path& images, Manifest& manifest) {
  for (const ImageProcess& process : image_processes(images))
    manifest.processes.push_back({process.pid, process.comm});
  manifest.open_files = image_open_files(images);
}

}  // namespace ckpt
