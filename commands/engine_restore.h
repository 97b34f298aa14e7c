// An engine's container comes back as one of ckpt's: in another root, with its configuration as the
// checkpoint has it, without what only the engine can serve.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "commands/compatibility.h"
#include "images/store.h"
#include "runtimes/engines.h"
#include "runtimes/spec.h"

namespace ckpt {

/// The item that tells what a container leaves behind.
inline constexpr const char* kEngineItem = "engine";

/// Whose container the image is of; nullopt: nobody's, or there is no manifest.
std::optional<Engine> engine_of_image(const Image& image);
/// The runtime of the checkpoint; the root is the runtime's own, where it was an engine's.
std::optional<Target> target_of_image(const Image& image);
/// The configuration kept in the image, where the bundle is an engine's and goes with its container.
std::optional<Bundle> engine_bundle(const Image& image);
/// Takes out of `spec` what is the engine's, and compares what is left of the engine's files and namespaces
/// with this host. The first item, of nothing that was an engine's no item, tells what was taken out.
std::vector<CheckedItem> part_from_engine(const Image& image, nlohmann::json& spec);

}  // namespace ckpt
