// `images push` and `images pull`, and the same within checkpoint and restore: checkpoints in registries and
// remote stores.
#pragma once
#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "commands/images_archive.h"
#include "images/far_store.h"

namespace ckpt {

/// --authfile, --rclone-config and --tls-verify.
void declare_far(CLI::App& app, FarOptions& o, const std::string& with);
/// Of layers: none, gzip, zstd or zstd:LEVEL; zstd when nothing is said. Pure.
ArchiveFilter layer_filter(const std::optional<std::string>& compression);

struct Pushed {
  std::string to;
  std::uint64_t bytes = 0;  ///< of the files, or of the layer
};
/// Wrong use of a destination is found before a container is touched: Error(usage), Error(unsupported).
/// `several`: it is for more than one container.
void require_destination(const std::string& destination, bool several);
/// Throws Error(conflict) when another checkpoint is there already.
Pushed push_image(const Context& context, const FarOptions& far, const Image& image,
                  const std::optional<std::string>& compression, const std::string& destination);
/// Verified, into the store.
Brought pull_image(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                   const std::string& source, const std::optional<std::uint64_t>& max_bytes);

int push_action(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                const std::string& name, const std::string& destination);
int pull_action(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                const std::string& source, const std::optional<std::uint64_t>& max_bytes);
/// The commands of a pull, for --dry-run.
std::vector<Argv> planned_pull(const Context& context, const FarOptions& far, const std::string& source);

}  // namespace ckpt
