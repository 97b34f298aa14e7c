// Places outside of this host for checkpoints, and the command lines of the programs that reach them: skopeo
// for OCI layouts and registries, rclone for whatever it knows.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "images/manifest.h"
#include "runtimes/spawn.h"

namespace ckpt {

struct FarPlace {
  std::string text;     ///< as users write it, with an absolute path for oci:
  std::string program;  ///< skopeo, rclone
  std::string name;     ///< as the program takes it: without rclone:
};

struct FarOptions {
  std::optional<std::string> authfile;       ///< skopeo's credentials
  std::optional<std::string> rclone_config;  ///< rclone's remotes and credentials
  bool tls_verify = true;
  /// One of them was given.
  bool any() const { return authfile || rclone_config || !tls_verify; }
};

/// Names in a place where a push or pull works, and of the file that says when the checkpoint was taken.
constexpr const char* kFarList = "files";
constexpr const char* kFarTaken = "config.dump";

/// Whether it begins as such a place does. Pure.
bool is_far(std::string_view text);
/// oci:DIR[:TAG], docker://REGISTRY/NAME[:TAG], rclone:REMOTE:PATH. Throws Error(usage).
FarPlace far_place(const std::string& text);
/// With {id} and {time} replaced. Pure.
std::string expand_place(std::string text, const std::string& id, const std::string& stamp);

/// Arguments of skopeo; `layout` is the directory of an OCI image layout with one image. Pure.
Argv skopeo_push(const FarOptions& o, const std::string& layout, const FarPlace& to);
Argv skopeo_inspect(const FarOptions& o, const FarPlace& from);
Argv skopeo_pull(const FarOptions& o, const FarPlace& from, const std::string& layout);

/// Arguments of rclone; `list` is a file that names those to be copied, a line each. Pure.
Argv rclone_read(const FarOptions& o, const FarPlace& from, const std::string& file);
Argv rclone_list(const FarOptions& o, const FarPlace& place);
Argv rclone_push(const FarOptions& o, const std::string& list, const std::string& directory,
                 const FarPlace& to);
Argv rclone_push_file(const FarOptions& o, const std::string& path, const FarPlace& to,
                      const std::string& file);
/// What `list` says for these.
std::string rclone_files(const std::vector<ImageFile>& files);
Argv rclone_pull(const FarOptions& o, const std::string& list, const FarPlace& from,
                 const std::string& directory);

/// The first line of what skopeo or rclone said that tells why it failed, without its decoration; empty when
/// there is none. Pure.
std::string far_cause(const std::string& said);
/// Bytes that rclone had sent or received when it wrote this line of its log; nullopt for another line. Pure.
std::optional<std::uint64_t> rclone_bytes(const std::string& line);

}  // namespace ckpt
