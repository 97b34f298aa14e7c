// Quotes and comments of TOML 1.0, and what is between them.
#include "runtimes/toml_text.h"

#include <algorithm>

namespace ckpt {
namespace {

/// What stands behind the text in quotes, or comment, that begins at `at`.
std::size_t behind(std::string_view toml, std::size_t at) {
  if (toml[at] == '#') return std::min(toml.find('\n', at), toml.size());
  const std::string_view three = toml.substr(at, 3);
  const bool longer = three == "\"\"\"" || three == "'''";
  const std::string_view quote = longer ? three : three.substr(0, 1);
  for (std::size_t i = at + quote.size(); i < toml.size(); ++i) {
    if (toml[i] == '\\' && quote[0] == '"')
      ++i;
    else if (toml[i] == '\n' && !longer)
      return i;
    else if (toml.substr(i).starts_with(quote))
      return i + quote.size();
  }
  return toml.size();
}

}  // namespace

std::optional<std::size_t> line_beyond_ascii(std::string_view toml) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  std::size_t line = 1;
  for (std::size_t at = toml.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0; at < toml.size();) {
    const char c = toml[at];
    if (static_cast<unsigned char>(c) >= 0x80) return line;
    const std::size_t next = c == '#' || c == '"' || c == '\'' ? behind(toml, at) : at + 1;
    for (; at < next; ++at)
      if (toml[at] == '\n') ++line;
  }
  return std::nullopt;
}

}  // namespace ckpt
