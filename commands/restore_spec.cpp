// Which configuration, which sources, which name.
#include "commands/restore_spec.h"

#include "commands/engine_restore.h"
#include "commands/new_spec.h"
#include "images/criu_descriptors.h"
#include "images/imported.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/spec.h"
#include "runtimes/spec_links.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// What the container ran with, as the checkpoint has it; of an archive only when the user vouches for it.
std::optional<json> spec_then(const Image& image) {
  if (!image.manifest || from_elsewhere(image)) return std::nullopt;
  const fs::path file = image.directory / "spec.dump";
  const auto kept = read_file(file);
  if (!kept) return std::nullopt;
  return parse_spec(*kept, file.string());
}

/// The bundle is the one that the checkpoint was made with; of an archive it may not be known.
bool is_same_bundle(const Manifest& m, const Record& record) {
  return record.config_digest == m.config_digest || (m.imported && m.config_digest.empty());
}

/// The user's configuration, and the directory or file that it is from.
Bundle choose_bundle(const RestoreOptions& o, const Image& image) {
  if (o.spec && o.bundle)
    throw Error(ErrorCode::usage, "--spec and --bundle exclude each other")
        .with_hint("--spec takes a bundle's directory too; its root file system is used");
  if (o.spec) return read_bundle(*o.spec);
  if (!o.bundle && image.manifest && image.manifest->bundle.empty())
    throw Error(ErrorCode::usage,
                fmt::format("'{}' was imported, and does not say which bundle is its container's",
                            image.named().string()))
        .with_hint("name the bundle, with config.json and the root file system, with --bundle");
  return read_bundle(o.bundle ? *o.bundle : image.manifest ? image.manifest->bundle : ".");
}

/// CRIU's processes get the name that their UTS namespace had; another can be given when they run. runsc
/// takes the one of config.json, if it is so new that it compares the rest of that: 2026 does, 2024 keeps the
/// image's.
bool may_be_named(const Driver& driver, const json& spec) {
  if (!driver.table().shares_host_kernel) return driver.dialect("").flags.has("--restore-spec-validation");
  const auto namespaces = spec_namespaces(spec);
  const auto uts = namespaces.find("uts");
  return uts != namespaces.end() && uts->second.empty();
}

/// Of what CRIU mounts: it would mount the link itself.
void follow_links(ChosenSpec& chosen) {
  follow_sources(chosen.spec);
  for (ExternalMount& mount : chosen.external) {
    std::error_code error;
    const fs::path real = fs::canonical(mount.source, error);
    if (!error) mount.source = real.string();
  }
}

}  // namespace

ChosenSpec choose_spec(const RestoreOptions& o, const Image& image, const RuntimeTable& table,
                       Record& record) {
  const std::optional<Bundle> kept = o.spec || o.bundle ? std::nullopt : engine_bundle(image);
  const Bundle bundle = kept ? *kept : choose_bundle(o, image);
  record.bundle = bundle.place();
  record.config_digest = kept ? image.manifest->config_digest : digest_of(bundle.text);
  json now = prepare_spec(parse_spec(bundle.text, bundle.config.string()), bundle.directory, table.kind, {});
  follow_destinations(now, table.kind);
  ChosenSpec chosen{now, bundle.config.string(), {}, {}, {}, {}, {}};
  const std::optional<json> then = spec_then(image);
  const bool is_new = o.spec && then;
  if (is_new) {
    chosen.spec = merge_specs(*then, now, table.uses_criu);
    chosen.changes = compare_specs(*then, now);
    if (now.value("hostname", "") != then->value("hostname", "")) chosen.hostname = now.value("hostname", "");
  } else if (then && !kept && is_same_bundle(*image.manifest, record)) {
    chosen.spec = *then;
    chosen.spec["root"]["path"] = now["root"]["path"];
  }
  if (!o.spec) chosen.parted = part_from_engine(image, chosen.spec);
  const json& before = is_new ? *then : chosen.spec;
  const std::vector<MountMap> maps = parse_mount_maps(o.map_mounts);
  if (table.uses_criu)
    chosen.external =
        left_to_criu(image_mounts(image.runtime_images()), chosen.spec, record.target.root, maps);
  std::vector<std::string> others;
  for (const ExternalMount& mount : chosen.external) others.push_back(mount.mountpoint);
  require_used(maps, before, others);
  chosen.mounts =
      resolve_mounts(before, is_new ? now : json(),
                     image.manifest ? image.manifest->mounts : std::vector<MountFact>(), maps, this_host());
  apply_mounts(chosen.spec, chosen.mounts);
  if (table.uses_criu) follow_links(chosen);
  return chosen;
}

std::vector<std::string> kept_by_image(const std::vector<CheckedItem>& changes) {
  std::vector<std::string> kept;
  for (const CheckedItem& one : changes)
    if (one.verdict == CheckedItem::Verdict::differs) kept.push_back(one.item);
  return kept;
}

std::string choose_hostname(const RestoreOptions& o, const Driver& driver, ChosenSpec& chosen) {
  std::string wanted = o.hostname.value_or(chosen.hostname);
  if (wanted.empty()) return wanted;
  if (may_be_named(driver, chosen.spec)) {
    chosen.spec["hostname"] = wanted;
    return wanted;
  }
  if (!o.hostname) {
    chosen.changes.push_back({.item = "hostname",
                              .image = chosen.spec.value("hostname", ""),
                              .host = wanted,
                              .verdict = CheckedItem::Verdict::differs,
                              .reason = "the image has fixed it"});
    return "";
  }
  throw Error(ErrorCode::unsupported,
              driver.table().shares_host_kernel
                  ? "--hostname: the container has no uts namespace of its own, its name is another's too"
                  : fmt::format("--hostname: {} {} keeps the name of the image", driver.table().name,
                                driver.version()))
      .with_runtime(std::string(driver.table().name))
      .with_hint("leave --hostname out");
}

}  // namespace ckpt
