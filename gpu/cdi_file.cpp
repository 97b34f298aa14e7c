// Checking a CDI specification as its SPEC.md has it: fields that it does not name are refused, as there, so
// that no edit is left out in silence. Which cdiVersion brought which field is not checked.
#include "gpu/cdi_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Names = std::vector<std::string_view>;

bool alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Letters and digits, `between` only between them.
bool is_word(std::string_view word, std::string_view between, std::size_t longest) {
  return !word.empty() && word.size() <= longest && alphanumeric(word.front()) && alphanumeric(word.back()) &&
         std::all_of(word.begin(), word.end(),
                     [&](char c) { return alphanumeric(c) || between.find(c) != between.npos; });
}

bool is_semantic_version(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  text = text.substr(0, text.find_first_of("-+"));
  return is_word(text, ".", 32) && text.find_first_not_of("0123456789.") == text.npos &&
         std::count(text.begin(), text.end(), '.') == 2 && text.find("..") == text.npos;
}

[[noreturn]] void broken(const std::string& where, std::string_view what) {
  throw BrokenCdi(fmt::format("{} {}", where, what));
}

/// A JSON object at a place of the file, asked member by member.
class Object {
 public:
  Object(const json& value, std::string where) : value_(value), where_(std::move(where)) {
    if (!value_.is_object()) broken(where_.empty() ? "the specification" : where_, "is not an object");
  }

  std::string at(std::string_view name) const {
    return where_.empty() ? std::string(name) : fmt::format("{}.{}", where_, name);
  }
  /// nullptr when it is missing or null.
  const json* find(std::string_view name) const {
    const auto found = value_.find(std::string(name));
    return found == value_.end() || found->is_null() ? nullptr : &*found;
  }
  void only(const Names& names) const {
    for (const auto& [key, value] : value_.items())
      if (std::find(names.begin(), names.end(), key) == names.end())
        broken(at(key), "is no field of CDI 1.1.0");
  }
  std::string text(std::string_view name, bool required) const {
    const json* value = find(name);
    if (value == nullptr && !required) return "";
    if (value == nullptr) broken(at(name), "is missing");
    if (!value->is_string()) broken(at(name), "is not text");
    std::string string = *value;
    if (required && string.empty()) broken(at(name), "is empty");
    if (string.find('\0') != string.npos) broken(at(name), "holds a zero byte");
    return string;
  }
  std::string absolute(std::string_view name, bool required) const {
    std::string path = text(name, required);
    if (!path.empty() && !path.starts_with('/')) broken(at(name), "is not an absolute path");
    return path;
  }
  void number(std::string_view name, std::int64_t least, std::int64_t most) const {
    if (const json* value = find(name)) check_number(*value, at(name), least, most);
  }
  template <class F>
  void each(std::string_view name, F&& action) const {
    const json* list = find(name);
    if (list == nullptr) return;
    if (!list->is_array()) broken(at(name), "is not a list");
    for (std::size_t i = 0; i < list->size(); ++i) action((*list)[i], fmt::format("{}[{}]", at(name), i));
  }
  void texts(std::string_view name) const {
    each(name, [](const json& one, const std::string& where) {
      if (!one.is_string() || one.get_ref<const std::string&>().find('\0') != std::string::npos)
        broken(where, "is not text");
    });
  }
  void variables(std::string_view name) const {
    texts(name);
    each(name, [](const json& one, const std::string& where) {
      const std::size_t equals = one.get_ref<const std::string&>().find('=');
      if (equals == 0 || equals == std::string::npos) broken(where, "is not NAME=VALUE");
    });
  }
  static void check_number(const json& value, const std::string& where, std::int64_t least,
                           std::int64_t most) {
    const bool fits = value.is_number_unsigned()
                          ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(most)
                          : value.is_number_integer() && value.get<std::int64_t>() <= most;
    if (!fits || value.get<std::int64_t>() < least)
      broken(where, fmt::format("is not a number from {} to {}", least, most));
  }

 private:
  const json& value_;
  std::string where_;
};

constexpr std::int64_t kId = 0xffffffff, kDeviceNumber = 0x7fffffff;

void check_node(const json& value, const std::string& where) {
  const Object node(value, where);
  node.only({"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"});
  node.absolute("path", true);
  node.absolute("hostPath", false);
  const std::string type = node.text("type", false), permissions = node.text("permissions", false);
  if (!type.empty() && (type.size() > 1 || std::string_view("bcup").find(type) == std::string_view::npos))
    broken(node.at("type"), "is none of b, c, u, p");
  if (permissions != "none" && permissions.find_first_not_of("rwm") != std::string::npos)
    broken(node.at("permissions"), "is none of r, w and m together, and not 'none'");
  for (const char* number : {"major", "minor"}) node.number(number, 0, kDeviceNumber);
  node.number("fileMode", 0, kId);
  for (const char* id : {"uid", "gid"}) node.number(id, 0, kId);
}

void check_mount(const json& value, const std::string& where) {
  const Object mount(value, where);
  mount.only({"hostPath", "containerPath", "type", "options"});
  mount.text("hostPath", true);
  mount.absolute("containerPath", true);
  mount.text("type", false);
  mount.texts("options");
}

void check_hook(const json& value, const std::string& where) {
  static const Names kPhases{"prestart",       "createRuntime", "createContainer",
                             "startContainer", "poststart",     "poststop"};
  const Object hook(value, where);
  hook.only({"hookName", "path", "args", "env", "timeout"});
  const std::string phase = hook.text("hookName", true);
  if (std::find(kPhases.begin(), kPhases.end(), phase) == kPhases.end())
    broken(hook.at("hookName"), fmt::format("is none of {}", fmt::join(kPhases, ", ")));
  hook.absolute("path", true);
  hook.texts("args");
  hook.variables("env");
  hook.number("timeout", 0, kDeviceNumber);
}

/// The edits at `name` of `parent`; an empty object when there are none. SPEC.md writes additionalGids both
/// ways, and Go's JSON takes both.
json checked_edits(const Object& parent) {
  const json* value = parent.find("containerEdits");
  if (value == nullptr) return json::object();
  const Object edits(*value, parent.at("containerEdits"));
  edits.only({"env", "deviceNodes", "mounts", "hooks", "additionalGids", "additionalGIDs", "intelRdt",
              "netDevices"});
  edits.variables("env");
  edits.each("deviceNodes", check_node);
  edits.each("mounts", check_mount);
  edits.each("hooks", check_hook);
  for (const char* name : {"additionalGids", "additionalGIDs"})
    edits.each(name,
               [](const json& gid, const std::string& where) { Object::check_number(gid, where, 0, kId); });
  json checked = *value;
  if (const json* gids = edits.find("additionalGIDs")) checked["additionalGids"] = *gids;
  return checked;
}

CdiDevice checked_device(const json& value, const std::string& where) {
  const Object device(value, where);
  device.only({"name", "annotations", "containerEdits"});
  // YAML's `name: 0` is meant as text.
  const json* number = device.find("name");
  const std::string name =
      number != nullptr && number->is_number_unsigned() ? number->dump() : device.text("name", true);
  if (!is_cdi_device(name)) broken(device.at("name"), fmt::format("'{}' is no name of a device", name));
  return {name, checked_edits(device)};
}

}  // namespace

bool is_cdi_kind(std::string_view kind) {
  const std::size_t slash = kind.find('/');
  return slash != kind.npos && is_word(kind.substr(0, slash), ".-_", 253) &&
         is_word(kind.substr(slash + 1), ".-_", 63);
}

bool is_cdi_device(std::string_view name) {
  return is_word(name, ".-_:", 1024);
}

CdiFile parse_cdi(std::string_view text, bool yaml) {
  const json document = yaml ? json_from_yaml(text) : parse_json(text);
  if (document.is_discarded()) throw BrokenCdi("it is no JSON");
  const Object top(document, "");
  top.only({"cdiVersion", "kind", "annotations", "devices", "containerEdits"});
  const std::string version = top.text("cdiVersion", true);
  if (!is_semantic_version(version)) broken("cdiVersion", fmt::format("'{}' is no version", version));
  CdiFile file;
  file.kind = top.text("kind", true);
  if (!is_cdi_kind(file.kind)) broken("kind", fmt::format("'{}' is not vendor.com/class", file.kind));
  file.edits = checked_edits(top);
  std::set<std::string> seen;
  top.each("devices", [&](const json& value, const std::string& where) {
    file.devices.push_back(checked_device(value, where));
    if (!seen.insert(file.devices.back().name).second)
      broken(where, fmt::format("has the name of another, '{}'", file.devices.back().name));
  });
  if (file.devices.empty()) throw BrokenCdi("devices is missing or empty");
  return file;
}

}  // namespace ckpt
