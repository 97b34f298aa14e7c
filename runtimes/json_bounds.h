// How much JSON is taken from whoever wrote it. A value takes about a hundred bytes of memory, and what the
// library does with nested ones it does recursively.
#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace ckpt {

/// What parse_json() and parse_json_or_throw() take.
struct JsonBounds {
  std::size_t depth = 64;        ///< of lists and objects in each other
  std::size_t values = 400'000;  ///< lists, objects, names of members, texts, numbers
};

/// As parse_json(), within other bounds.
nlohmann::json parse_json_within(std::string_view text, const JsonBounds& bounds);

}  // namespace ckpt
