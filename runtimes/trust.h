// Whether what is at a path can be believed: the one rule for everything that somebody else may have written.
#pragma once
#include <sys/types.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ckpt {

/// Why somebody other than root and `user` could have put there what is at `path`, or could put something
/// else in its place; nullopt: nobody could, or there is nothing yet. It, every directory above and every
/// symbolic link on the way are root's or the user's, and none can be written by others; above something of
/// theirs a directory may be sticky, as /tmp is. The group's bits are also the mask of an access list
/// (acl(5)).
std::optional<std::string> why_not_trusted(const std::filesystem::path& path, uid_t user = ::geteuid());
bool is_trusted(const std::filesystem::path& path);
/// Throws Error(usage) that names `what`, as "the store", and the path.
void require_trusted(std::string_view what, const std::filesystem::path& path);

}  // namespace ckpt
