// Doing something in another network namespace, by a thread of its own: a namespace is a thread's.
#pragma once
#include <functional>
#include <string>

namespace ckpt {

/// Runs `act` in the network namespace at `path` (/proc/PID/ns/net, /run/netns/NAME) and throws what it
/// throws. False when there is none or it cannot be entered.
bool in_network(const std::string& path, const std::function<void()>& act);
/// The same, but nothing is run in ckpt's own.
bool in_other_network(const std::string& path, const std::function<void()>& act);

}  // namespace ckpt
