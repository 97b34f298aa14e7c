// JSON: the library, compiled once (json.cpp) instead of in every file, and its parser behind two functions.
#pragma once
#include <nlohmann/json.hpp>
#include <string_view>

extern template class nlohmann::basic_json<>;

namespace ckpt {

/// A discarded value (is_object() and is_array() are false) for text that is no JSON.
nlohmann::json parse_json(std::string_view text);
/// Throws nlohmann::json::parse_error for text that is no JSON.
nlohmann::json parse_json_or_throw(std::string_view text);

}  // namespace ckpt
