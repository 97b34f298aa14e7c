// Parting from an engine.
#include "commands/engine_restore.h"

#include <fmt/ranges.h>

#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Verdict = CheckedItem::Verdict;

/// Every engine gives its containers a place among its cgroups; a container that came back from one has none.
bool is_engines_own(const json& spec) {
  return spec.contains("linux") && spec["linux"].contains("cgroupsPath");
}

bool is_of_engine(const Image& image) {
  return image.manifest && ckpt::is_of_engine(image.manifest->bundle);
}

json kept_spec(const Image& image) {
  return parse_json(read_file(image.directory / "spec.dump").value_or(""));
}

CheckedItem what_is_left_behind(const Engine& engine, json& spec) {
  std::vector<std::string> left = leave_engine(spec);
  left.push_back(
      fmt::format("its root file system stays {}'s, and goes when that removes the container", engine.name));
  return {.item = kEngineItem,
          .image = fmt::format("{} '{}'", engine.name, full_name(engine)),
          .host = "ckpt",
          .verdict = Verdict::differs,
          .reason = fmt::format("{}", fmt::join(left, "; "))};
}

/// An engine unmounts it when the container ends: the directory is empty then, or gone.
CheckedItem check_root(const Engine& engine, const std::string& id, const std::string& root) {
  CheckedItem checked{.item = "root file system", .image = "dir", .host = kind_of_path(root)};
  std::error_code error;
  if (checked.host == "dir" && !fs::is_empty(root, error)) return checked;
  checked.verdict = Verdict::fails;
  checked.reason = fmt::format("the root file system '{}' is {}: {} has unmounted or removed it", root,
                               checked.host == "dir" ? "empty" : "gone", engine.name);
  checked.hint = how_to_get_root(engine, id);
  return checked;
}

CheckedItem check_namespace(const Engine& engine, const std::string& type, const std::string& path) {
  CheckedItem checked{.item = type + " namespace", .image = path, .host = path};
  std::error_code error;
  if (fs::exists(path, error)) return checked;
  checked.host = "";
  checked.verdict = Verdict::fails;
  checked.reason = fmt::format("the {} namespace '{}' is gone: {} has removed it", type, path, engine.name);
  checked.hint = type == "network" && fs::path(path).parent_path().filename() == "netns"
                     ? fmt::format("'ip netns add {}' makes one there, with nothing in it",
                                   fs::path(path).filename().string())
                     : "restore it while its engine has the container, or name another one with --spec";
  return checked;
}

}  // namespace

std::optional<Engine> engine_of_image(const Image& image) {
  if (!is_of_engine(image)) return std::nullopt;
  return engine_of(image.manifest->bundle, kept_spec(image));
}

std::optional<Target> target_of_image(const Image& image) {
  if (!image.manifest) return std::nullopt;
  Target target = image.manifest->target;
  if (is_of_engine(image) && is_engines_own(kept_spec(image)))
    target.root = table_of(target.kind).default_root;
  return target;
}

std::optional<Bundle> engine_bundle(const Image& image) {
  if (!is_of_engine(image)) return std::nullopt;
  auto text = read_file(image.directory / "spec.dump");
  if (!text) return std::nullopt;
  const fs::path place = image.manifest->bundle;
  return Bundle{.directory = place, .text = std::move(*text), .config = place / "config.json"};
}

std::vector<CheckedItem> part_from_engine(const Image& image, json& spec) {
  const std::optional<Engine> engine = engine_of_image(image);
  if (!engine) return {};
  std::vector<CheckedItem> items;
  if (is_engines_own(spec)) items.push_back(what_is_left_behind(*engine, spec));
  items.push_back(check_root(*engine, image.manifest->id, spec["root"].value("path", "")));
  for (const auto& [type, path] : spec_namespaces(spec))
    if (!path.empty()) items.push_back(check_namespace(*engine, type, path));
  return items;
}

}  // namespace ckpt
