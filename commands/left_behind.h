// An image whose dump stopped its container, and which the ckpt that took it could not publish: it was
// killed, or the disk was full. It is all that is left of the container.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "commands/context.h"

namespace ckpt {

/// Publishes the image in `staging` by what the note in the lock says of it. Its name; nullopt when the dump
/// did not come to its end, or the note does not say enough. Throws Error(runtime_failed) as on a full disk.
std::optional<std::string> publish_left_behind(const Context& context, const std::filesystem::path& staging,
                                               const nlohmann::json& note);

/// Before a checkpoint of `id` is chosen: recovers whatever a ckpt that is gone has noted of it and not
/// published. One that another ckpt works on is left out.
void recover_left_behind(const Context& context, const std::string& id);

}  // namespace ckpt
