// Characters one by one.
#include "cli/shown.h"

#include <fmt/format.h>

#include "runtimes/utf8.h"

namespace ckpt {

std::string shown(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const Character c = take_character(text);
    if (c.bytes == "\n" || c.bytes == "\t" || c.bytes == "\r")
      line += ' ';
    else if (!c.valid || c.unseen)
      line += '?';
    else
      line += c.bytes;
  }
  return line;
}

std::string shown_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto byte = static_cast<unsigned char>(json[i]);
    const auto next = i + 1 < json.size() ? static_cast<unsigned char>(json[i + 1]) : 0U;
    if (byte == 0x7f) {
      out += "\\u007f";
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      out += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      out += json[i];
    }
  }
  return out;
}

}  // namespace ckpt
