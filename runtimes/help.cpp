// Help text to flags: a line whose first word starts with a dash declares, the lines behind it describe.
#include "runtimes/help.h"

#include <cctype>
#include <vector>

namespace ckpt {
namespace {

bool name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
}

/// The flag that `text` begins with, written with two dashes; empty when it begins with none. Consumes it.
std::string take_flag(std::string_view& text) {
  std::size_t dashes = 0;
  while (dashes < 2 && dashes < text.size() && text[dashes] == '-') ++dashes;
  std::size_t end = dashes;
  while (end < text.size() && name_char(text[end])) ++end;
  if (dashes == 0 || end == dashes || text[dashes] == '-') return "";
  std::string flag = "--" + std::string(text.substr(dashes, end - dashes));
  text.remove_prefix(end);
  return flag;
}

/// Skips `=DIR`, `[=DIR]` or ` value` up to a comma; true when another name of the same flag follows.
bool another_name(std::string_view& text) {
  const std::size_t comma = text.find(", -");
  const std::size_t gap = text.find("  ");
  if (comma == std::string_view::npos || (gap != std::string_view::npos && gap < comma)) return false;
  text.remove_prefix(comma + 2);
  return true;
}

/// Wrapped words stand in the column of the descriptions (argp) or behind a tab (Go), and may begin with a
/// dash too.
bool declares(std::string_view line) {
  const std::string_view indent = line.substr(0, line.find('-'));
  return indent.size() <= 8 && indent.find('\t') == std::string_view::npos;
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front())) != 0) line.remove_prefix(1);
  return line;
}

}  // namespace

Advertised parse_help(std::string_view text) {
  Advertised found;
  std::vector<std::string> current;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view whole = text.substr(begin, end - begin);
    std::string_view line = trimmed(whole);
    begin = end + 1;
    if (line.starts_with('-') && declares(whole)) {
      current.clear();
      do {
        if (std::string flag = take_flag(line); !flag.empty()) current.push_back(flag);
      } while (another_name(line));
    }
    for (const std::string& flag : current) found.flags[flag] += std::string(trimmed(line)) + " ";
  }
  return found;
}

}  // namespace ckpt
