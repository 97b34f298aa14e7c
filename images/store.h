// The store: <store>/checkpoints/<ID>/<UTC time>-<6 hex>/, made beside and renamed; and finding an image by
// its name.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "images/manifest.h"

namespace ckpt {

/// A checkpoint that can be restored: a directory, with our manifest or (made by a runtime itself) without.
struct Image {
  std::filesystem::path directory;
  std::optional<Manifest> manifest;
  std::optional<std::string> foreign = {};  ///< why somebody else could have written it; nullopt: nobody
  std::filesystem::path copy_of = {};       ///< what the user calls it when it was copied
  const std::filesystem::path& named() const { return copy_of.empty() ? directory : copy_of; }
  /// What the runtime is given as --image-path.
  std::filesystem::path runtime_images() const {
    return manifest && manifest->images != "." ? directory / manifest->images : directory;
  }
};

/// A checkpoint in the making. Removed again unless it is published.
class StagedImage {
 public:
  /// In the store, under a hidden name beside its later one.
  static StagedImage in_store(const std::filesystem::path& store, const std::string& id);
  /// Exactly at `directory`, which must be absent or empty: Error(conflict) otherwise.
  static StagedImage at(const std::filesystem::path& directory);
  /// In a new directory below `directory`, which is on the store's disk; name_it() comes before publish().
  static StagedImage of_import(const std::filesystem::path& directory);
  /// What a ckpt that is gone had staged for `id` in the store or at a directory; it is kept.
  static StagedImage left_behind(const std::filesystem::path& staging, const Manifest& manifest);
  StagedImage(StagedImage&&) = default;
  StagedImage& operator=(StagedImage&&) = delete;
  ~StagedImage();

  const std::filesystem::path& directory() const { return staging_; }      ///< now
  const std::filesystem::path& final_directory() const { return final_; }  ///< after publish()
  std::filesystem::path runtime_images() const { return images_ == "." ? staging_ : staging_ / images_; }
  const std::string& images() const { return images_; }
  /// The name that users say: ID@TIMESTAMP, or the directory.
  std::string name() const;
  /// Makes the directories, 0700. Not called for a dry run.
  void create();
  /// Its later place. Throws Error(conflict) when there is one of that name.
  void name_it(const std::filesystem::path& store, const std::string& id, const std::string& stamp);
  /// Completes the manifest's files with their digests (those that it has already are taken as they are),
  /// flushes everything to the disk, writes the manifest last, and renames. One that is kept is published
  /// even when a digest or the flush fails; what is wrong then is returned.
  std::vector<std::string> publish(Manifest& manifest);
  /// From here on a failure leaves what is there: the dump has stopped the container, it is all that is left
  /// of it.
  void keep() { kept_ = true; }
  bool kept() const { return kept_; }

 private:
  StagedImage(std::filesystem::path staging, std::filesystem::path last, std::string images, std::string id)
      : staging_(std::move(staging)),
        final_(std::move(last)),
        images_(std::move(images)),
        id_(std::move(id)) {}
  std::filesystem::path staging_, final_;
  std::string images_, id_;
  std::vector<std::filesystem::path> fresh_;  ///< have an entry that create() made
  bool owned_ = false, kept_ = false;
  bool existed_ = false;
};

std::filesystem::path checkpoints_of(const std::filesystem::path& store, const std::string& id);
/// Complete checkpoints of `id`, oldest first.
std::vector<std::filesystem::path> complete_checkpoints(const std::filesystem::path& store,
                                                        const std::string& id);
/// ID@latest, ID@TIMESTAMP (a unique prefix is enough) or a directory. Throws Error(not_found),
/// Error(conflict) for an ambiguous prefix.
Image find_image(const std::filesystem::path& store, const std::string& name);
/// An image directory as it is: --image-path.
Image image_at(const std::filesystem::path& directory);

}  // namespace ckpt
