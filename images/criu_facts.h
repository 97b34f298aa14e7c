// What a manifest has of CRIU's images.
#pragma once
#include <filesystem>
#include <vector>

#include "images/manifest.h"

namespace ckpt {

/// The files that must be there with their size, by a path that is on the host: of those on a mount that the
/// container made itself, the image has the content, or another path leads to them. Throws
/// Error(image_invalid).
std::vector<OpenFileFact> image_open_files(const std::filesystem::path& images);

/// The processes, and the files that must have their size again: what CRIU will ask at the restore, in its
/// own words. Throws Error(image_invalid).
void add_criu_facts(const std::filesystem::path& images, Manifest& manifest);

}  // namespace ckpt
