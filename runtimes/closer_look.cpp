// What of /proc and sock_diag tells that CRIU will refuse.
#include "runtimes/closer_look.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
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

/// The name that the kernel gives a socket's protocol: "TCP", "MPTCP", "AF_VSOCK"; empty when it is gone.
std::string protocol_of(pid_t pid, int fd) {
  char name[64];
  const ssize_t length =
      ::getxattr(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), "system.sockprotoname", name, sizeof name);
  return length > 0 ? std::string(name, ::strnlen(name, static_cast<std::size_t>(length))) : "";
}

/// Its link looks like that of any file.
bool is_message_queue(pid_t pid, int fd) {
  constexpr unsigned long kMqueue = 0x19800202;  // MQUEUE_MAGIC, ipc/mqueue.c
  struct statfs type = {};
  return ::statfs(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), &type) == 0 &&
         static_cast<unsigned long>(type.f_type) == kMqueue;
}

void look_at_kernel_objects(pid_t pid, const OpenFile& file, CloserFindings& found) {
  std::string object = unknown_object(file.target);
  if (S_ISREG(file.mode) && is_message_queue(pid, file.fd)) object = "POSIX message queue";
  if (!object.empty()) found.anonymous.push_back(fmt::format("{} of {}", object, process_name(pid)));
  if (!S_ISSOCK(file.mode)) return;
  if (const std::string protocol = protocol_of(pid, file.fd); !known_protocol(protocol))
    found.sockets.push_back(fmt::format("{} of {}", protocol, process_name(pid)));
}

/// Whether all of a process' user or group ids but that of files are ckpt's own.
bool same_ids(const std::string& field, unsigned id) {
  std::istringstream ids(field);
  unsigned real = 0, effective = 0, saved = 0;
  return (ids >> real >> effective >> saved) && real == id && effective == id && saved == id;
}

/// prlimit(2) asks for CAP_SYS_RESOURCE to read the limits of another user's process; who owns the user
/// namespace has it there.
bool limits_hidden(pid_t pid) {
  if (has_capability(CAP_SYS_RESOURCE) || namespace_inode(pid, "user") != namespace_inode(::getpid(), "user"))
    return false;
  const bool others =
      !same_ids(status_field(pid, "Uid"), ::getuid()) || !same_ids(status_field(pid, "Gid"), ::getgid());
  return others && alive(pid);  // one that has ended has no ids, or no limits that CRIU would read
}

bool has_personality(pid_t pid) {
  const std::string text = read_file(fmt::format("/proc/{}/personality", pid), 64).value_or("");
  return std::strtoul(text.c_str(), nullptr, 16) != 0;
}

void look_at_namespaces(pid_t pid, pid_t init, CloserFindings& found) {
  for (const char* kind : {"net", "ipc", "uts", "pid", "user", "time", "cgroup"})
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
  if (limits_hidden(pid)) found.users.push_back(process_name(pid));
  if (has_personality(pid)) found.personalities.push_back(process_name(pid));
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

bool has_capability(int number) {
  const std::uint64_t effective = std::strtoull(status_field(::getpid(), "CapEff").c_str(), nullptr, 16);
  return (effective >> static_cast<unsigned>(number) & 1U) != 0;
}

std::string unknown_object(std::string_view target) {
  constexpr std::string_view kPrefix = "anon_inode:";
  // io_uring has a row of its own; bpf-map is saved by a CRIU that is built with libbpf.
  constexpr std::string_view kKnown[] = {"[eventfd]", "[eventpoll]", "[signalfd]", "[timerfd]",  "[pidfd]",
                                         "inotify",   "[inotify]",   "[fanotify]", "[io_uring]", "bpf-map"};
  if (!target.starts_with(kPrefix)) return "";
  target.remove_prefix(kPrefix.size());
  if (std::find(std::begin(kKnown), std::end(kKnown), target) != std::end(kKnown)) return "";
  const bool framed = target.size() > 2 && target.front() == '[' && target.back() == ']';
  return std::string(framed ? target.substr(1, target.size() - 2) : target);
}

bool known_protocol(std::string_view name) {
  // struct proto's name of each in the kernel; CRIU's sockets.c and can_dump_ipproto.
  constexpr std::string_view kKnown[] = {"",         "TCP",       "TCPv6",       "UDP",    "UDPv6",
                                         "UDP-Lite", "UDPLITEv6", "RAW",         "RAWv6",  "PING",
                                         "PINGv6",   "UNIX",      "UNIX-STREAM", "PACKET", "NETLINK"};
  return std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown);
}

namespace {

CloserFindings look_once(pid_t init) {
  CloserFindings found;
  std::map<std::uint64_t, pid_t> sockets;
  const std::vector<pid_t> own = descendants(init);
  found.memory = dumped_memory(own);
  for (const pid_t pid : own) {
    look_at_process(pid, init, found);
    for (const OpenFile& file : open_files(pid)) {
      look_at_file(pid, file, found);
      look_at_kernel_objects(pid, file, found);
      if (S_ISSOCK(file.mode)) sockets.emplace(file.inode, pid);
    }
  }
  look_at_sockets(init, sockets, found);
  std::set<std::uint64_t> inodes;
  for (const auto& [inode, pid] : sockets) inodes.insert(inode);
  found.udp = connected_udp(init, inodes);
  found.private_network = namespace_inode(init, "net") != namespace_inode(::getpid(), "net");
  return found;
}

using List = std::vector<std::string> CloserFindings::*;
constexpr List kLists[] = {
    &CloserFindings::io_uring,      &CloserFindings::devices,       &CloserFindings::inotify,
    &CloserFindings::anonymous,     &CloserFindings::sockets,       &CloserFindings::udp,
    &CloserFindings::users,         &CloserFindings::personalities, &CloserFindings::traced,
    &CloserFindings::sessions,      &CloserFindings::namespaces,    &CloserFindings::unix_streams,
    &CloserFindings::unix_datagrams};

}  // namespace

CloserFindings look_closer(pid_t init) {
  CloserFindings found = look_once(init);
  if (std::all_of(std::begin(kLists), std::end(kLists), [&](List list) { return (found.*list).empty(); }))
    return found;
  const CloserFindings again = look_once(init);
  for (const List list : kLists) {
    const std::set<std::string> there((again.*list).begin(), (again.*list).end());
    std::erase_if(found.*list, [&](const std::string& one) { return !there.contains(one); });
  }
  return found;
}

}  // namespace ckpt
