// Each seen to fail, to hang or to harm on the real runtimes.
#include "commands/image_obstacles.h"

#include <fmt/ranges.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "images/criu_descriptors.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Verdict = CheckedItem::Verdict;

CheckedItem failing_item(std::string item, std::string image, std::string host, std::string reason,
                         std::string hint) {
  return {.item = std::move(item),
          .image = std::move(image),
          .host = std::move(host),
          .verdict = Verdict::fails,
          .reason = std::move(reason),
          .hint = std::move(hint)};
}

/// CRIU makes the missing name again where another file has it (criu/mount-v2.c "Can't re-create deleted
/// file").
CheckedItem deleted_source(const MountedFact& mount) {
  return failing_item(
      "mount " + mount.point, "replaced", "",
      fmt::format("what is bind-mounted at '{}' was replaced or removed on the host while the container ran, "
                  "and CRIU cannot mount it again",
                  mount.point),
      "start the container anew; a directory that is mounted may have its files replaced, a file that is "
      "mounted is written in place");
}

/// Of such a group CRIU would give the host's mount the propagation of one of the image's, which the kernel
/// refuses (criu/mount-v2.c "Failed to copy sharing").
CheckedItem mixed_group(const std::vector<std::string>& points) {
  return failing_item(
      "mounts shared", fmt::format("{}", fmt::join(points, ", ")), "",
      fmt::format("these mounts share their propagation, some from the host and some of the "
                  "container's own, which CRIU cannot restore: {}",
                  fmt::join(points, ", ")),
      "give linux.rootfsPropagation another value than shared or rshared, or take the files out "
      "of linux.maskedPaths");
}

bool overlap(const ImageLock& lock, const HostLock& held) {
  const bool before = lock.length != 0 && lock.start + lock.length <= held.start;
  const bool behind = held.end && *held.end < lock.start;
  return lock.flock || (!before && !behind);
}

bool conflict(const LockOnHost& lock, const HostLock& held) {
  return lock.major == held.major && lock.minor == held.minor && lock.inode == held.inode &&
         lock.lock.flock == held.flock && (lock.lock.write || held.write) && overlap(lock.lock, held);
}

std::vector<LockOnHost> on_this_host(const std::vector<ImageLock>& locks, const json& spec) {
  std::vector<LockOnHost> out;
  const std::vector<SpecMount> mounts = spec_mounts(spec);
  const std::string root = spec["root"].value("path", "");
  for (const ImageLock& lock : locks) {
    bool in_root = false;
    const fs::path path = lock.path.empty() ? fs::path() : path_on_host(lock.path, mounts, root, in_root);
    struct stat status = {};
    if (path.empty() || ::stat(path.c_str(), &status) != 0) continue;
    out.push_back({lock, major(status.st_dev), minor(status.st_dev), status.st_ino});
  }
  return out;
}

std::vector<HostLock> held_by_others(pid_t goes) {
  std::vector<HostLock> held = host_locks();
  if (goes == 0) return held;
  const std::vector<pid_t> own = descendants(goes);
  // An OFD lock has no pid: it may be one that goes.
  std::erase_if(held, [&](const HostLock& one) {
    return one.pid == 0 || std::find(own.begin(), own.end(), one.pid) != own.end();
  });
  return held;
}

std::vector<MountedFact> mounted_in(const std::vector<ImageMount>& mounts) {
  std::vector<MountedFact> out;
  for (const ImageMount& one : mounts)
    out.push_back({one.mountpoint, !one.external.empty(), one.shared, one.deleted});
  return out;
}

std::vector<CheckedItem> cgroup_of(const json& spec, pid_t goes) {
  const std::string path = spec.value("/linux/cgroupsPath"_json_pointer, "");
  if (path.empty()) return {};
  std::set<pid_t> own;
  if (goes != 0) {
    for (const pid_t pid : descendants(goes)) own.insert(pid);
    for (const pid_t pid : cgroup_processes(goes)) own.insert(pid);
  }
  std::vector<std::string> others;
  for (const pid_t pid : processes_in_cgroup(path))
    if (!own.contains(pid) && alive(pid)) others.push_back(process_name(pid));
  return check_cgroup(path, others);
}

/// crun's CRIU saves a network namespace with its addresses; one that runc makes has lo, unless a hook gives
/// it more.
std::vector<CheckedItem> addresses_of(const Restoring& r) {
  const auto namespaces = spec_namespaces(r.spec);
  const auto network = namespaces.find("network");
  const bool made = network != namespaces.end() && network->second.empty();
  const json hooks = r.spec.value("hooks", json::object());
  if (made && (r.runtime != RuntimeKind::runc || !hooks.empty())) return {};
  const std::vector<ImageAddress> bound = image_addresses(r.images);
  if (bound.empty()) return {};
  if (made)
    return check_addresses(bound, BindableAddresses{{"127.0.0.1", "::1"}}, r.closes_connections,
                           "the network namespace that runc makes", true);
  const std::string path = network == namespaces.end() ? "" : network->second;
  return check_addresses(bound, bindable_addresses(path), r.closes_connections,
                         path.empty() ? "this host" : fmt::format("the network namespace '{}'", path));
}

}  // namespace

std::vector<CheckedItem> check_mounted(const std::vector<MountedFact>& mounts) {
  std::vector<CheckedItem> items;
  std::map<int, std::vector<const MountedFact*>> groups;
  for (const MountedFact& mount : mounts) {
    if (mount.external && mount.deleted) items.push_back(deleted_source(mount));
    if (mount.shared != 0) groups[mount.shared].push_back(&mount);
  }
  for (const auto& [group, members] : groups) {
    const auto outside =
        std::count_if(members.begin(), members.end(), [](const auto* one) { return one->external; });
    if (outside == 0 || outside == static_cast<std::ptrdiff_t>(members.size())) continue;
    std::vector<std::string> points;
    for (const MountedFact* one : members) points.push_back(fmt::format("'{}'", one->point));
    items.push_back(mixed_group(points));
  }
  return items;
}

std::vector<CheckedItem> check_locks(const std::vector<LockOnHost>& locks, const std::vector<HostLock>& held,
                                     const std::function<std::string(pid_t)>& name) {
  std::vector<CheckedItem> items;
  std::set<std::string> told;
  for (const LockOnHost& lock : locks) {
    const auto found =
        std::find_if(held.begin(), held.end(), [&](const HostLock& one) { return conflict(lock, one); });
    if (found == held.end() || !told.insert(lock.lock.path).second) continue;
    const std::string holder = found->pid == 0 ? "another process" : name(found->pid);
    items.push_back(failing_item(
        "lock " + lock.lock.path, lock.lock.write ? "exclusive" : "shared", "held by " + holder,
        fmt::format("the image has a lock on '{}', which {} of this host holds: CRIU would wait for it",
                    lock.lock.path, holder),
        "end the holder first, or give the copy a file of its own with --map-mount"));
  }
  return items;
}

std::vector<CheckedItem> check_addresses(const std::vector<ImageAddress>& bound,
                                         const std::optional<BindableAddresses>& host,
                                         bool closes_connections, const std::string& where, bool made) {
  std::vector<CheckedItem> items;
  if (!host || host->any) return items;
  std::map<std::string, std::set<std::string>> missing;
  for (const ImageAddress& one : bound) {
    const bool loopback = one.address.starts_with("127.") && host->addresses.contains("127.0.0.1");
    const bool group = one.address.starts_with("224.") || one.address.starts_with("239.") ||
                       one.address.starts_with("ff") || one.address == "255.255.255.255";
    if (loopback || group || host->addresses.contains(one.address)) continue;
    if (one.listens || !closes_connections) missing[one.address].insert(one.socket);
  }
  for (const auto& [address, sockets] : missing)
    items.push_back(failing_item(
        "address " + address, fmt::format("{}", fmt::join(sockets, ", ")), "",
        fmt::format("sockets of the image are bound to the address {}, which {} does not have: {}", address,
                    where, fmt::join(sockets, ", ")),
        made ? "run it in a network namespace that has a path and the address, or with crun"
             : fmt::format(
                   "add it there, as 'ip addr add {}' does, or set net.ipv4.ip_nonlocal_bind to 1 there",
                   address)));
  return items;
}

std::vector<CheckedItem> check_cgroup(const std::string& path, const std::vector<std::string>& processes) {
  if (processes.empty()) return {};
  constexpr std::ptrdiff_t kNamed = 3;
  const std::vector<std::string> named(processes.begin(),
                                       processes.begin() + std::min(kNamed, std::ssize(processes)));
  CheckedItem item = failing_item(
      "cgroup " + path, "its own", fmt::format("{} processes", processes.size()),
      fmt::format("linux.cgroupsPath is '{}', and {} processes of this host are in that cgroup already, {} "
                  "among them: two containers there would be stopped together",
                  path, processes.size(), fmt::join(named, ", ")),
      "end what is there, or restore with --spec of a bundle that has another linux.cgroupsPath");
  item.forced = true;
  return {item};
}

std::vector<CheckedItem> check_parent_death(int signal) {
  if (signal == 0) return {};
  const char* abbreviation = ::sigabbrev_np(signal);
  const std::string name =
      abbreviation == nullptr ? std::to_string(signal) : fmt::format("SIG{}", abbreviation);
  return {
      failing_item("parent's death", name, "",
                   fmt::format("the first process has asked for {} at its parent's death (PR_SET_PDEATHSIG), "
                               "and would be given it when the runtime ends that has restored it",
                               name),
                   "start the program by another one, such as 'sh -c', that does not ask for it")};
}

std::vector<CheckedItem> check_huge_pages(const std::set<std::uint64_t>& image,
                                          const std::set<std::uint64_t>& host) {
  std::vector<CheckedItem> items;
  for (const std::uint64_t size : image) {
    if (host.contains(size)) continue;
    const std::string name = size == 0 ? "the default size" : fmt::format("{} kB", size / 1024);
    items.push_back(
        failing_item("huge pages", name, "none",
                     fmt::format("its processes have huge pages of {}, and this host has none", name),
                     "make some: vm.nr_hugepages in sysctl(8), or below /sys/kernel/mm/hugepages"));
  }
  return items;
}

std::vector<CheckedItem> image_obstacles(const Restoring& r) {
  std::vector<CheckedItem> items = check_mounted(mounted_in(image_mounts(r.images)));
  const auto add = [&](std::vector<CheckedItem> more) {
    items.insert(items.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  if (const std::vector<ImageLock> locks = r.file_locks ? image_locks(r.images) : std::vector<ImageLock>();
      !locks.empty())
    add(check_locks(on_this_host(locks, r.spec), held_by_others(r.goes), process_name));
  add(addresses_of(r));
  add(cgroup_of(r.spec, r.goes));
  add(check_parent_death(parent_death_signal(r.images)));
  if (!r.stands)
    if (const auto sizes = image_huge_pages(r.images); !sizes.empty())
      add(check_huge_pages(sizes, huge_pages_there()));
  return items;
}

}  // namespace ckpt
