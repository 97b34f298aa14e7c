// ckpt.json: what a checkpoint is, written last. A directory without it is no checkpoint of ours.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/machine.h"
#include "runtimes/options.h"
#include "runtimes/preflight.h"
#include "runtimes/runtime.h"

namespace ckpt {

struct ImageFile {
  std::string path;  ///< relative to the checkpoint's directory
  std::uint64_t size = 0;
  std::string xxh3 = {};  ///< XXH3-128 of its content, 32 hexadecimal digits; empty: not known
  std::optional<std::uint64_t> unpacked = {};  ///< bytes of the original of a compressed file
  bool operator==(const ImageFile&) const = default;
};

struct GpuIdentity {
  std::string uuid, name;
};

/// What a checkpoint has of GPU state.
struct GpuImage {
  std::string strategy = "none";     ///< none, native, plugin, manual
  std::vector<GpuHolder> processes;  ///< `inner` is their pid; `pid` means nothing after a restore
  std::string driver;                ///< version; empty: not known
  std::vector<GpuIdentity> gpus;     ///< the host's, in the driver's order
  std::uint64_t bytes = 0;           ///< GPU memory that they used; 0: not known
};

struct MountFact {
  std::string destination, type, source;
  std::string kind;         ///< of a bind mount's source: dir, file, socket, device; empty: no bind mount
  std::string propagation;  ///< private, rslave, ... as config.json says; empty: the runtime's default
};

/// A file that must have its size again at the restore (CRIU criu/files-reg.c).
struct OpenFileFact {
  std::string path;  ///< in the container
  std::uint64_t size = 0;
};

struct ProcessFact {
  int pid = 0;  ///< in the container's pid namespace
  std::string comm;
};

/// One dump of memory that was made while the container ran; the next one, or the final one, has only what
/// changed.
struct PreDump {
  std::string directory;  ///< relative to the checkpoint's
  std::uint64_t pages = 0;
  double seconds = 0;
};

/// Of an image that came as an archive.
struct Imported {
  std::string at;             ///< RFC 3339 UTC
  std::string by;             ///< who made it: ckpt, podman, cri-o, containerd, or unknown
  bool spec_trusted = false;  ///< the user vouches for its configuration
  bool operator==(const Imported&) const = default;
};

struct Manifest {
  std::string id;
  Target target;  ///< binary, root and global flags, to be replayed
  std::string runtime_version;
  std::string criu_version;    ///< empty for runsc, and for Cedana, which brings its own
  std::string cedana_version;  ///< empty: --engine cedana did not make it
  std::string bundle;          ///< the user's bundle directory
  std::string config_digest;   ///< XXH3-128 of its config.json
  std::string log_path;
  std::string created;  ///< RFC 3339 UTC
  MachineFacts machine;
  std::string images = "checkpoint";  ///< where the runtime's files are, relative; "." with --image-path
  bool terminal = false;
  bool leave_running = false;
  std::string guarantee;           ///< "published-first" or "stopped-by-dump"
  bool layer = false;              ///< the container's writable layer is in rootfs-diff.tar and deleted.files
  std::vector<std::string> stdio;  ///< kinds of the first process' streams; empty: not known
  std::vector<MountFact> mounts;
  std::map<std::string, std::string> namespaces;  ///< type to path; no path: the runtime makes it
  std::vector<OpenFileFact> open_files;           ///< runc and crun
  std::vector<ProcessFact> processes;             ///< runc and crun
  std::vector<PreDump> pre_dumps;                 ///< in their order
  std::optional<Imported> imported;
  CheckpointOpts options;  ///< as delivered; paths left out
  GpuImage gpu;
  std::map<std::string, double> seconds;
  std::vector<ImageFile> files;
};

constexpr const char* kManifestName = "ckpt.json";

/// Whether a directory of an image has the name of a pre-dump: pre-1, or podman's pre-checkpoint.
bool is_pre_dump(std::string_view directory);
/// Every regular file below `directory`, sorted, without the manifest and the pin; digests are not filled in.
std::vector<ImageFile> files_below(const std::filesystem::path& directory);
/// Of all of them, in bytes.
std::uint64_t total_size(const std::vector<ImageFile>& files);
/// As in ckpt.json.
nlohmann::json to_json(const std::vector<PreDump>& pre_dumps);
nlohmann::json manifest_to_json(const Manifest& manifest);
/// What is in ckpt.json.
std::string manifest_text(const Manifest& manifest);
/// The reverse; `name` is where it stands. Throws Error(image_invalid).
Manifest manifest_from_text(const std::string& text, const std::string& name);
void write_manifest(const std::filesystem::path& directory, const Manifest& manifest);
/// nullopt without ckpt.json. Throws Error(image_invalid) when it cannot be read as one.
std::optional<Manifest> read_manifest(const std::filesystem::path& directory);
/// Throws Error(image_invalid) naming the first file that is missing or has another size.
void check_sizes(const std::filesystem::path& directory, const Manifest& manifest);

}  // namespace ckpt
