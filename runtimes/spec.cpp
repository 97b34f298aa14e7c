// config.json: checked on reading, copied with changes, never written back to the user's bundle.
#include "runtimes/spec.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

[[noreturn]] void invalid(const std::string& name, std::string_view why) {
  throw Error(ErrorCode::invalid_config, fmt::format("'{}' is not a usable OCI configuration: {}", name, why))
      .with_hint("'runc spec' writes a valid one to start from");
}

bool is_bind(const json& mount) {
  if (mount.value("type", "") == "bind") return true;
  for (const json& option : mount.value("options", json::array()))
    if (option == "bind" || option == "rbind") return true;
  return false;
}

/// As from the bundle's own directory: a runtime changes to it, and runc refuses a root file system whose
/// path has a symbolic link.
void make_absolute(json& object, const char* key, const fs::path& bundle) {
  if (!object.contains(key) || !object[key].is_string()) return;
  const fs::path path = object[key].get<std::string>();
  if (path.is_absolute()) return;
  std::error_code error;
  const fs::path real = fs::canonical(bundle, error);
  object[key] = absolute_path((error ? bundle : real) / path).string();
}

bool is_gpu_device(const json& device) {
  return device.value("path", "").starts_with("/dev/nvidia");
}

void fit_to_runsc(json& spec) {
  if (!spec.contains("linux")) return;
  json& linux_part = spec["linux"];
  linux_part.erase("seccomp");
  if (!linux_part.contains("devices")) return;
  json kept = json::array();
  for (const json& device : linux_part["devices"])
    if (is_gpu_device(device)) kept.push_back(device);
  linux_part.erase("devices");
  if (!kept.empty()) linux_part["devices"] = kept;
}

const json* namespace_of(const json& spec, std::string_view type) {
  if (!spec.contains("linux")) return nullptr;
  const auto found = spec["linux"].find("namespaces");
  if (found == spec["linux"].end()) return nullptr;
  for (const json& entry : *found)
    if (entry.value("type", "") == type) return &entry;
  return nullptr;
}

void check_shape(const json& spec, const std::string& name) {
  if (!spec.is_object()) invalid(name, "it is not a JSON object");
  if (!spec.contains("root") || !spec["root"].is_object() || !spec["root"].value("path", json()).is_string())
    invalid(name, "root.path is missing");
  if (!spec.contains("process") || !spec["process"].is_object()) invalid(name, "process is missing");
  const json args = spec["process"].value("args", json());
  if (!args.is_array() || args.empty()) invalid(name, "process.args is missing or empty");
  for (const json& arg : args)
    if (!arg.is_string()) invalid(name, "process.args holds something that is not text");
  for (const char* list : {"mounts"})
    if (spec.contains(list) && !spec[list].is_array()) invalid(name, fmt::format("{} is not a list", list));
  for (const json& mount : spec.value("mounts", json::array()))
    if (!mount.is_object() || !mount.value("destination", json()).is_string())
      invalid(name, "a mount has no destination");
    else if (!mount.value("options", json::array()).is_array())
      invalid(name, "the options of a mount are not a list");
  if (spec.contains("linux") && !spec["linux"].is_object()) invalid(name, "linux is not an object");
}

/// Reads once what the functions below read, so that a wrong type shows here.
void check_types(const json& spec) {
  wants_terminal(spec);
  spec.value("hostname", "");
  makes_network_namespace(spec);
  bind_mounts(spec);
  spec_mounts(spec);
  spec_namespaces(spec);
  for (const char* type : {"pid", "network"})
    if (const json* entry = namespace_of(spec, type)) entry->value("path", "");
  json copy = spec;
  fit_to_runsc(copy);
}

}  // namespace

Bundle read_bundle(const fs::path& place) {
  const fs::path whole = absolute_path(place);
  const fs::path config = kind_of_path(whole) == "file" ? whole : whole / "config.json";
  auto text = read_file(config);
  if (!text)
    throw Error(ErrorCode::not_found, fmt::format("cannot read '{}': {}", config.string(), errno_text(errno)))
        .with_hint(
            "a bundle is a directory with config.json and the root file system; name it with --bundle");
  return {config.parent_path(), std::move(*text), config};
}

std::string digest_of(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

json parse_spec(std::string_view text, const std::string& name) {
  json spec;
  try {
    spec = parse_json_or_throw(text);
  } catch (const json::parse_error& error) {
    invalid(name, fmt::format("no JSON at byte {}", error.byte));
  }
  try {
    check_shape(spec, name);
    check_types(spec);
  } catch (const json::exception& error) {
    invalid(name, "a value has the wrong type");
  }
  return spec;
}

json prepare_spec(json spec, const fs::path& bundle, RuntimeKind kind, const std::vector<std::string>& args) {
  make_absolute(spec["root"], "path", bundle);
  if (spec.contains("mounts"))
    for (json& mount : spec["mounts"])
      if (is_bind(mount)) make_absolute(mount, "source", bundle);
  if (!args.empty()) spec["process"]["args"] = args;
  if (kind == RuntimeKind::runsc) fit_to_runsc(spec);
  return spec;
}

bool wants_terminal(const json& spec) {
  return spec["process"].value("terminal", false);
}

bool makes_network_namespace(const json& spec) {
  const json* entry = namespace_of(spec, "network");
  return entry != nullptr && entry->value("path", "").empty();
}

std::vector<SpecMount> spec_mounts(const json& spec) {
  std::vector<SpecMount> mounts;
  for (const json& mount : spec.value("mounts", json::array())) {
    SpecMount one{.destination = mount.value("destination", ""),
                  .type = mount.value("type", ""),
                  .source = mount.value("source", ""),
                  .propagation = {},
                  .bind = is_bind(mount)};
    for (const json& option : mount.value("options", json::array()))
      for (const char* word : {"shared", "slave", "private", "unbindable"})
        if (option == word || option == std::string("r") + word) one.propagation = option;
    mounts.push_back(std::move(one));
  }
  return mounts;
}

std::map<std::string, std::string> spec_namespaces(const json& spec) {
  std::map<std::string, std::string> namespaces;
  if (!spec.contains("linux")) return namespaces;
  for (const json& one : spec["linux"].value("namespaces", json::array()))
    namespaces[one.value("type", "")] = one.value("path", "");
  return namespaces;
}

std::string kind_of_path(const fs::path& path) {
  std::error_code error;
  switch (fs::status(path, error).type()) {
    case fs::file_type::not_found:
    case fs::file_type::none:
    case fs::file_type::unknown:
      return "";
    case fs::file_type::directory:
      return "dir";
    case fs::file_type::socket:
      return "socket";
    case fs::file_type::fifo:
      return "fifo";
    case fs::file_type::block:
    case fs::file_type::character:
      return "device";
    default:
      return "file";
  }
}

std::vector<BindMount> bind_mounts(const json& spec) {
  std::vector<BindMount> mounts;
  for (const json& mount : spec.value("mounts", json::array()))
    if (is_bind(mount)) mounts.push_back({mount.value("source", ""), mount.value("destination", "")});
  return mounts;
}

void require_bind_sources(const json& spec) {
  for (const BindMount& mount : bind_mounts(spec)) {
    std::error_code error;
    if (fs::exists(mount.source, error)) continue;
    throw Error(ErrorCode::not_found, fmt::format("the source '{}' of the bind mount at '{}' does not exist",
                                                  mount.source, mount.destination))
        .with_hint("make it again, a file or a directory as it was, or change the mount in the bundle");
  }
  std::error_code error;
  const std::string root = spec["root"].value("path", "");
  if (!fs::is_directory(root, error))
    throw Error(ErrorCode::not_found, fmt::format("the root file system '{}' does not exist", root));
}

}  // namespace ckpt
