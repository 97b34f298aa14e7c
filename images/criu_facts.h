// What a manifest has of CRIU's images.
#pragma once
#include <filesystem>

#include "images/manifest.h"

namespace ckpt {

/// The processes, and the files that must have their size again: what CRIU will ask at the restore, in its
/// own words. Throws Error(image_invalid).
void add_criu_facts(const std::filesystem::path& images, Manifest& manifest);

}  // namespace ckpt
