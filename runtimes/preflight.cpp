// The look at /proc before a dump; each finding was seen to fail or to be lost on the real CRIU or runsc.
#include "runtimes/preflight.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "runtimes/procfs.h"
#include "runtimes/sandbox.h"

namespace ckpt {
namespace {

constexpr const char* kStdio[] = {"stdin", "stdout", "stderr"};

std::string stdio_kind(const OpenFile& file) {
  if (file.target.starts_with("pipe:")) return "pipe";
  if (file.target == "/dev/null") return "null";
  if (file.target.starts_with("socket:")) return "socket";
  return S_ISCHR(file.mode) ? "tty" : "file";
}

/// CRIU looks a descriptor's mount up among the container's; one opened outside has another (mount.c "Can't
/// lookup").
bool outside(const OpenFile& file, const std::set<int>& mounts) {
  return file.target.starts_with('/') && file.target != "/dev/null" && !file.target.starts_with("/memfd:") &&
         file.mount_id && !mounts.contains(*file.mount_id);
}

bool anonymous(const OpenFile& file) {
  return file.target.starts_with("/memfd:") || file.target.starts_with("/SYSV") ||
         file.target.starts_with("/dev/zero");
}

void examine_file(pid_t pid, const OpenFile& file, const std::set<int>& mounts, Findings& found) {
  if (file.fd <= 2 && outside(file, mounts))
    found.bad_stdio.push_back(fmt::format("{} of {} is '{}', opened outside the container", kStdio[file.fd],
                                          process_name(pid), file.target));
  if (!S_ISREG(file.mode) || !file.target.ends_with(" (deleted)") || anonymous(file)) return;
  if (file.links == 0)
    found.largest_ghost = std::max({found.largest_ghost, file.size, file.allocated});
  else
    found.linked_deleted.push_back(
        fmt::format("'{}' of {}", file.target.substr(0, file.target.size() - 10), process_name(pid)));
}

GpuHolder holder(pid_t pid, const std::set<std::string>& devices) {
  const auto stat = process_stat(pid);
  return {pid, inner_pid(pid), stat ? stat->comm : "?", {devices.begin(), devices.end()}};
}

/// Whether it descends from `init`, by its parents; nullopt when one of them ended meanwhile: then it has
/// another. Nobody is older than his parents, so that a number that was given anew is noticed.
std::optional<bool> descends_from(pid_t init, pid_t pid) {
  auto child = process_stat(pid);
  while (child && child->pid != init) {
    if (child->ppid == 0) return false;
    const auto parent = process_stat(child->ppid);
    if (!parent || parent->start_time > child->start_time) return std::nullopt;
    child = parent;
  }
  return child ? std::optional(true) : std::nullopt;
}

bool is_exec_session(pid_t init, pid_t pid) {
  constexpr int kMostTries = 1000;
  for (int i = 0; i < kMostTries && alive(pid); ++i)
    if (const auto descends = descends_from(init, pid)) return !*descends;
  return false;
}

/// Processes come and go meanwhile: one that is seen twice is there.
std::vector<pid_t> exec_sessions(pid_t init) {
  std::vector<pid_t> sessions = cgroup_processes(init);
  for (int look = 0; look < 2 && !sessions.empty(); ++look) {
    const std::vector<pid_t> now = look == 0 ? sessions : cgroup_processes(init);
    const std::set<pid_t> there(now.begin(), now.end());
    std::erase_if(sessions, [&](pid_t pid) { return !there.contains(pid) || !is_exec_session(init, pid); });
  }
  return sessions;
}

void examine_host(pid_t init, Findings& found) {
  for (const pid_t pid : exec_sessions(init)) found.exec_sessions.push_back(process_name(pid));
  const std::vector<pid_t> own = descendants(init);
  const std::set<int> mounts = mount_ids(init);
  std::set<std::uint64_t> sockets;
  for (const pid_t pid : own) {
    std::set<std::string> devices;
    for (const OpenFile& file : open_files(pid)) {
      examine_file(pid, file, mounts, found);
      if (file.target.starts_with("/dev/nvidia")) devices.insert(file.target);
      if (S_ISSOCK(file.mode)) sockets.insert(file.inode);
      if (pid == init && file.fd <= 2) found.stdio[file.fd] = stdio_kind(file);
    }
    if (!devices.empty()) found.gpu_holders.push_back(holder(pid, devices));
  }
  for (const pid_t pid : lock_holders(own)) found.lock_holders.push_back(process_name(pid));
  found.connections = established_tcp(init, sockets);
  found.host_pid_namespace = namespace_inode(init, "pid") == namespace_inode(::getpid(), "pid");
}

}  // namespace

std::vector<std::string> sandbox_exec_sessions(const std::string& ps_table) {
  const auto rows = sandbox_rows(ps_table);
  if (!rows)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot read the process table '{}'", ps_table.substr(0, ps_table.find('\n'))));
  std::vector<std::string> sessions;
  for (const SandboxRow& row : *rows)
    if (row.pid != "1" && row.parent == "0")
      sessions.push_back(fmt::format("'{}' (pid {} in the sandbox)", row.command, row.pid));
  return sessions;
}

Findings examine(const Driver& driver, const ContainerState& container) {
  Findings found;
  if (driver.table().shares_host_kernel) {
    examine_host(container.pid, found);
    return found;
  }
  const std::string table = driver.do_verb("ps", {container.id}).out;
  found.exec_sessions = sandbox_exec_sessions(table);
  found.sandboxed = sandbox_processes(table);
  return found;
}

}  // namespace ckpt
