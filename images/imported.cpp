// Believing an archive as far as it can be checked.
#include "images/imported.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <map>

#include "images/bounds.h"
#include "images/criu_facts.h"
#include "images/layer.h"
#include "images/stamp.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

using nlohmann::json;

json document_of(const fs::path& file) {
  return parse_json(read_file(file, kLargestDocument).value_or(""));
}

// ---- when it was taken

timespec now() {
  timespec instant = {};
  ::clock_gettime(CLOCK_REALTIME, &instant);
  return instant;
}

std::string seconds_text(const timespec& instant) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(instant.tv_sec));
}

/// Now, when nobody says it, or says that it will be.
timespec taken_at(const json& config, const std::string& otherwise) {
  auto taken = parse_instant(text_at(config, {"checkpointedTime"}));
  if (!taken) taken = parse_instant(otherwise);
  const timespec present = now();
  return taken && taken->tv_sec > 0 && taken->tv_sec <= present.tv_sec ? *taken : present;
}

// ---- ours

/// Every file that it tells of is there, whole, and no other.
void require_true(const Manifest& m, const ArchiveContent& content, const std::string& name) {
  std::map<std::string, const ImageFile*> told;
  for (const ImageFile& file : m.files) told[file.path] = &file;
  for (const ImageFile& file : content.files) {
    const auto found = told.find(file.path);
    if (found == told.end())
      refuse_import(name, fmt::format("has '{}', of which its ckpt.json does not know", file.path));
    const ImageFile* known = found->second;
    if (known->unpacked && !content.as_stored)
      throw Error(
          ErrorCode::image_invalid,
          fmt::format("'{}' has '{}' as ckpt compressed it, which an export unpacks", name, file.path))
          .with_hint("make it with 'ckpt images export'");
    if (known->size != file.size || (!known->xxh3.empty() && known->xxh3 != file.xxh3))
      refuse_import(name, fmt::format("is damaged: '{}' is not what its ckpt.json says", file.path));
  }
  if (m.files.size() != content.files.size()) refuse_import(name, "lacks files that its ckpt.json tells of");
  const bool dumps = std::all_of(m.pre_dumps.begin(), m.pre_dumps.end(),
                                 [](const PreDump& one) { return is_pre_dump(one.directory); });
  const auto links = dump_links(m);
  const bool ordered = std::all_of(links.begin(), links.end(),
                                   [](const auto& link) { return links_dumps(link.first, link.second); });
  if (m.images == "checkpoint" && dumps && !ordered)
    refuse_import(name, "has a ckpt.json whose dumps are not in the order in which they follow one another");
  if (m.images != "checkpoint" || !dumps) refuse_import(name, "has a ckpt.json that names other directories");
}

Manifest own_manifest(const ArchiveContent& content, const std::string& name) {
  Manifest m = manifest_from_text(*content.manifest, name + "/" + kManifestName);
  require_true(m, content, name);
  m.created = seconds_text(taken_at({}, m.created));
  return m;
}

// ---- of other tools

/// "crun", "/usr/bin/crun", "io.containerd.runsc.v1"
RuntimeKind kind_named(const std::string& runtime) {
  for (const RuntimeTable* row : all_runtimes())
    if (runtime.find(row->name) != std::string::npos) return row->kind;
  return RuntimeKind::runc;
}

/// By the annotations that checkpointctl goes by as well.
std::string maker_of(const json& spec) {
  const json none = json::object();
  const json& annotations = spec.is_object() && spec.contains("annotations") ? spec["annotations"] : none;
  const std::string manager = text_at(annotations, {"io.container.manager"});
  if (manager == "libpod") return "podman";
  if (manager == "cri-o") return "cri-o";
  return text_at(annotations, {"io.kubernetes.cri.container-name"}).empty() ? "unknown" : "containerd";
}

/// A name that can be an id here.
std::string id_of(const json& config) {
  for (const char* key : {"name", "id"})
    if (std::string id = text_at(config, {key}); valid_id(id)) return id;
  return "";
}

Manifest foreign_manifest(const fs::path& directory, const std::string& name) {
  const fs::path images = directory / "checkpoint";
  const bool gvisor = fs::exists(images / "checkpoint.img");
  if (!gvisor && !fs::exists(images / "inventory.img"))
    refuse_import(
        name, "holds no complete checkpoint: neither checkpoint/inventory.img nor checkpoint/checkpoint.img");
  const json config = document_of(directory / "config.dump"), spec = document_of(directory / "spec.dump");
  if (!config.is_object() || !spec.is_object())
    refuse_import(name, "has no config.dump and spec.dump that can be read");
  Manifest m;
  m.id = id_of(config);
  m.target.kind = gvisor ? RuntimeKind::runsc : kind_named(text_at(config, {"runtime"}));
  m.created = seconds_text(taken_at(config, ""));
  m.guarantee = "stopped-by-dump";
  m.layer = fs::exists(directory / kLayerTar);
  m.imported = Imported{.at = {}, .by = maker_of(spec), .spec_trusted = false};
  if (fs::is_directory(directory / "pre-checkpoint"))
    m.pre_dumps.push_back({.directory = "pre-checkpoint", .pages = 0, .seconds = 0});
  try {
    if (!gvisor) add_criu_facts(images, m);
  } catch (const Error& error) {
    refuse_import(name, "holds a damaged image: " + error.message);
  }
  return m;
}

}  // namespace

Manifest distrusted(Manifest m) {
  m.target = {.kind = m.target.kind, .path = {}, .root = std::string(table_of(m.target.kind).default_root)};
  m.bundle.clear();
  m.log_path.clear();
  // These open the host to it, and are the user's to give.
  m.options.ext_unix_sk.reset();
  m.options.shell_job.reset();
  m.options.manage_cgroups.reset();
  return m;
}

std::optional<std::string> why_foreign(const Image& image) {
  if (auto why = why_not_trusted(image.directory / kManifestName)) return why;
  return why_not_trusted(image.runtime_images());
}

Manifest taken_as_imported(Manifest m, const fs::path& directory) {
  const bool below = std::all_of(m.files.begin(), m.files.end(),
                                 [](const ImageFile& file) { return name_below(file.path).has_value(); });
  const bool dumps = std::all_of(m.pre_dumps.begin(), m.pre_dumps.end(),
                                 [](const PreDump& one) { return is_pre_dump(one.directory); });
  if (!below || !dumps || (m.images != "checkpoint" && m.images != "."))
    throw Error(ErrorCode::image_invalid, fmt::format("'{}' tells of files outside of its directory",
                                                      (directory / kManifestName).string()));
  const std::string by = m.imported ? m.imported->by : "ckpt";
  m = distrusted(std::move(m));
  m.imported = Imported{.at = m.created, .by = by, .spec_trusted = false};
  return m;
}

bool from_elsewhere(const Image& image) {
  return image.foreign ||
         (image.manifest && image.manifest->imported && !image.manifest->imported->spec_trusted);
}

Manifest imported_manifest(const ArchiveContent& content, const fs::path& directory,
                           const ImportChoice& choice, const std::string& name) {
  Manifest m = content.manifest ? own_manifest(content, name) : foreign_manifest(directory, name);
  if (!content.manifest && choice.kind) m.target.kind = *choice.kind;
  if (!content.manifest || !choice.trust_spec) m = distrusted(std::move(m));
  const std::string by = content.manifest ? "ckpt" : m.imported->by;
  m.imported = Imported{.at = now_rfc3339(), .by = by, .spec_trusted = choice.trust_spec};
  if (choice.id) m.id = *choice.id;
  if (!valid_id(m.id))
    throw Error(
        ErrorCode::image_invalid,
        fmt::format("'{}' names its container '{}', which cannot be an id here", name, printable(m.id)))
        .with_hint("name it with --id");
  if (!content.as_stored) m.files = content.files;
  return m;
}

std::vector<std::pair<std::string, std::string>> dump_links(const Manifest& manifest) {
  std::vector<std::pair<std::string, std::string>> links;
  for (std::size_t i = 0; i < manifest.pre_dumps.size(); ++i) {
    const bool last = i + 1 == manifest.pre_dumps.size();
    links.emplace_back((last ? "checkpoint" : manifest.pre_dumps[i + 1].directory) + "/parent",
                       "../" + manifest.pre_dumps[i].directory);
  }
  return links;
}

std::string imported_stamp(const Manifest& manifest, const fs::path& directory) {
  return stamp_of(taken_at(document_of(directory / "config.dump"), manifest.created));
}

}  // namespace ckpt
