// Which cgroups a process is in, by the text of /proc/PID/cgroup (cgroups(7)), where crun and the host's
// other hierarchies do not go together.
#pragma once
#include <string>
#include <vector>

namespace ckpt {

/// Named hierarchies of version 1 that are not the service manager's. Beside them crun restores into the root
/// cgroup, and ends every process there when it cleans up.
std::vector<std::string> foreign_hierarchies(const std::string& proc_cgroup);

/// Whether the cgroup by which crun ends a container's processes is the root one: memory's, without version 1
/// the only one.
bool in_root_cgroup(const std::string& proc_cgroup);

/// Throws Error(conflict) for a container whose `crun delete` would end the host's processes, by its state
/// below `root`.
void refuse_root_cgroup(const std::string& root, const std::string& id, const std::string& proc = "/proc");
/// Whether that would throw.
bool ends_the_host(const std::string& root, const std::string& id);

}  // namespace ckpt
