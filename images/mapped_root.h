// Images of containers with a user namespace: CRIU reads them with the rights of the container's root.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <optional>

namespace ckpt {

/// What the group 0 of the image's user namespace is on the host; nullopt without one.
std::optional<gid_t> mapped_root_group(const std::filesystem::path& images);
/// Lets that group read the directory and its files, and nobody else: 0750 and 0640. What is above it stays
/// as private as it was: CRIU has the directory open. Symbolic links are left alone; what cannot be changed
/// is, too.
void let_group_read(const std::filesystem::path& directory, gid_t group);
/// Lets that group pass through it, as from an image to its pre-dump: 0710.
void let_group_pass(const std::filesystem::path& directory, gid_t group);

}  // namespace ckpt
