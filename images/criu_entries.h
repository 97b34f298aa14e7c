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
/// What a hostile image may make us hold; real ones of one entry per process, file or mount are far below.
struct Bounds {
  std::size_t bytes = 16U << 20U;
  std::size_t entries = 1U << 18U;
};
/// nullopt for a file that is not there, also not compressed. Throws Error(image_invalid) for one that cannot
/// be read, is no regular file, or is larger than `limit`.
std::optional<std::string> image_content(const std::filesystem::path& file, std::size_t limit);
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
void each_entry(const std::filesystem::path& file, const Visit& visit, Bounds bounds = {}) {
  const std::optional<std::string> content = image_content(file, bounds.bytes);
  if (!content) return;
  Entries entries(*content);
  try {
    std::size_t count = 0;
    while (const auto entry = entries.next()) {
      if (++count > bounds.entries) throw Damage();
      visit(*entry);
    }
  } catch (const Damage&) {
    throw_damaged(file, "is damaged");
  }
  if (!entries.whole()) throw_damaged(file, "is damaged or cut short");
}

}  // namespace ckpt
