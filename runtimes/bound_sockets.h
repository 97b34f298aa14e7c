// Unix sockets whose file is not where they were bound: a server makes one under another name and renames it,
// to appear at once. CRIU knows the name of the bind(2) only.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "runtimes/state_facts.h"

namespace ckpt {

struct BoundSockets {
  std::vector<MovedSocketFact> moved;
  std::vector<std::string> lost;  ///< "'/run/x' of 'app' (pid 3)": its file has a name that is not found
};

/// Of the container whose first process is `init`, and of whose mounts and network; `pids` are its
/// processes. A socket whose file is deleted is none of these.
BoundSockets bound_sockets(pid_t init, const std::vector<pid_t>& pids);

}  // namespace ckpt
