// The links of a network namespace, their addresses and routes (netdevice(7), rtnetlink(7)): seen, and put
// back.
#pragma once
#include <string>
#include <vector>

#include "runtimes/state_facts.h"

namespace ckpt {

/// Of the network namespace at `path` (/proc/PID/ns/net, or a file that one is bound to), by name. Empty when
/// it cannot be entered, or is ckpt's own.
std::vector<LinkFact> links_in(const std::string& path);

/// What of `before` is not there `now`: links that are down, addresses, routes. Each in words.
std::vector<std::string> lost_of_links(const std::vector<LinkFact>& before, const std::vector<LinkFact>& now);

/// Brings links of that namespace up and adds addresses and routes that they lack. What cannot be done stays
/// undone; lost_of_links() tells.
void put_links_back(const std::string& path, const std::vector<LinkFact>& before);

}  // namespace ckpt
