// A checkpoint as one tar, in the layout that podman, CRI-O, containerd's CRI and checkpointctl share:
// written from an image, and read into a directory without trust.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "images/layer/archive_tar.h"
#include "images/store.h"

namespace ckpt {

/// Writes all of an image that has a manifest to the descriptor `out`, in one pass, zstd of `level` or plain:
/// the runtime's files as the runtime wrote them, ckpt.json last. The same image gives the same bytes. Throws
/// Error(image_invalid) when the image is not what its manifest says, Error(runtime_failed) when writing
/// fails.
void write_archive(const Image& image, int out, std::optional<int> level);
/// The same as a layer of an OCI image, compressed as `filter` says.
BlobDigests write_layer_blob(const Image& image, int out, const ArchiveFilter& filter);
/// SHA-256, hexadecimal.
std::string sha256_of(const std::string& text);

/// What an archive may be at most.
struct ArchiveLimits {
  std::uint64_t bytes = 0;
  std::size_t entries = 100'000;
};

struct ArchiveContent {
  std::vector<ImageFile> files;         ///< sorted, with sizes and digests of what was written
  std::optional<std::string> manifest;  ///< the text of its ckpt.json, which is not written
  bool as_stored = false;  ///< its files are those of a store, where ckpt may have compressed them
};
/// Lays what the descriptor `in` has down in `directory`, which is empty and nobody else's: files 0600,
/// directories 0700, links only from `parent` to the dump before. `name` is the archive's for messages.
/// Throws Error(image_invalid) for what is no archive or has anything else in it, or more than the limits.
ArchiveContent read_archive(int in, const std::string& name, const std::filesystem::path& directory,
                            const ArchiveLimits& limits);

/// Of what came from elsewhere and is not believed: Error(image_invalid), with the hint that nothing of it
/// was taken.
[[noreturn]] void refuse_import(const std::string& name, const std::string& why);
/// Whether a name of an archive's entry means a place below the directory that it is laid down in; without
/// the end of "name/" and the beginning of "./name". nullopt: it does not, or not as it stands. Pure.
std::optional<std::string> name_below(std::string_view name);
/// Whether a link of that name and target is one of those between CRIU's dumps: checkpoint/parent to
/// ../pre-2.
bool links_dumps(const std::string& name, const std::string& target);

/// The configuration as the tools that share the layout want it: config.dump. Pure.
std::string config_dump(const Manifest& manifest, const std::string& checkpointed);
/// spec.dump with what says how those tools read it: as podman's, unless it says already whose it is. Text
/// that is no JSON object stays what it is. Pure.
std::string spec_dump(const std::string& spec);

}  // namespace ckpt
