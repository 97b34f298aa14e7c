// Images that somebody else can still change while they are looked at.
#pragma once
#include <filesystem>

#include "images/store.h"

namespace ckpt {

/// Copies an image to `place`, which is made, so that what is judged is what is restored: regular files,
/// directories, and the links between dumps; none is reached through a link. Throws Error(image_invalid) for
/// anything else in it, Error(runtime_failed) when it cannot be read or written.
void copy_image(const Image& image, const std::filesystem::path& place);

}  // namespace ckpt
