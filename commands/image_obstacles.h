// What stands in the way of a restore on this host, beyond what compatibility.h compares: facts of the image
// and of the host in, rows out. A checkpoint that stops its container asks the same before it does.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "commands/compatibility.h"
#include "images/criu_claims.h"
#include "runtimes/host_claims.h"

namespace ckpt {

/// A mount of the container, as its image or /proc/PID/mountinfo has it.
struct MountedFact {
  std::string point;
  bool external = false;  ///< given again at the restore, from the host
  int shared = 0;         ///< its peer group; 0: none
  bool deleted = false;   ///< what is mounted has no name any more
};
std::vector<CheckedItem> check_mounted(const std::vector<MountedFact>& mounts);

/// A lock of the image, and the file of the host that it is on.
struct LockOnHost {
  ImageLock lock;
  unsigned major = 0, minor = 0;
  std::uint64_t inode = 0;
};
/// `name` names a process.
std::vector<CheckedItem> check_locks(const std::vector<LockOnHost>& locks, const std::vector<HostLock>& held,
                                     const std::function<std::string(pid_t)>& name);

/// `where` names the network namespace; `made` by the runtime, none can be added before. nullopt of `host`:
/// it could not be looked into.
std::vector<CheckedItem> check_addresses(const std::vector<ImageAddress>& bound,
                                         const std::optional<BindableAddresses>& host,
                                         bool closes_connections, const std::string& where,
                                         bool made = false);

/// `processes` are those in it.
std::vector<CheckedItem> check_cgroup(const std::string& path, const std::vector<std::string>& processes);

/// The first process' parent is the runtime, which ends when it has restored.
std::vector<CheckedItem> check_parent_death(int signal);

/// Sizes in bytes, 0 being the default one; of the image, and of this host.
std::vector<CheckedItem> check_huge_pages(const std::set<std::uint64_t>& image,
                                          const std::set<std::uint64_t>& host);

/// What is restored, and by what.
struct Restoring {
  const std::filesystem::path& images;
  const nlohmann::json& spec;
  RuntimeKind runtime = RuntimeKind::runc;
  bool file_locks = false, closes_connections = false;
  /// The container that must be gone first: itself, for a checkpoint that stops it, or the one of --replace;
  /// 0: none. What that has is not in the way.
  pid_t goes = 0;
  bool stands = false;  ///< `goes` is the image's own container
};
/// For runc and crun.
std::vector<CheckedItem> image_obstacles(const Restoring& restoring);

}  // namespace ckpt
