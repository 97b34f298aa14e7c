// Unix sockets in a CRIU image that are to be bound under another name.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/state_facts.h"

namespace ckpt {

/// The content of a files.img with those sockets under their new names; nullopt when it cannot be read as
/// one.
std::optional<std::string> renamed_sockets(std::string_view files_image,
                                           const std::vector<MovedSocketFact>& moved);
/// In the image in that directory, before anything is said of it. Throws Error(image_invalid).
void rename_sockets(const std::filesystem::path& images, const std::vector<MovedSocketFact>& moved);

}  // namespace ckpt
