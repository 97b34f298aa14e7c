// The archive side of a writable layer, in a module of its own (libckpt-layer.so) so that only the commands
// which need libarchive load it: it brings a dozen libraries and 1.5 ms along.
#pragma once
#include <string>
#include <vector>

namespace ckpt {

/// What becomes of device nodes that a layer holds.
enum class Devices { made, refused };

/// What the module gives and takes; errors are text, with errno when a call failed, else 0; exceptions do not
/// cross.
struct LayerModule {
  /// Writes everything below `upper` to the descriptor `tar` (pax: owners, modes, nanoseconds, xattrs, ACLs,
  /// hard links, holes). Whiteouts of overlayfs (character device 0:0) become names in `deleted`, but for
  /// names that are no UTF-8, which stay what they are.
  std::string (*pack)(const std::string& upper, int tar, std::vector<std::string>& deleted);
  /// The reverse, into the empty directory `upper`. Nothing lands outside of it, whatever the archive says.
  std::string (*unpack)(int tar, const std::vector<std::string>& deleted, const std::string& upper,
                        Devices devices);
  /// Another tool's changes, with OCI's whiteouts, done to the mounted root file system `root`. Nothing
  /// outside of it is touched.
  std::string (*lay_over)(int tar, const std::vector<std::string>& deleted, const std::string& root,
                          Devices devices);
  /// Size of each regular file in the archive, by its name in it.
  std::string (*list)(int tar, std::vector<std::pair<std::string, long long>>& files);
};

}  // namespace ckpt

extern "C" const ckpt::LayerModule ckpt_layer_module;
