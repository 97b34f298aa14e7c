// Whether this host can restore an image: compared item by item, before anything is done.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "commands/remap.h"
#include "images/store.h"
#include "runtimes/driver.h"
#include "runtimes/spec.h"

namespace ckpt {

struct CheckedItem {
  enum class Verdict {
    same,
    differs,  ///< worth knowing, and no obstacle by itself
    fails,
  };
  std::string item;         ///< "cpu", "mount /data"
  std::string image, host;  ///< what each has; empty: nothing
  Verdict verdict = Verdict::same;
  std::string reason = {};  ///< of a verdict that is not `same`, as a sentence
  std::string hint = {};
  bool forced = false;   ///< --force makes it `differs`
  std::string how = {};  ///< what `host` was found by, when it is not what `image` says
};

/// What a restore is about to use; what it was made with is the image's manifest.
struct RestoreTarget {
  const Image& image;
  const Driver& driver;
  const nlohmann::json& spec;  ///< prepared; root.path is the root file system below a layer of the image's
  const std::vector<ResolvedMount>& mounts;  ///< its bind mounts
  bool new_spec;                             ///< of another container: config.json is not compared
  std::string config;                        ///< path of the bundle's config.json
  std::string config_digest;                 ///< of the bundle's config.json now
  std::string criu_version;
  /// The container that must be gone first: the one of --replace, or the one that a checkpoint is about to
  /// stop; 0: none. What that has is not in the way.
  pid_t goes = 0;
  bool stands = false;  ///< `goes` is the image's own container: root.path has its writable layer already
};

/// Reads only. An image without a manifest is compared as far as its own files tell.
std::vector<CheckedItem> check_host(const RestoreTarget& target);

/// Where a path of the container lies on the host: below the bind mount with the longest destination, else
/// below the root file system. Empty below any other mount, whose content is the kernel's or the image's.
std::filesystem::path path_on_host(const std::string& path, const std::vector<SpecMount>& mounts,
                                   const std::string& root, bool& in_root);

// Its parts, for tests.
CheckedItem check_cpu(const MachineFacts& then, const MachineFacts& now);
CheckedItem check_kernel(const std::string& then, const std::string& now);
std::vector<CheckedItem> check_mounts(const std::vector<ResolvedMount>& mounts, const HostFiles& files);
std::vector<CheckedItem> check_files(const std::vector<OpenFileFact>& files, const nlohmann::json& spec,
                                     const std::map<std::string, std::uint64_t>& layer);

/// Throws Error(host_incompatible) saying all that fails; with `force`, what may be forced is left out.
void require_compatible(const std::vector<CheckedItem>& items, bool force);

nlohmann::json to_json(const std::vector<CheckedItem>& items);
std::vector<std::vector<std::string>> to_rows(const std::vector<CheckedItem>& items);

}  // namespace ckpt
