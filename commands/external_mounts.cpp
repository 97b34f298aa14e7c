// What runc (libcontainer/criu_linux.go) and crun (libcrun/criu.c) register as external mounts, seen from
// their images.
#include "commands/external_mounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "runtimes/error.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;

constexpr std::string_view kEmptyDirectory = "/.empty-directory";  // crun's, in its root

/// Keys that the runtime knows for `spec`; a cgroup mount stands for all that is below it.
struct Given {
  std::set<std::string> keys = {"/dev/null"};
  std::vector<std::string> above;
};

Given given_by_runtime(const json& spec, const std::string& root) {
  Given given;
  given.keys.insert(root + std::string(kEmptyDirectory));
  for (const SpecMount& mount : spec_mounts(spec)) {
    if (mount.bind) given.keys.insert(mount.destination);
    if (mount.type == "cgroup") given.above.push_back(mount.destination + "/");
  }
  const json linux_part = spec.value("linux", json::object());
  for (const json& path : linux_part.value("maskedPaths", json::array()))
    if (path.is_string()) given.keys.insert(path.get<std::string>());
  return given;
}

bool is_given(const Given& given, const std::string& key) {
  return !key.starts_with('/') || given.keys.contains(key) ||
         std::any_of(given.above.begin(), given.above.end(),
                     [&](const std::string& directory) { return key.starts_with(directory); });
}

std::string source_of(const ImageMount& mount, const std::string& root, const std::vector<MountMap>& maps) {
  for (const MountMap& map : maps)
    if (map.from == mount.mountpoint) return map.to;
  return mount.external.ends_with(kEmptyDirectory) ? root + std::string(kEmptyDirectory) : "";
}

/// A line of CRIU's configuration ends a word at white space and at '#', and takes quotes away (CRIU 4.1,
/// criu/config.c); a key ends at its ']'. The key is the image's, which may be anybody's.
std::string line_of(const ExternalMount& mount) {
  std::string line = fmt::format("external mnt[{}]:{}", mount.key, mount.source);
  const auto breaks = [](unsigned char c) { return c <= ' ' || c == 0x7f || std::strchr("#'\"\\", c); };
  if (mount.key.find(']') != std::string::npos || std::any_of(line.begin() + 9, line.end(), breaks))
    throw Error(ErrorCode::image_invalid, fmt::format("mount '{}': '{}' cannot be given to CRIU",
                                                      printable(mount.mountpoint), printable(line.substr(9))))
        .with_hint(
            "no white space, quotes, backslashes or '#' may be in the names of such mounts, no ']' in the "
            "image's");
  return line;
}

}  // namespace

std::vector<ExternalMount> left_to_criu(const std::vector<ImageMount>& mounts, const json& spec,
                                        const std::string& root, const std::vector<MountMap>& maps) {
  const Given given = given_by_runtime(spec, root);
  std::vector<ExternalMount> left;
  for (const ImageMount& mount : mounts)
    if (!mount.external.empty() && !is_given(given, mount.external))
      left.push_back({mount.mountpoint, mount.external, source_of(mount, root, maps)});
  return left;
}

std::vector<std::string> external_lines(const std::vector<ExternalMount>& mounts) {
  std::set<std::string> lines;
  for (const ExternalMount& mount : mounts)
    if (!mount.source.empty()) lines.insert(line_of(mount));
  return {lines.begin(), lines.end()};
}

std::vector<CheckedItem> check_external(const std::vector<ExternalMount>& mounts) {
  std::vector<CheckedItem> items;
  for (const ExternalMount& mount : mounts) {
    CheckedItem item{.item = "mount " + mount.mountpoint, .image = mount.key, .host = mount.source};
    if (mount.source.empty()) {
      item.verdict = CheckedItem::Verdict::differs;
      item.reason = fmt::format(
          "config.json has nothing for it, and CRIU may refuse; --map-mount {}=NEW does", mount.mountpoint);
    } else {
      item.how = "by CRIU's configuration file";
    }
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace ckpt
