// What checkpoint and restore share of CRIU: its program, and its configuration file for one operation.
#pragma once
#include <filesystem>
#include <string>

#include "runtimes/spelling.h"

namespace ckpt {

/// CRIU's path, as the runtimes will find it. Throws Error(unsupported) when it is not installed.
std::string require_criu();

/// Writes what the runtime has no flag for; nothing when there is none. The runtime's environment names the
/// file in CRIU_CONFIG_FILE (criu(8)).
void write_criu_config(const std::filesystem::path& file, const Delivery& delivery);

}  // namespace ckpt
