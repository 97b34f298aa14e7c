// The one instantiation of the JSON library.
#include "runtimes/json.h"

template class nlohmann::basic_json<>;

namespace ckpt {

nlohmann::json parse_json(std::string_view text) {
  return nlohmann::json::parse(text, nullptr, false);
}

nlohmann::json parse_json_or_throw(std::string_view text) {
  return nlohmann::json::parse(text);
}

}  // namespace ckpt
