// The processes of an image have their arguments, users, capabilities and open files already; the rest is the
// runtime's to give.
#include "commands/new_spec.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "runtimes/json.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Verdict = CheckedItem::Verdict;
using Pointer = json::json_pointer;

struct FixedPart {
  const char* item;
  const char* pointer;
  bool ordered = true;
};
constexpr FixedPart kFixed[] = {
    {"arguments", "/process/args"},
    {"user", "/process/user"},
    {"capabilities", "/process/capabilities", false},
    {"environment", "/process/env", false},
    {"working directory", "/process/cwd"},
    {"terminal", "/process/terminal"},
    {"limits", "/process/rlimits", false},
    {"no new privileges", "/process/noNewPrivileges"},
    {"apparmor", "/process/apparmorProfile"},
    {"selinux", "/process/selinuxLabel"},
    {"seccomp", "/linux/seccomp"},
    {"devices", "/linux/devices"},
    {"read-only root", "/root/readonly"},
};

/// Lists sorted, and what is absent, false or empty the same.
json canonical(json value, bool ordered) {
  if (value.is_object()) {
    json out = json::object();
    for (const auto& [key, inner] : value.items())
      if (json one = canonical(inner, ordered); !one.is_null()) out[key] = std::move(one);
    return out.empty() ? json() : out;
  }
  if (value.is_array() && !ordered) std::sort(value.begin(), value.end());
  const bool nothing =
      value == false || value == 0 || ((value.is_array() || value.is_string()) && value.empty());
  return nothing ? json() : value;
}

json part(const json& spec, const FixedPart& one) {
  const Pointer at(one.pointer);
  return canonical(spec.contains(at) ? spec.at(at) : json(), one.ordered);
}

/// Names only: values may be secrets.
std::string changed_variables(const json& before, const json& after) {
  std::vector<std::string> then, now, changed;
  for (const auto& [list, into] : {std::pair(&before, &then), std::pair(&after, &now)})
    for (const json& one : *list)
      if (one.is_string()) into->push_back(one.get<std::string>());
  std::set_symmetric_difference(then.begin(), then.end(), now.begin(), now.end(),
                                std::back_inserter(changed));
  for (std::string& one : changed) one.erase(std::min(one.find('='), one.size()));
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  return fmt::format("{}", fmt::join(changed, ", "));
}

std::string text_of(const json& value) {
  constexpr std::size_t kLongest = 40;
  std::string text;
  if (value.is_array() &&
      std::all_of(value.begin(), value.end(), [](const json& v) { return v.is_string(); }))
    text = fmt::format("{}", fmt::join(value.get<std::vector<std::string>>(), " "));
  else if (!value.is_null())
    text = value.is_string() ? value.get<std::string>() : value.dump();
  return text.size() <= kLongest ? text : text.substr(0, kLongest - 3) + "...";
}

/// "own", "the host's" or its path.
std::string namespace_text(const std::map<std::string, std::string>& all, const std::string& type) {
  const auto found = all.find(type);
  if (found == all.end()) return "the host's";
  return found->second.empty() ? "own" : found->second;
}

/// CRIU and the runtimes join only these by a path.
bool joined_by_path(const std::string& type) {
  return type == "network" || type == "pid";
}

CheckedItem compare_namespace(const std::string& type, const std::string& then, const std::string& now) {
  CheckedItem item{.item = "namespace " + type, .image = then, .host = now};
  if (then == now) return item;
  const bool by_path = then.starts_with('/') && now.starts_with('/');
  if (by_path && joined_by_path(type)) {
    item.how = "by its path in the new specification";
  } else if (type == "network") {
    item.verdict = Verdict::fails;
    item.reason = fmt::format("the image's network namespace was {}, that of the new specification is {}",
                              then.starts_with('/') ? "one by its path" : then,
                              now.starts_with('/') ? "one by its path" : now);
    item.hint = "a container that is to move between network namespaces is started in one that has a path";
  } else {
    item.verdict = Verdict::differs;
    item.reason = then == "the host's" ? "the image has none of its own" : "the image brings one of its own";
  }
  return item;
}

void compare_namespaces(std::vector<CheckedItem>& items, const json& then, const json& now) {
  const auto before = spec_namespaces(then), after = spec_namespaces(now);
  for (const char* type : {"network", "pid", "ipc", "uts", "user", "mount", "cgroup", "time"}) {
    CheckedItem item = compare_namespace(type, namespace_text(before, type), namespace_text(after, type));
    if (item.verdict != Verdict::same || !item.how.empty()) items.push_back(std::move(item));
  }
}

/// Bind mounts of the container are compared with their sources elsewhere.
void compare_mounts(std::vector<CheckedItem>& items, const json& then, const json& now) {
  const std::vector<SpecMount> before = spec_mounts(then);
  for (const SpecMount& mount : spec_mounts(now)) {
    const auto old = std::find_if(before.begin(), before.end(),
                                  [&](const SpecMount& one) { return one.destination == mount.destination; });
    const std::string what = mount.bind ? "bind" : mount.type;
    if (old != before.end() && (old->bind || (!mount.bind && old->type == mount.type))) continue;
    items.push_back({.item = "mount " + mount.destination,
                     .image = old == before.end() ? "" : old->type,
                     .host = mount.bind ? mount.source : mount.type,
                     .verdict = Verdict::differs,
                     .reason = old == before.end()
                                   ? "a restored container gets no mounts besides those of the image"
                                   : fmt::format("it stays the {} of the image", old->type)});
  }
}

void take(json& into, const json& from, const char* key) {
  into.erase(key);
  if (from.contains(key)) into[key] = from[key];
}

/// gVisor compares its own annotations.
json merged_annotations(const json& then, const json& now) {
  json out = json::object();
  const auto add = [&](const json& spec, bool gvisors) {
    const json annotations = spec.value("annotations", json::object());
    for (const auto& [key, value] : annotations.items())
      if (key.starts_with("dev.gvisor.") == gvisors) out[key] = value;
  };
  add(then, true);
  add(now, false);
  return out;
}

void merge_namespaces(json& merged, const json& now, bool uses_criu) {
  const auto after = spec_namespaces(now);
  if (!merged.contains("/linux/namespaces"_json_pointer)) return;
  for (json& one : merged["linux"]["namespaces"]) {
    const std::string type = one.value("type", ""), before = one.value("path", "");
    const auto found = after.find(type);
    if (before.empty()) continue;
    if (uses_criu && !joined_by_path(type))
      one.erase("path");
    else if (found != after.end() && !found->second.empty())
      one["path"] = found->second;
  }
}

}  // namespace

json merge_specs(const json& then, const json& now, bool uses_criu) {
  json merged = then;
  merged["root"]["path"] = now["root"]["path"];
  take(merged, now, "hooks");
  merged["annotations"] = merged_annotations(then, now);
  const json linux_now = now.value("linux", json::object());
  if (!merged.contains("linux")) merged["linux"] = json::object();
  for (const char* key : {"cgroupsPath", "resources"}) take(merged["linux"], linux_now, key);
  merge_namespaces(merged, now, uses_criu);
  return merged;
}

std::vector<CheckedItem> compare_specs(const json& then, const json& now) {
  std::vector<CheckedItem> items;
  for (const FixedPart& one : kFixed) {
    const json before = part(then, one), after = part(now, one);
    if (before == after) continue;
    const bool variables = std::string_view(one.item) == "environment";
    items.push_back({.item = one.item,
                     .image = variables ? fmt::format("{} variables", before.size()) : text_of(before),
                     .host = variables ? fmt::format("{} variables", after.size()) : text_of(after),
                     .verdict = Verdict::differs,
                     .reason = "the image has fixed " +
                               (variables ? changed_variables(before, after) : std::string("it"))});
  }
  compare_mounts(items, then, now);
  compare_namespaces(items, then, now);
  return items;
}

}  // namespace ckpt
