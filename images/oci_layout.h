// A checkpoint as an OCI image: a layout directory with one image of one layer, which is the archive; with
// the annotations by which podman, CRI-O and checkpointctl know a checkpoint.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "images/archive.h"

namespace ckpt {

struct OciLayer {
  std::string digest;  ///< sha256:...
  std::uint64_t size = 0;
  std::string media_type = {};
};

/// Throws as write_archive(). `directory` is there and empty; index.json is written last.
void write_oci_layout(const Image& image, const std::filesystem::path& directory,
                      const ArchiveFilter& filter);
/// Whether write_oci_layout() came to its end there.
bool is_oci_layout(const std::filesystem::path& directory);
/// The file of the only layer of the only image. Throws Error(image_invalid); `name` is the place's for
/// messages.
std::filesystem::path layer_file(const std::filesystem::path& directory, const std::string& name);

/// Of an image that has no layers, or whose layers are not told here, none. Throws Error(image_invalid) for
/// what is no manifest of an image or index of them; `name` is whose.
std::vector<OciLayer> layers_of(const std::string& manifest, const std::string& name);

/// Pure.
std::map<std::string, std::string> oci_annotations(const Manifest& manifest);
nlohmann::json oci_config(const Manifest& manifest, const BlobDigests& layer);
nlohmann::json oci_manifest(const OciLayer& config, const OciLayer& layer,
                            const std::map<std::string, std::string>& annotations);
std::string layer_media_type(const ArchiveFilter& filter);

}  // namespace ckpt
