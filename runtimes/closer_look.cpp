// What of /proc and sock_diag tells that CRIU will refuse.
#include "runtimes/closer_look.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <set>
#include <sstream>

#include "runtimes/fs.h"
#include "runtimes/procfs.h"
#include "runtimes/unix_sockets.h"

namespace ckpt {
namespace {

/// Memory devices, terminals and tun are CRIU's own (files-ext.c, tty.c, tun.c); NVIDIA's are the GPU's
/// matter.
bool foreign_device(const OpenFile& file) {
  if (!S_ISCHR(file.mode) && !S_ISBLK(file.mode)) return false;
  const unsigned number = major(file.device);
  const bool terminal = number == 4 || number == 5 || (number >= 136 && number <= 143);
  const bool tun = number == 10 && minor(file.device) == 200;
  return number != 1 && !terminal && !tun && !file.target.starts_with("/dev/nvidia");
}

void look_at_file(pid_t pid, const OpenFile& file, CloserFindings& found) {
  const auto add = [&](std::vector<std::string>& to) {
    if (to.empty() || to.back() != process_name(pid)) to.push_back(process_name(pid));
  };
  if (file.target == "anon_inode:[io_uring]") add(found.io_uring);
  if (file.target == "anon_inode:inotify" || file.target == "anon_inode:[inotify]") add(found.inotify);
  if (foreign_device(file))
    found.devices.push_back(fmt::format("'{}' of {}", file.target, process_name(pid)));
}

void look_at_namespaces(pid_t pid, pid_t init, CloserFindings& found) {
  for (const char* kind : {"net", "ipc", "uts", "pid", "user", "time"})
    if (const auto own = namespace_inode(pid, kind); own && own != namespace_inode(init, kind))
      found.namespaces.push_back(fmt::format("{} namespace of {}", kind, process_name(pid)));
}

/// The session's number in the process' own pid namespace is 0 when its leader is not there.
bool session_outside(pid_t pid) {
  const std::string sessions = status_field(pid, "NSsid");
  return sessions.substr(sessions.find_last_of('\t') + 1) == "0";
}

void look_at_process(pid_t pid, pid_t init, CloserFindings& found) {
  if (const std::string tracer = status_field(pid, "TracerPid"); !tracer.empty() && tracer != "0")
    found.traced.push_back(
        fmt::format("{} by {}", process_name(pid), process_name(std::atoi(tracer.c_str()))));
  if (session_outside(pid)) found.sessions.push_back(process_name(pid));
  look_at_namespaces(pid, init, found);
}

/// A socket that a process was started with may be of the host's network namespace.
std::map<std::uint64_t, UnixSocket> known_sockets(pid_t init) {
  auto sockets = unix_sockets(init);
  sockets.merge(unix_sockets(::getpid()));
  return sockets;
}

void look_at_sockets(pid_t init, const std::map<std::uint64_t, pid_t>& holders, CloserFindings& found) {
  if (holders.empty()) return;
  const auto sockets = known_sockets(init);
  for (const auto& [inode, pid] : holders) {
    const auto socket = sockets.find(inode);
    if (socket == sockets.end() || socket->second.peer == 0 || holders.contains(socket->second.peer))
      continue;
    const auto peer = sockets.find(socket->second.peer);
    const std::string name = peer == sockets.end() ? "" : peer->second.name;
    auto& list = socket->second.type == SOCK_DGRAM ? found.unix_datagrams : found.unix_streams;
    list.push_back(name.empty() ? process_name(pid) : fmt::format("{} to '{}'", process_name(pid), name));
  }
}

std::uint64_t memory_of(pid_t pid) {
  std::istringstream status(read_file(fmt::format("/proc/{}/status", pid), 64U << 10U).value_or(""));
  std::uint64_t kilobytes = 0;
  for (std::string label; status >> label; status.ignore(1U << 16U, '\n')) {
    std::uint64_t value = 0;
    if ((label == "RssAnon:" || label == "RssShmem:" || label == "VmSwap:") && status >> value)
      kilobytes += value;
  }
  return kilobytes * 1024;
}

}  // namespace

std::uint64_t dumped_memory(const std::vector<pid_t>& pids) {
  std::uint64_t bytes = 0;
  for (const pid_t pid : pids) bytes += memory_of(pid);
  return bytes;
}

CloserFindings look_closer(pid_t init) {
  CloserFindings found;
  std::map<std::uint64_t, pid_t> sockets;
  const std::vector<pid_t> own = descendants(init);
  found.memory = dumped_memory(own);
  for (const pid_t pid : own) {
    look_at_process(pid, init, found);
    for (const OpenFile& file : open_files(pid)) {
      look_at_file(pid, file, found);
      if (S_ISSOCK(file.mode)) sockets.emplace(file.inode, pid);
    }
  }
  look_at_sockets(init, sockets, found);
  found.private_network = namespace_inode(init, "net") != namespace_inode(::getpid(), "net");
  return found;
}

}  // namespace ckpt
