// What CRIU writes into an image and would bring back otherwise than it was: put right in the image.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/state_facts.h"

namespace ckpt {

/// The content of a files.img with those unix sockets under their new names. A periodic timerfd that had
/// expired and was not read yet, of which CRIU keeps that no time is left, would stand still: it expires at
/// once. nullopt when it cannot be read as one.
std::optional<std::string> mended_files(std::string_view files_image,
                                        const std::vector<MovedSocketFact>& moved);
/// In the image in that directory, before it is compressed or published; nothing without a files.img and such
/// sockets. Throws Error(image_invalid).
void mend_files(const std::filesystem::path& images, const std::vector<MovedSocketFact>& moved);

}  // namespace ckpt
