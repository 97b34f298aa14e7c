// Reading which options a program advertises, from its own help text.
#pragma once
#include <map>
#include <string>
#include <string_view>

namespace ckpt {

/// The flags of one verb, or the global ones: long name with two dashes -> the help's words about it.
struct Advertised {
  std::map<std::string, std::string> flags;
  bool has(std::string_view flag) const { return flags.contains(std::string(flag)); }
};

/// Understands the three shapes: urfave/cli (`--bundle value, -b value`), argp (`-b, --bundle=DIR`) and Go's
/// flag package (`-bundle string`, one dash, which accepts two). Empty when the text shows no flag.
Advertised parse_help(std::string_view text);

}  // namespace ckpt
