// The one instantiation of the JSON library.
#include "runtimes/json.h"

#include "runtimes/error.h"

template class nlohmann::basic_json<>;

namespace ckpt {

nlohmann::json parse_json(std::string_view text) {
  return nlohmann::json::parse(text, nullptr, false);
}

nlohmann::json parse_json_or_throw(std::string_view text) {
  return nlohmann::json::parse(text);
}

std::string json_text(const nlohmann::json& document, int indent) {
  try {
    return document.dump(indent);
  } catch (const nlohmann::json::type_error&) {
    throw Error(ErrorCode::usage, "a path or a name is not UTF-8, and ckpt keeps them in JSON")
        .with_hint("rename the bundle, store or root, or give another one");
  }
}

std::string text_at(const nlohmann::json& document, std::initializer_list<const char*> keys) {
  const nlohmann::json* at = &document;
  for (const char* key : keys) {
    if (!at->is_object() || !at->contains(key)) return "";
    at = &(*at)[key];
  }
  return at->is_string() ? at->get<std::string>() : "";
}

}  // namespace ckpt
