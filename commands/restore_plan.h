// The look before a restore: which image, runtime, bundle and configuration; whether they go together.
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands/compatibility.h"
#include "commands/dump_engine.h"
#include "commands/gpu.h"
#include "commands/images_far.h"
#include "commands/launching.h"
#include "commands/listing.h"
#include "images/store.h"
#include "images/workplace.h"
#include "runtimes/spelling.h"

namespace ckpt {

struct RestoreOptions : LaunchOptions {
  std::optional<std::string> image_path, from, bundle, spec, work_path, hostname, tcp, engine;
  std::vector<std::string> ids;  ///< as they were named; each becomes `id`
  bool all = false;              ///< every one that a checkpoint stopped, after `filter`
  ListFilter filter;
  FarOptions far;           ///< when `from` is far
  bool trust_spec = false;  ///< of what is pulled
  std::vector<std::string> gpu_map, map_mounts;
  CudaOptions cuda;
  std::optional<bool> replace, force, verify_image, no_verify;
  std::optional<std::string> probe;
  std::chrono::milliseconds probe_timeout{30'000};
  RestoreOpts opts;
};

/// Everything that is known before anything is changed.
struct RestorePlan {
  Image image;
  Driver driver;
  Record record;
  nlohmann::json spec;
  LaunchFiles files;
  RestoreOpts opts;
  Delivery delivery;
  std::filesystem::path work_dir;
  std::filesystem::path lower;  ///< below the image's writable layer; empty: it has none
  GpuImage gpu;                 ///< as it is to be brought back: strategy none for nothing
  std::string device_map;
  std::filesystem::path unpacked;  ///< where a compressed image is unpacked to; empty: it is not compressed
  std::vector<CheckedItem> host;   ///< what this host has against what the image was made with
  std::vector<std::string> kept;   ///< what a new specification changed and the image has fixed
  std::string hostname;            ///< to be given when it runs; empty: nothing to do
  std::optional<Cedana> cedana;    ///< in the runtime's stead
  std::filesystem::path images;    ///< the files to restore from
  std::shared_ptr<const Staging> copied = {};  ///< of an image that others can change; nullptr: nobody can
};

/// Of CRIU's files of the image and its pre-dumps, as they are in `directory`, unpacked. Throws
/// Error(image_invalid) for one that is cut short.
void check_pages(const Image& image, const std::filesystem::path& directory);

/// What `ckpt restore ID` would have against an image of a container that still stands there, with the first
/// process `goes`, and is about to be stopped. Throws what that would throw.
std::vector<CheckedItem> against_restore(const Context& context, const Image& image, const std::string& criu,
                                         pid_t goes);

/// Throws what is wrong before anything is changed; Error(host_incompatible) for what this host lacks, unless
/// only
/// --check was asked.
RestorePlan plan_restore(const Context& context, const RestoreOptions& o);

}  // namespace ckpt
