// The process group of a command that was started here, CRIU among its members: who of it is left, and its
// end.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <vector>

namespace ckpt {

/// Those that are alive; a zombie is not.
std::vector<pid_t> group_members(pid_t group);

/// Tells a command that is no longer wanted to stop. A CRIU among its processes is allowed no further open
/// file: it fails of itself then, and takes its code out of the container's processes; a signal would kill it
/// and, at the wrong moment, them. Where there is no CRIU, SIGTERM goes to the group.
void give_up_group(pid_t group);

/// From give_up_group() of a dump to its SIGKILL: CRIU needs some tenths of a second to leave the container.
inline constexpr std::chrono::milliseconds kDumpGrace{4000};

/// give_up_group(), SIGTERM a second later to all but CRIU, SIGKILL to all after three; waits until nobody is
/// alive. False when somebody is after five seconds. A group that is gone is fine.
bool end_group(pid_t group);

}  // namespace ckpt
