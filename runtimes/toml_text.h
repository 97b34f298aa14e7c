// What toml++ must not be given.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ckpt {

/// The first line, from 1, with a character outside of ASCII where TOML 1.0 has none: outside of quotes and
/// comments. What toml++ 3.3 does at such a key is not defined.
std::optional<std::size_t> line_beyond_ascii(std::string_view toml);

}  // namespace ckpt
