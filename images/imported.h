// What came as an archive, made an image of ours: whose it is, and how much of it is believed.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "images/archive.h"

namespace ckpt {

struct ImportChoice {
  std::optional<std::string> id;    ///< instead of the archive's
  std::optional<RuntimeKind> kind;  ///< instead of the one that it names
  bool trust_spec = false;          ///< its configuration may be used
};

/// The manifest of what lies in `directory`: that of the archive when it has one, which must be true of its
/// files, else made from what config.dump and CRIU's images say. Without trust nothing in it names a path, a
/// program or a flag of this host. Throws Error(image_invalid); `name` is the archive's.
Manifest imported_manifest(const ArchiveContent& content, const std::filesystem::path& directory,
                           const ImportChoice& choice, const std::string& name);

/// What a manifest may still say when the user does not vouch for it. Pure.
Manifest distrusted(Manifest manifest);
/// Why somebody else could have written an image or could change it (runtimes/trust.h); nullopt: nobody.
std::optional<std::string> why_foreign(const Image& image);
/// The same of an image directory that somebody else could have written, which counts as imported from here
/// on. Throws Error(image_invalid) when it tells of files outside of its directory. Pure.
Manifest taken_as_imported(Manifest manifest, const std::filesystem::path& directory);
/// An image that nobody vouches for: imported or pulled without --trust-spec, or taken as such. Pure.
bool from_elsewhere(const Image& image);

/// The links between the dumps of an image, by which CRIU finds the one before: name and target. Pure.
std::vector<std::pair<std::string, std::string>> dump_links(const Manifest& manifest);

/// When the checkpoint was taken as its name in the store; now, when it does not say, or says that it will
/// be.
std::string imported_stamp(const Manifest& manifest, const std::filesystem::path& directory);

}  // namespace ckpt
