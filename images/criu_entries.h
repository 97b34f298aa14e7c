// Going through an image file's messages and a message's fields; damage becomes one error that names the
// file.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "images/protobuf.h"

namespace ckpt {

/// Thrown while a file is decoded, becomes the Error(image_invalid) that names it.
struct Damage {};

[[noreturn]] void throw_damaged(const std::filesystem::path& file, const char* how);
/// nullopt for a file that is not there. Throws Error(image_invalid) for one that cannot be read, is no
/// regular file, or is larger than any that is decoded.
std::optional<std::string> image_content(const std::filesystem::path& file);
/// Throws Damage for what is no pid, descriptor, or other small number.
int to_int(std::uint64_t value);

/// Calls visit(number, message) with the message at each field.
template <class Visit>
void each_field(Message message, const Visit& visit) {
  while (const auto field = message.next()) visit(*field, message);
  if (!message.whole()) throw Damage();
}

/// Calls visit(message) for each of the file's; never when it is not there.
template <class Visit>
void each_entry(const std::filesystem::path& file, const Visit& visit) {
  const std::optional<std::string> content = image_content(file);
  if (!content) return;
  Entries entries(*content);
  try {
    while (const auto entry = entries.next()) visit(*entry);
  } catch (const Damage&) {
    throw_damaged(file, "is damaged");
  }
  if (!entries.whole()) throw_damaged(file, "is damaged or cut short");
}

}  // namespace ckpt
