// Decoding without longer forms, surrogates, and what is above U+10FFFF.
#include "runtimes/utf8.h"

#include <cstddef>

namespace ckpt {
namespace {

/// By its first byte; 0 for one that begins none.
std::size_t length_of(unsigned lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}

bool is_unseen(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f);
}

}  // namespace

Character take_character(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto take = [&](std::size_t size, bool valid, char32_t code) {
    const Character taken{text.substr(0, size), valid, valid && is_unseen(code)};
    text.remove_prefix(size);
    return taken;
  };
  const std::size_t size = length_of(byte(0));
  if (size == 0 || size > text.size()) return take(1, false, 0);
  char32_t code = size == 1 ? byte(0) : byte(0) & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return take(1, false, 0);
    code = code << 6U | (byte(i) & 0x3fU);
  }
  const bool longer = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (longer || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return take(1, false, 0);
  return take(size, true, code);
}

}  // namespace ckpt
