// JSON: the library, compiled once (json.cpp) instead of in every file, and its parser behind two functions.
#pragma once
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

extern template class nlohmann::basic_json<>;

namespace ckpt {

/// A discarded value (is_object() and is_array() are false) for text that is no JSON.
nlohmann::json parse_json(std::string_view text);
/// Throws nlohmann::json::parse_error for text that is no JSON.
nlohmann::json parse_json_or_throw(std::string_view text);
/// The reverse, for what has to be read again: a path or name that is no text throws Error(usage).
std::string json_text(const nlohmann::json& document, int indent = -1);
/// The text at `keys`, one within the other, of what may be anything; empty when there is none.
std::string text_at(const nlohmann::json& document, std::initializer_list<const char*> keys);

}  // namespace ckpt
