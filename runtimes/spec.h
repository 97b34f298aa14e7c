// The OCI runtime specification's config.json: reading it, and preparing our copy of it for a runtime.
#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtimes/runtime.h"

namespace ckpt {

/// A bundle as the user gave it. The directory is never changed.
struct Bundle {
  std::filesystem::path directory;  ///< absolute
  std::string text;                 ///< config.json, byte for byte
  std::filesystem::path config;     ///< its path
  /// What finds it again: the directory, or the file when that has another name.
  std::string place() const { return (config.filename() == "config.json" ? directory : config).string(); }
};
/// Throws Error(not_found) without a config.json. `place` may be a file that is one, under any name.
Bundle read_bundle(const std::filesystem::path& place);

/// XXH3-128 of the text, 32 hexadecimal digits.
std::string digest_of(std::string_view text);

/// Throws Error(invalid_config) when the text is no JSON object with root.path and process.args as the OCI
/// runtime specification has them; `name` is said in the message.
nlohmann::json parse_spec(std::string_view text, const std::string& name);

/// Our copy: absolute root and bind sources (a runtime resolves them against the bundle, which will be
/// another directory), other arguments when `args` is not empty, and what runsc does not take left out:
/// seccomp, and devices that are no GPU's.
nlohmann::json prepare_spec(nlohmann::json spec, const std::filesystem::path& bundle, RuntimeKind kind,
                            const std::vector<std::string>& args);

bool wants_terminal(const nlohmann::json& spec);
/// A network namespace that the runtime makes anew (no path): runc cannot restore connections into it.
bool makes_network_namespace(const nlohmann::json& spec);

/// A mount of the specification, as runtimes read it.
struct SpecMount {
  std::string destination, type, source;
  std::string propagation;  ///< private, rslave, ...; empty: the default
  bool bind = false;
};
std::vector<SpecMount> spec_mounts(const nlohmann::json& spec);
/// Its namespaces: type to path, which is empty for one that the runtime makes.
std::map<std::string, std::string> spec_namespaces(const nlohmann::json& spec);
/// "dir", "file", "socket", "device" or "fifo"; empty when there is nothing.
std::string kind_of_path(const std::filesystem::path& path);

struct BindMount {
  std::string source, destination;
  bool operator==(const BindMount&) const = default;
};
std::vector<BindMount> bind_mounts(const nlohmann::json& spec);
/// Throws Error(not_found) naming the first bind mount whose source is gone; runsc itself would only say
/// "EOF".
void require_bind_sources(const nlohmann::json& spec);

}  // namespace ckpt
