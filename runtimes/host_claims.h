// Who on this host has what a restore must have: file locks, addresses, cgroups.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// A line of /proc/locks (proc(5)).
struct HostLock {
  bool flock = false;  ///< else POSIX or OFD, which see each other
  bool write = false;
  pid_t pid = 0;  ///< 0: the kernel does not say whose it is
  unsigned major = 0, minor = 0;
  std::uint64_t inode = 0;
  std::uint64_t start = 0;
  std::optional<std::uint64_t> end;  ///< the last byte; nullopt: to the end of the file
  bool operator==(const HostLock&) const = default;
};
/// Without those that wait, and without leases.
std::vector<HostLock> parse_locks(std::string_view text);
std::vector<HostLock> host_locks();

/// What can be bound in a network namespace.
struct BindableAddresses {
  std::set<std::string> addresses;  ///< "10.0.0.2", "fd00::2"
  bool any = false;                 ///< net.ipv4.ip_nonlocal_bind
};
/// Of the namespace at `path`, of ckpt's own when it is empty. nullopt when it cannot be entered.
std::optional<BindableAddresses> bindable_addresses(const std::string& path);

/// The sizes of huge pages in bytes of which this host has any, or may make some; the default one as 0 too.
std::set<std::uint64_t> huge_pages_there();

/// Processes in the cgroup `path` of config.json (linux.cgroupsPath), in any hierarchy: absolute, or
/// systemd's SLICE:PREFIX:NAME.
std::vector<pid_t> processes_in_cgroup(const std::string& path);
/// "system.slice/runc-x.scope" for "system.slice:runc:x" (systemd.slice(5): a slice's name has those above
/// it).
std::string cgroup_directory_of(const std::string& path);

}  // namespace ckpt
