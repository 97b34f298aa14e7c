// What the actions of `ckpt images` share.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "commands/context.h"
#include "images/store.h"

namespace ckpt {

/// What ACTION can be.
const std::vector<std::string>& image_actions();
/// 268.4 MB
std::string human(std::uint64_t bytes);
/// ID@TIMESTAMP; for an image with a manifest.
std::string name_of(const Image& image);
/// As find_image(), but a bare ID is wrong use.
Image named_image(const Context& context, const std::string& name);
/// As named_image(), with a manifest. Throws Error(image_invalid).
Image own_image(const Context& context, const std::string& name);
/// Every file of an image with a manifest against its digest. Throws Error(image_invalid).
void verify_content(const Context& context, const Image& image);
/// `images inspect`: what is inside. `html` names the file that a page of it goes to.
int inspect_image(const Context& context, const std::string& name, const std::optional<std::string>& html);

}  // namespace ckpt
