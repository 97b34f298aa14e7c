// Processes of a container that are stopped (a job in the background, a paused worker), where CRIU cannot
// freeze them.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace ckpt {

/// Whether a process is in a freezer cgroup of version 1, by the text of its /proc/PID/cgroup.
bool in_freezer_v1(const std::string& cgroup);

/// Those that a signal has stopped (state T) among `init` and its descendants, when they are in a freezer of
/// version 1: it never calls a group with one of them frozen, and CRIU waits for that. Empty with version 2.
std::vector<pid_t> stopped_in_v1(pid_t init);

}  // namespace ckpt
