// `images export` and `images import`: a checkpoint as one file, for other hosts and other tools.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "commands/context.h"
#include "images/imported.h"
#include "images/store.h"

namespace ckpt {

struct ArchiveOptions {
  std::optional<std::string> archive = {}, compression = {};  ///< export
  std::optional<std::string> id = {};                         ///< import
  bool trust_spec = false;
  bool reuse = false;  ///< what came before with the same files, and is trusted as far, is taken as it is
};

/// Throws Error(usage) for those that go with another action.
void require_archive_options(const ArchiveOptions& o, const std::string& action);
int export_image(const Context& context, const ArchiveOptions& o, const std::string& name);
int import_image(const Context& context, const ArchiveOptions& o, const std::string& file,
                 const std::optional<std::uint64_t>& max_bytes);

/// What is in the store now.
struct Brought {
  std::string name;
  std::filesystem::path directory;
  Manifest manifest;
};
/// From the descriptor `in` into the store; `name` is whose it is for messages.
Brought bring_in(const Context& context, const ArchiveOptions& o, int in, const std::string& name,
                 const std::optional<std::uint64_t>& max_bytes);
ImportChoice choice_of(const Context& context, const ArchiveOptions& o);
/// Under the name of the time when it was taken. Throws Error(conflict) for a container of which the store
/// has checkpoints, unless the user has named it: a later restore of it would take what came from elsewhere.
Brought name_and_publish(const Context& context, const ArchiveOptions& o, const std::string& stamp,
                         Manifest manifest, StagedImage& image);
int tell_brought(const Context& context, const Brought& brought);

/// The level of zstd for an archive of that name, or what --compression says; nullopt: a plain tar. Throws
/// Error(usage) for a name that promises what ckpt does not write. Pure.
std::optional<int> archive_level(const std::string& file, const std::optional<std::string>& compression);

}  // namespace ckpt
