// Where CRIU writes its log when its configuration says otherwise, and what is told when the disk has no room
// for it.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "runtimes/runtime.h"

namespace ckpt {

/// What the last `log-file` of a configuration of CRIU's names (criu(8)); nullopt for none.
std::optional<std::string> configured_log(std::string_view configuration);

/// The log that CRIU writes for a runtime that asks for `asked`, in its work directory: a `log-file` in the
/// file that the container's annotation org.criu.config names, else in the runtime's own in /etc/criu, wins.
std::filesystem::path criu_log_of(RuntimeKind kind, const std::string& annotated,
                                  const std::filesystem::path& asked);

/// "the disk of 'DIR' is full": no room, or no inode, is left where `path` is or would be; nullopt: there is.
std::optional<std::string> full_disk_of(const std::filesystem::path& path);

}  // namespace ckpt
