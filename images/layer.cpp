// Mounting layers, and the module that packs them.
#include "images/layer.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <vector>

#include "images/bounds.h"
#include "images/layer/layer_tar.h"
#include "images/module.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/json_bounds.h"
#include "runtimes/procfs.h"
#include "runtimes/record.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// In overlayfs' option text a comma ends the option, a colon the directory.
std::string escaped(const fs::path& path) {
  std::string out;
  for (const char c : path.string()) {
    if (c == '\\' || c == ',' || c == ':') out += '\\';
    out += c;
  }
  return out;
}

const LayerModule& module() {
  return *static_cast<const LayerModule*>(module_table("ckpt_layer_module"));
}

Fd open_tar(const fs::path& directory) {
  Fd fd(::open((directory / kLayerTar).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd)
    throw Error(ErrorCode::image_invalid,
                fmt::format("cannot read '{}': {}", (directory / kLayerTar).string(), errno_text(errno)));
  return fd;
}

/// A container that removed files one by one has a long list; of one that nobody vouches for less is taken.
std::vector<std::string> deleted_files(const fs::path& directory, Devices devices) {
  const bool vouched = devices == Devices::made;
  const auto text = read_file(directory / kDeletedFiles, vouched ? 256U << 20U : kLargestDocument);
  const json in =
      parse_json_within(text.value_or("[]"), {.depth = 1, .values = vouched ? 4'000'000U : 200'000U});
  try {
    return in.get<std::vector<std::string>>();
  } catch (const json::exception&) {
    throw Error(ErrorCode::image_invalid,
                fmt::format("'{}' is no list of names", (directory / kDeletedFiles).string()));
  }
}

/// Of the module's words and errno.
void require_laid_down(const std::string& failed, const fs::path& directory) {
  const bool host = of_this_host(errno);
  if (!failed.empty())
    throw Error(
        host ? ErrorCode::runtime_failed : ErrorCode::image_invalid,
        fmt::format("the writable layer in '{}' cannot be laid down: {}", directory.string(), failed));
}

}  // namespace

Layer layer_of(const fs::path& store, const Target& target, const std::string& id) {
  return {absolute_path(store) / "layers" / directory_of_root(target.kind, target.root) / id};
}

std::vector<fs::path> stored_layers(const fs::path& store) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator root(absolute_path(store) / "layers", error), end; !error && root != end;
       root.increment(error)) {
    std::error_code inner;
    for (fs::directory_iterator it(root->path(), inner); !inner && it != end; it.increment(inner))
      found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// proc(5): the mount at / of its namespace, which names the upper directory.
bool layer_in_use(const Layer& layer) {
  const std::string upper = fmt::format("upperdir={},", escaped(layer.upper()));
  for (const pid_t pid : all_processes()) {
    std::istringstream mounts(read_file(fmt::format("/proc/{}/mountinfo", pid)).value_or(""));
    for (std::string line; std::getline(mounts, line);)
      if (line.find(" / / ") != std::string::npos && line.find(upper) != std::string::npos) return true;
  }
  return false;
}

void make_layer(const Layer& layer) {
  if (const auto failed = remove_tree(layer.home)) throw Error(ErrorCode::runtime_failed, *failed);
  for (const fs::path& directory : {layer.upper(), layer.work(), layer.merged()})
    make_private_dirs(directory);
}

namespace {

/// The container's root shows the upper directory's owner and mode.
void look_like(const fs::path& upper, const fs::path& lower) {
  struct stat root = {};
  if (::stat(lower.c_str(), &root) == 0 && ::chown(upper.c_str(), root.st_uid, root.st_gid) == 0 &&
      ::chmod(upper.c_str(), root.st_mode & 07777U) == 0)
    return;
  throw Error(ErrorCode::runtime_failed, fmt::format("cannot give '{}' the owner and mode of '{}': {}",
                                                     upper.string(), lower.string(), errno_text(errno)));
}

}  // namespace

void mount_layer(const Layer& layer, const fs::path& lower) {
  look_like(layer.upper(), lower);
  const std::string options =
      fmt::format("lowerdir={},upperdir={},workdir={},redirect_dir=off,metacopy=off,index=off",
                  escaped(lower), escaped(layer.upper()), escaped(layer.work()));
  if (::mount("overlay", layer.merged().c_str(), "overlay", 0, options.c_str()) == 0 &&
      ::mount(nullptr, layer.merged().c_str(), nullptr, MS_PRIVATE, nullptr) == 0)
    return;
  throw Error(ErrorCode::unsupported, fmt::format("cannot mount an overlay over '{}' at '{}': {}",
                                                  lower.string(), layer.merged().string(), errno_text(errno)))
      .with_hint(
          "the store must be on a file system that overlayfs can write to (ext4, xfs, btrfs, tmpfs); "
          "name another with --store");
}

void pack_layer(const Layer& layer, const fs::path& directory) {
  const Fd tar(::open((directory / kLayerTar).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!tar)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot write '{}': {}", (directory / kLayerTar).string(), errno_text(errno)));
  std::vector<std::string> deleted;
  if (const std::string failed = module().pack(layer.upper().string(), tar.get(), deleted); !failed.empty())
    throw Error(ErrorCode::runtime_failed,
                fmt::format("the writable layer '{}' cannot be saved: {}", layer.upper().string(), failed));
  write_file_atomic(directory / kDeletedFiles, json_text(json(deleted), 0));
}

void unpack_layer(const fs::path& directory, const Layer& layer, Devices devices) {
  const Fd tar = open_tar(directory);
  require_laid_down(
      module().unpack(tar.get(), deleted_files(directory, devices), layer.upper().string(), devices),
      directory);
}

void lay_over_layer(const fs::path& directory, const Layer& layer, Devices devices) {
  const Fd tar = open_tar(directory);
  require_laid_down(
      module().lay_over(tar.get(), deleted_files(directory, devices), layer.merged().string(), devices),
      directory);
}

std::map<std::string, std::uint64_t> layer_files(const fs::path& directory) {
  const Fd tar = open_tar(directory);
  std::vector<std::pair<std::string, long long>> listed;
  if (const std::string failed = module().list(tar.get(), listed); !failed.empty())
    throw Error(ErrorCode::image_invalid,
                fmt::format("'{}' cannot be read: {}", (directory / kLayerTar).string(), failed));
  std::map<std::string, std::uint64_t> files;
  for (const auto& [name, size] : listed) files["/" + name] = static_cast<std::uint64_t>(size);
  return files;
}

}  // namespace ckpt
