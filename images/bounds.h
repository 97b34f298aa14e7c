// How much of an image is read into memory, whoever made it.
#pragma once
#include <cstddef>

namespace ckpt {

/// Of ckpt.json; a container of some thousand processes has about that.
inline constexpr std::size_t kLargestManifest = 8U << 20U;
/// Of config.dump and spec.dump.
inline constexpr std::size_t kLargestDocument = 8U << 20U;

}  // namespace ckpt
