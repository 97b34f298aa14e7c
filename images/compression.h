// One file as zstd frames of a chunk each, which do not depend on each other: all processors compress it, and
// unpack it, at once. Any zstd can unpack it too.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace ckpt {

/// Of the original in each frame; the last one has what remains. It is part of the format.
inline constexpr std::size_t kChunk = 1U << 20U;
inline constexpr const char* kPackedSuffix = ".zst";
inline constexpr int kLeastLevel = 1, kMostLevel = 19, kDefaultLevel = 3;

struct PackedFile {
  std::uint64_t unpacked = 0;  ///< bytes of the original
  std::uint64_t size = 0;      ///< bytes of what was written
  std::string xxh3;            ///< of what was written
};

/// Compresses `from` into `to`, which must not be there yet. On any error, and when interrupted, `to` is
/// removed again.
PackedFile pack_file(const std::filesystem::path& from, const std::filesystem::path& to, int level);

/// Unpacks `from` into `to`, which must not be there yet; what is zero becomes a hole. Throws
/// Error(image_invalid) when it is damaged or holds anything but `unpacked` bytes. On any error, and when
/// interrupted, `to` is removed again.
void unpack_file(const std::filesystem::path& from, const std::filesystem::path& to, std::uint64_t unpacked);

/// All of the original in its order, in pieces. Throws Error(image_invalid) when it is not `unpacked` bytes.
void read_packed(const std::filesystem::path& file, std::uint64_t unpacked,
                 const std::function<void(std::string_view)>& piece);

/// The first `limit` bytes of the original. Throws Error(image_invalid).
std::string read_packed(const std::filesystem::path& file, std::size_t limit);

/// Bytes of the original; reads all of it. Throws Error(image_invalid).
std::uint64_t unpacked_size(const std::filesystem::path& file);

/// NAME of NAME.zst; other names as they are.
std::string without_packed_suffix(const std::string& name);

/// `data` as one frame: for measuring. Its length.
std::size_t packed_size(const std::string& data, int level);

}  // namespace ckpt
