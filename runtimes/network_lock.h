// The lock that CRIU puts on a network namespace while it dumps or restores: packets are dropped until it
// takes it away again, or for ever when it was killed meanwhile.
#pragma once
#include <string>

#include "runtimes/spawn.h"

namespace ckpt {

/// Takes away what CRIU left in the network namespace at `path` (/proc/PID/ns/net, or a bound one): the chain
/// CRIU of iptables and ip6tables, and nft's tables CRIU-*. Whether there was something. Ours, which CRIU
/// never locks as a whole, is left alone, as is one that is gone. Throws Error(runtime_failed) when it stays.
bool remove_network_lock(Runner& runner, const std::string& path);

}  // namespace ckpt
