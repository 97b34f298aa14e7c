// The mounts of a prepared specification, one after the other, as a runtime makes them.
#include "runtimes/spec_links.h"

#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/rooted_path.h"
#include "runtimes/spec.h"

namespace ckpt {

using nlohmann::json;

void follow_sources(json& spec) {
  const std::vector<SpecMount> mounts = spec_mounts(spec);
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    if (!mounts[i].bind) continue;
    std::error_code error;
    const fs::path real = fs::canonical(mounts[i].source, error);
    if (!error) spec["mounts"][i]["source"] = real.string();
  }
}

void follow_destinations(json& spec, RuntimeKind kind) {
  if (kind != RuntimeKind::crun) return;
  const std::string root = spec["root"].value("path", "");
  std::vector<std::string> before;
  const std::vector<SpecMount> mounts = spec_mounts(spec);
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const std::string& destination = mounts[i].destination;
    if (!destination.starts_with('/')) continue;
    before.push_back(resolve_below(root, destination, before));
    if (fs::path(destination).lexically_normal() != before.back())
      spec["mounts"][i]["destination"] = before.back();
  }
}

}  // namespace ckpt
