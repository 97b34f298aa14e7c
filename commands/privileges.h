// Whether an image that came from elsewhere asks for more than the bundle gives: CRIU restores what the image
// says, whatever config.json says.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "commands/compatibility.h"
#include "images/criu_privileges.h"

namespace ckpt {

/// One row for each kind of right; those that exceed the bundle's fail, and --force lets them. `there` tells
/// whether a path of /proc or /sys exists on this host. Pure.
std::vector<CheckedItem> compare_privileges(const ImagePrivileges& image, const nlohmann::json& spec,
                                            const std::function<bool(const std::string&)>& there);

/// The same of an image's files. Throws Error(image_invalid) for what cannot be read.
std::vector<CheckedItem> check_privileges(const Image& image, const nlohmann::json& spec);

}  // namespace ckpt
