// YAML as JSON, by yaml-cpp; bounded, because aliases can make a small file large.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "gpu/cdi_file.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
constexpr int kMostValues = 100'000, kMostLevels = 64;

json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  std::int64_t number = 0;
  if (!text.empty() && text.find_first_not_of("+-0123456789abcdefxABCDEFX") == text.npos &&
      YAML::convert<std::int64_t>::decode(node, number))
    return number < 0 ? json(number) : json(static_cast<std::uint64_t>(number));
  return text;
}

json converted(const YAML::Node& node, int level, int& left) {
  if (level > kMostLevels) throw BrokenCdi("it is nested too deep");
  if (--left < 0) throw BrokenCdi(fmt::format("it holds more than {} values", kMostValues));
  if (node.IsScalar()) return scalar(node);
  if (node.IsSequence()) {
    json list = json::array();
    for (const YAML::Node& one : node) list.push_back(converted(one, level + 1, left));
    return list;
  }
  if (!node.IsMap()) return nullptr;
  json object = json::object();
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) throw BrokenCdi("it has a key that is not text");
    object[entry.first.Scalar()] = converted(entry.second, level + 1, left);
  }
  return object;
}

}  // namespace

json json_from_yaml(std::string_view text) {
  try {
    int left = kMostValues;
    json document = converted(YAML::Load(std::string(text)), 0, left);
    (void)document.dump();  // what it cannot write, the bundle's config.json could not hold
    return document;
  } catch (const json::exception&) {
    throw BrokenCdi("it is not UTF-8");
  } catch (const YAML::Exception& error) {
    throw BrokenCdi(fmt::format("it is no YAML at line {}: {}", error.mark.line + 1, error.msg));
  }
}

}  // namespace ckpt
