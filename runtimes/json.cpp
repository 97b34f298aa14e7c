// The one instantiation of the JSON library.
#include "runtimes/json.h"

#include <fmt/format.h>

#include "runtimes/error.h"
#include "runtimes/json_bounds.h"

template class nlohmann::basic_json<>;

namespace ckpt {
namespace {

using nlohmann::json;

/// Throws json::parse_error for more than the bounds allow, as soon as it is seen.
json parse_bounded(std::string_view text, const JsonBounds& bounds, bool throws) {
  std::size_t values = 0;
  const auto count = [&](int depth, json::parse_event_t event, const json&) {
    using Event = json::parse_event_t;
    if (event == Event::object_end || event == Event::array_end) return true;
    const bool begins = event == Event::object_start || event == Event::array_start;
    const bool deep = begins && depth >= static_cast<int>(bounds.depth);
    if (deep || ++values > bounds.values)
      throw json::parse_error::create(101, std::size_t{0},
                                      deep ? fmt::format("nested more than {} deep", bounds.depth)
                                           : fmt::format("more than {} values", bounds.values),
                                      nullptr);
    return true;
  };
  return json::parse(text, count, throws);
}

}  // namespace

json parse_json_within(std::string_view text, const JsonBounds& bounds) {
  try {
    return parse_bounded(text, bounds, false);
  } catch (const json::parse_error&) {
    return json(json::value_t::discarded);
  }
}

json parse_json(std::string_view text) {
  return parse_json_within(text, {});
}

json parse_json_or_throw(std::string_view text) {
  return parse_bounded(text, {}, true);
}

std::string json_text(const json& document, int indent) {
  try {
    return document.dump(indent);
  } catch (const json::type_error&) {
    throw Error(ErrorCode::usage, "a path or a name is not UTF-8, and ckpt keeps them in JSON")
        .with_hint("rename the bundle, store or root, or give another one");
  }
}

std::string text_at(const json& document, std::initializer_list<const char*> keys) {
  const json* at = &document;
  for (const char* key : keys) {
    if (!at->is_object() || !at->contains(key)) return "";
    at = &(*at)[key];
  }
  return at->is_string() ? at->get<std::string>() : "";
}

}  // namespace ckpt
