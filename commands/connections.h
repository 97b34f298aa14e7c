// The TCP connections of an image: what becomes of them, said before the restore.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "commands/compatibility.h"
#include "images/criu_descriptors.h"
#include "runtimes/options.h"

namespace ckpt {

/// Those that are established or half closed.
std::vector<ImageSocket> open_connections(const std::vector<ImageSocket>& sockets);
/// `--tcp keep|close|auto` as the options that do it. auto closes what goes to another host when the network
/// namespace is another one, whose addresses may be others, and keeps as the checkpoint did otherwise.
void choose_tcp(const std::string& asked, const std::vector<ImageSocket>& connections, bool moved,
                RestoreOpts& opts);
/// nullopt when there are none.
std::optional<CheckedItem> check_connections(const std::vector<ImageSocket>& connections,
                                             const RestoreOpts& opts);

}  // namespace ckpt
