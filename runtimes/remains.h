// What a runtime or a CRIU that was killed in its work has left on the disk.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "runtimes/runtime.h"

namespace ckpt {

/// The directory ROOT/ID when no runtime knows a container by it and none is making one: of a runtime that
/// was killed in `create`. crun then calls the id taken, and its `delete --force` removes nothing.
std::optional<std::filesystem::path> half_made(const std::string& root, const std::string& id);
/// Removes it.
void remove_half_made(const std::string& root, const std::string& id);

/// The mounts of the host's cgroup hierarchies that CRIU makes in its work directory, .criu.cgyard.*, and the
/// directories below them.
void remove_cgyard(const std::filesystem::path& work_dir);

}  // namespace ckpt
