// Paths of a container, followed as it would: below its root file system, whose symbolic links may say
// anything.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace ckpt {

/// `path` without the symbolic links of the root file system `root`, as an absolute path of the container.
/// What lies at or below one of `covered` (paths of mounts) is not looked at. A loop of links is left as it
/// is.
std::string resolve_below(const std::filesystem::path& root, const std::string& path,
                          const std::vector<std::string>& covered = {});

}  // namespace ckpt
