// Each kind of edit and what it does to the OCI spec. What is there already is replaced in its place: a
// variable of the same name, a device of the same path, a mount at the same destination.
#include "gpu/cdi_edit.h"

#include <sys/sysmacros.h>

#include <algorithm>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// The object or list at `key`, made when it is missing or null.
json& made(json& parent, const char* key, json::value_t type, const char* place) {
  json& value = parent[key];
  if (value.is_null()) value = json(type);
  if (value.type() != type)
    throw Error(ErrorCode::invalid_config,
                fmt::format("{} in config.json is not {}", place,
                            type == json::value_t::array ? "a list" : "an object"));
  return value;
}
json& object_at(json& parent, const char* key, const char* place) {
  return made(parent, key, json::value_t::object, place);
}
json& list_at(json& parent, const char* key, const char* place) {
  return made(parent, key, json::value_t::array, place);
}

/// Put where the first that `same` accepts is, the others removed; else behind.
template <class F>
void put(json& list, const json& value, F&& same) {
  const auto first = std::find_if(list.begin(), list.end(), same);
  if (first == list.end()) {
    list.push_back(value);
    return;
  }
  *first = value;
  json kept = json::array();
  for (auto one = list.begin(); one != list.end(); ++one)
    if (one <= first || !same(*one)) kept.push_back(*one);
  list = std::move(kept);
}

void add_once(json& list, const json& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

void set_variable(json& spec, const std::string& variable) {
  json& env = list_at(object_at(spec, "process", "process"), "env", "process.env");
  const std::string name = variable.substr(0, variable.find('=') + 1);
  put(env, variable, [&](const json& one) {
    return one.is_string() && one.get_ref<const std::string&>().starts_with(name);
  });
}

std::string type_of(mode_t mode) {
  return S_ISBLK(mode) ? "b" : S_ISCHR(mode) ? "c" : S_ISFIFO(mode) ? "p" : "";
}

/// What the specification leaves out of a device node, as the host's own node has it.
void complete(json& device, const std::string& host, const std::string& name) {
  std::string type = text_at(device, {"type"});
  const bool enough = type == "p" || (!type.empty() && device.value("major", 0) != 0);
  struct stat status = {};
  const bool there = ::stat(host.c_str(), &status) == 0;
  const std::string found = there ? type_of(status.st_mode) : "";
  if (found.empty()) {
    if (enough) return;
    throw Error(ErrorCode::not_found, fmt::format("the device node '{}', which '{}' needs, {}", host, name,
                                                  there ? "is no device" : "does not exist"))
        .with_hint(
            "load its driver ('nvidia-smi' does it for NVIDIA's), or have its CDI specification made anew");
  }
  if (!device.contains("fileMode")) device["fileMode"] = status.st_mode & 07777U;
  if (enough) return;
  if (type.empty()) device["type"] = type = found;
  if (type != found && !(type == "u" && found == "c"))
    throw Error(ErrorCode::invalid_config,
                fmt::format("the device node '{}' of '{}' is of type {}, not {}", host, name, found, type));
  if (type == "p" || device.value("major", 0) != 0) return;
  device["major"] = major(status.st_rdev);
  device["minor"] = minor(status.st_rdev);
}

/// A user that is not root gets the node, as CDI's own library does it.
void own(json& device, const json& spec, const char* id) {
  if (device.contains(id)) return;
  const json::json_pointer place(std::string("/process/user/") + id);
  if (spec.contains(place) && spec[place].is_number_unsigned() && spec[place] != 0U) device[id] = spec[place];
}

bool is_unset(const json& value) {
  return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty());
}

void add_device(json& spec, const json& node, const std::string& name) {
  json device = node;
  const std::string permissions = text_at(node, {"permissions"}), path = text_at(node, {"path"});
  for (const char* extra : {"hostPath", "permissions"}) device.erase(extra);
  for (const char* field : {"type", "major", "minor", "fileMode", "uid", "gid"})
    if (device.contains(field) && is_unset(device[field])) device.erase(field);
  const std::string host = text_at(node, {"hostPath"}).empty() ? path : text_at(node, {"hostPath"});
  complete(device, host, name);
  own(device, spec, "uid");
  own(device, spec, "gid");
  json& linux_part = object_at(spec, "linux", "linux");
  put(list_at(linux_part, "devices", "linux.devices"), device,
      [&](const json& one) { return text_at(one, {"path"}) == path; });
  const std::string type = text_at(device, {"type"});
  if (type == "p" || permissions == "none") return;
  json& resources = object_at(linux_part, "resources", "linux.resources");
  add_once(list_at(resources, "devices", "linux.resources.devices"),
           {{"allow", true},
            {"type", type == "u" ? "c" : type},
            {"major", device["major"]},
            {"minor", device.value("minor", json(0))},
            {"access", permissions.empty() ? "rwm" : permissions}});
}

fs::path plain_path(const std::string& path) {
  fs::path plain = fs::path(path).lexically_normal();
  return plain.has_filename() || plain == "/" ? plain : plain.parent_path();
}

void add_mount(json& spec, const json& edit, const std::string& name) {
  const std::string source = text_at(edit, {"hostPath"}), destination = text_at(edit, {"containerPath"});
  const std::string type = text_at(edit, {"type"}).empty() ? "bind" : text_at(edit, {"type"});
  json options = edit.value("options", json());
  if (options.is_null()) options = json::array();
  bool bind = std::any_of(options.begin(), options.end(),
                          [](const json& option) { return option == "bind" || option == "rbind"; });
  if (type == "bind" && !bind) {
    options.push_back("rbind");
    bind = true;
  }
  std::error_code error;
  if (bind && !fs::exists(source, error))
    throw Error(ErrorCode::not_found, fmt::format("'{}', which '{}' mounts, does not exist", source, name))
        .with_hint(
            "its CDI specification is of another driver or host; have it made anew ('nvidia-ctk cdi "
            "generate')");
  put(list_at(spec, "mounts", "mounts"),
      {{"destination", destination}, {"source", source}, {"type", type}, {"options", options}},
      [&](const json& one) { return plain_path(text_at(one, {"destination"})) == plain_path(destination); });
}

/// The same hook twice, as of a GPU that is named by its index and by its UUID, is one.
void add_hook(json& spec, const json& edit) {
  json hook = edit;
  const std::string phase = text_at(edit, {"hookName"});
  hook.erase("hookName");
  for (const char* field : {"args", "env", "timeout"})
    if (hook.contains(field) && (hook[field].is_null() || hook[field] == 0)) hook.erase(field);
  json& hooks = object_at(spec, "hooks", "hooks");
  add_once(list_at(hooks, phase.c_str(), ("hooks." + phase).c_str()), hook);
}

void add_group(json& spec, const json& gid) {
  if (gid == 0) return;
  json& user = object_at(object_at(spec, "process", "process"), "user", "process.user");
  add_once(list_at(user, "additionalGids", "process.user.additionalGids"), gid);
}

const json& entries(const json& edits, const char* key) {
  static const json none = json::array();
  const auto found = edits.find(key);
  return found == edits.end() || found->is_null() ? none : *found;
}

}  // namespace

void apply_edits(json& spec, const json& edits, const std::string& name, std::vector<std::string>& notes) {
  for (const json& variable : entries(edits, "env")) set_variable(spec, variable);
  for (const json& node : entries(edits, "deviceNodes")) add_device(spec, node, name);
  for (const json& mount : entries(edits, "mounts")) add_mount(spec, mount, name);
  for (const json& hook : entries(edits, "hooks")) add_hook(spec, hook);
  for (const json& gid : entries(edits, "additionalGids")) add_group(spec, gid);
  for (const char* left_out : {"intelRdt", "netDevices"})
    if (!entries(edits, left_out).empty())
      notes.push_back(fmt::format("'{}' asks for {}, which is not applied", name, left_out));
}

}  // namespace ckpt
