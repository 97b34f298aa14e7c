// Paths of a container, followed as it would: below its root file system, whose symbolic links may say
// anything.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "runtimes/fs.h"

namespace ckpt {

/// `path` without the symbolic links of the root file system `root`, as an absolute path of the container.
/// What lies at or below one of `covered` (paths of mounts) is not looked at. A loop of links is left as it
/// is.
std::string resolve_below(const std::filesystem::path& root, const std::string& path,
                          const std::vector<std::string>& covered = {});

/// openat2(2), close-on-exec: `flags` are O_..., `resolve` RESOLVE_... of linux/openat2.h. Without a
/// descriptor on failure, with errno.
Fd open_in(const Fd& directory, const std::filesystem::path& path, std::uint64_t flags,
           std::uint64_t resolve);

}  // namespace ckpt
