// Writing and reading image layouts.
#include "images/oci_layout.h"

#include <fcntl.h>

#include <algorithm>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kConfigType = "application/vnd.oci.image.config.v1+json";
constexpr std::size_t kMostManifest = 4U << 20U;

/// As Go names it.
std::string architecture(const std::string& machine) {
  static const std::map<std::string, std::string> kNames = {
      {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"i686", "386"}, {"armv7l", "arm"}};
  const auto found = kNames.find(machine);
  return found == kNames.end() ? machine : found->second;
}

fs::path blobs_of(const fs::path& directory) {
  return directory / "blobs" / "sha256";
}

OciLayer add_blob(const fs::path& directory, const json& document, const std::string& media_type) {
  const std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string hex = sha256_of(text);
  write_file_atomic(blobs_of(directory) / hex, text);
  return {"sha256:" + hex, text.size(), media_type};
}

json descriptor(const OciLayer& blob) {
  return {{"mediaType", blob.media_type}, {"digest", blob.digest}, {"size", blob.size}};
}

BlobDigests add_layer(const Image& image, const fs::path& directory, const ArchiveFilter& filter) {
  const fs::path file = directory / "layer";
  const Fd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot write '{}': {}", file.string(), errno_text(errno)));
  BlobDigests layer = write_layer_blob(image, out.get(), filter);
  fs::rename(file, blobs_of(directory) / layer.written);
  return layer;
}

/// Where a blob of that digest lies.
fs::path blob_file(const fs::path& directory, const std::string& digest, const std::string& name) {
  constexpr std::string_view kSha256 = "sha256:";
  const std::string hex = digest.starts_with(kSha256) ? digest.substr(kSha256.size()) : "";
  if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos)
    refuse_import(name, "has a digest that is none");
  return blobs_of(directory) / hex;
}

}  // namespace

std::string layer_media_type(const ArchiveFilter& filter) {
  return "application/vnd.oci.image.layer.v1.tar" + (filter.name.empty() ? "" : "+" + filter.name);
}

std::map<std::string, std::string> oci_annotations(const Manifest& m) {
  const std::string runtime(table_of(m.target.kind).name);
  const std::map<std::string, std::map<std::string, std::string>> families = {
      {"org.criu.checkpoint.",
       {{"engine.name", "ckpt"},
        {"container.name", m.id},
        {"runtime.name", runtime},
        {"runtime.version", m.runtime_version},
        {"criu.version", m.criu_version},
        {"host.arch", m.machine.arch},
        {"host.kernel", m.machine.kernel},
        {"cgroup.version", m.machine.cgroups}}},
      {"io.podman.annotations.checkpoint.",
       {{"name", m.id},
        {"runtime.name", runtime},
        {"runtime.version", m.runtime_version},
        {"criu.version", m.criu_version},
        {"host.arch", m.machine.arch},
        {"host.kernel", m.machine.kernel},
        {"cgroups.version", m.machine.cgroups}}},
      {"io.kubernetes.cri-o.annotations.checkpoint.", {{"name", m.id}, {"criu.version", m.criu_version}}},
      {"org.opencontainers.image.", {{"created", m.created}}}};
  std::map<std::string, std::string> all;
  for (const auto& [prefix, family] : families)
    for (const auto& [key, value] : family)
      if (!value.empty()) all.emplace(prefix + key, value);
  return all;
}

json oci_config(const Manifest& m, const BlobDigests& layer) {
  return {{"created", m.created},
          {"architecture", architecture(m.machine.arch)},
          {"os", "linux"},
          {"config", json::object()},
          {"rootfs", {{"type", "layers"}, {"diff_ids", {"sha256:" + layer.unpacked}}}},
          {"history", {{{"created", m.created}, {"created_by", "ckpt images push"}}}}};
}

json oci_manifest(const OciLayer& config, const OciLayer& layer,
                  const std::map<std::string, std::string>& annotations) {
  return {{"schemaVersion", 2},
          {"mediaType", kManifestType},
          {"config", descriptor(config)},
          {"layers", json::array({descriptor(layer)})},
          {"annotations", annotations}};
}

void write_oci_layout(const Image& image, const fs::path& directory, const ArchiveFilter& filter) {
  make_private_dirs(blobs_of(directory));
  const Manifest& m = *image.manifest;
  const BlobDigests digests = add_layer(image, directory, filter);
  const OciLayer layer{"sha256:" + digests.written, digests.size, layer_media_type(filter)};
  const OciLayer config = add_blob(directory, oci_config(m, digests), kConfigType);
  const OciLayer manifest =
      add_blob(directory, oci_manifest(config, layer, oci_annotations(m)), kManifestType);
  write_file_atomic(directory / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  const json index = {{"schemaVersion", 2}, {"manifests", json::array({descriptor(manifest)})}};
  write_file_atomic(directory / "index.json", index.dump());
}

bool is_oci_layout(const fs::path& directory) {
  return fs::exists(directory / "index.json");
}

std::vector<OciLayer> layers_of(const std::string& manifest, const std::string& name) {
  const json document = parse_json(manifest);
  if (document.is_object() && document.contains("manifests")) return {};
  try {
    std::vector<OciLayer> layers;
    for (const json& one : document.at("layers"))
      layers.push_back({one.at("digest"), one.at("size").get<std::uint64_t>(), one.value("mediaType", "")});
    if (layers.size() != 1)
      refuse_import(name,
                    fmt::format("is no checkpoint: it has {} layers, a checkpoint has one", layers.size()));
    return layers;
  } catch (const json::exception&) {
    refuse_import(name, "has a manifest that is none of an image");
  }
}

fs::path layer_file(const fs::path& directory, const std::string& name) {
  const json index = parse_json(read_file(directory / "index.json", kMostManifest).value_or(""));
  std::string digest;
  try {
    digest = index.at("manifests").at(0).at("digest");
  } catch (const json::exception&) {
    refuse_import(name, "came without an image");
  }
  const auto manifest = read_file(blob_file(directory, digest, name), kMostManifest);
  const std::vector<OciLayer> layers = layers_of(manifest.value_or(""), name);
  if (layers.empty()) refuse_import(name, "is an index of images, not one");
  return blob_file(directory, layers[0].digest, name);
}

}  // namespace ckpt
