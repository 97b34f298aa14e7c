// An image whose files are compressed: how much, which of them, and the whole of it unpacked for a restore.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "images/store.h"

namespace ckpt {

/// The level of `zstd` or `zstd:LEVEL`; nullopt for anything else.
std::optional<int> zstd_level(const std::string& method);
/// `zstd`, `zstd:LEVEL` and `auto`; the other methods of --compression are the runtime's.
bool compressed_by_ckpt(const std::optional<std::string>& method);

struct CompressionChoice {
  std::optional<int> level;  ///< of zstd; nullopt: none
  std::string why = {};      ///< what was measured, to be appended to text()
  /// As --compression spells it: none, zstd:3
  std::string text() const;
};

/// What was measured of an image and its disk. Speeds are bytes of the original, or to the disk, in a second;
/// a ratio is what remains of 1.
struct CompressionMeasure {
  double disk = 0;
  double fast = 0, fast_ratio = 1;          ///< level 1
  double thorough = 0, thorough_ratio = 1;  ///< level 3
};
/// The level that has the image on the disk first, nullopt for none; of two that take about as long the one
/// that makes it smaller. Pure.
std::optional<int> best_level(const CompressionMeasure& measured);

/// What `method`, which is ours, means for the image in `images`; `auto` measures, for about 100 ms, unless
/// the image is small.
CompressionChoice choose_compression(const std::string& method, const std::filesystem::path& images);

/// Compresses the files of the runtime's, and of the pre-dumps beside them, that get much smaller by it. The
/// original is removed as soon as its FILE.zst is there, which is then in `compressed`: also when a later one
/// fails.
void compress_image(const std::filesystem::path& directory, const std::string& images, int level,
                    std::vector<ImageFile>& compressed);

bool is_compressed(const Image& image);
/// A new name below STORE/restore, not made yet.
std::filesystem::path unpacking_place(const std::filesystem::path& store);
/// Whether `path` is such a name.
bool is_unpacking_place(const std::filesystem::path& path);
/// Lays the runtime's files, and the pre-dumps beside them, down in `place` as the runtime wrote them; what
/// is not compressed is linked where it can be. Throws Error(image_invalid), Error(runtime_failed) when there
/// is no room; the caller removes `place`.
void unpack_image(const Image& image, const std::filesystem::path& place);

}  // namespace ckpt
