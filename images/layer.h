// A container's own writable layer: an overlay over its bundle's root file system, saved with a checkpoint
// and laid down again at a restore.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "images/layer/layer_tar.h"
#include "runtimes/runtime.h"

namespace ckpt {

/// Where one is: <store>/layers/RUNTIME-<hash of root>/ID/{upper,work,merged}. Whoever removes the
/// container's record removes it with remove_tree(), which unmounts.
struct Layer {
  std::filesystem::path home;
  std::filesystem::path upper() const { return home / "upper"; }
  std::filesystem::path work() const { return home / "work"; }
  std::filesystem::path merged() const { return home / "merged"; }
};
Layer layer_of(const std::filesystem::path& store, const Target& target, const std::string& id);

/// Empty directories; what a dead container of that id had left is removed.
void make_layer(const Layer& layer);
/// All layers of the store.
std::vector<std::filesystem::path> stored_layers(const std::filesystem::path& store);
/// Whether a process has it as its root file system.
bool layer_in_use(const Layer& layer);
/// Mounts `lower` with the layer over it at merged(). No redirects, no metadata-only copies, no index
/// (overlayfs(5) of the kernel's documentation), so that the upper directory means the same over a copy of
/// the lower one. Throws Error(unsupported) when the store's file system cannot hold an upper directory.
void mount_layer(const Layer& layer, const std::filesystem::path& lower);

inline constexpr const char* kLayerTar = "rootfs-diff.tar";
inline constexpr const char* kDeletedFiles = "deleted.files";

/// Writes both files into the checkpoint's directory; the container must be paused or gone. Names of deleted
/// files are a JSON array, as podman has them. Throws Error(runtime_failed).
void pack_layer(const Layer& layer, const std::filesystem::path& directory);
/// Fills an empty layer. Devices but for whiteouts are refused when nobody vouches for them. Throws
/// Error(image_invalid) for an archive that cannot be read or leads outside, Error(runtime_failed) when the
/// disk is full or broken.
void unpack_layer(const std::filesystem::path& directory, const Layer& layer,
                  Devices devices = Devices::made);
/// The same with what another tool saved, on a layer that is mounted: it knows only the names of what
/// changed.
void lay_over_layer(const std::filesystem::path& directory, const Layer& layer,
                    Devices devices = Devices::made);
/// Sizes of the regular files in a checkpoint's layer, by absolute path in the container.
std::map<std::string, std::uint64_t> layer_files(const std::filesystem::path& directory);

}  // namespace ckpt
