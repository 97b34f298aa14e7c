// What came as an archive, made an image of ours: whose it is, and how much of it is believed.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "images/archive.h"
#include "runtimes/fs.h"

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

/// The links between the dumps of an image, by which CRIU finds the one before: name and target. Pure.
std::vector<std::pair<std::string, std::string>> dump_links(const Manifest& manifest);

/// When the checkpoint was taken as its name in the store; now, when it does not say, or says that it will
/// be.
std::string imported_stamp(const Manifest& manifest, const std::filesystem::path& directory);

/// Where imports are staged, and what dead ones left there removed; others can be at work beside this one.
class ImportPlace {
 public:
  explicit ImportPlace(const std::filesystem::path& store);
  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
  Fd lock_;
};
/// Where a push or pull of that name works, which is no other's meanwhile: STORE/push/NAME, STORE/pull/NAME.
/// What one that was killed, or kept it, has left is there again. Throws Error(busy).
class FarStaging {
 public:
  FarStaging(const std::filesystem::path& store, const std::string& kind, const std::string& name);
  FarStaging(const FarStaging&) = delete;
  FarStaging& operator=(const FarStaging&) = delete;
  /// Removes it, unless it is kept.
  ~FarStaging();
  const std::filesystem::path& directory() const { return directory_; }
  /// Whoever has a copy of it has the place.
  int lock() const { return lock_.get(); }
  void keep(bool kept) { kept_ = kept; }

 private:
  std::filesystem::path directory_;
  Fd lock_;
  bool kept_ = false;
};
/// Removes what imports, pushes and pulls that were killed have left, unless one is at work.
void finish_imports(const std::filesystem::path& store);

}  // namespace ckpt
