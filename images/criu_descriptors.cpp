// fdinfo-N.img, the sockets of files.img, mountpoints-N.img. Numbers: CRIU's images/fdinfo.proto, sk-*.proto,
// packet-sock.proto and mnt.proto.
#include "images/criu_descriptors.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "images/compression.h"
#include "images/criu_entries.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

/// names[value], or the number itself.
template <std::size_t N>
std::string name_in(const std::array<const char*, N>& names, std::uint64_t value) {
  return value < N && names[value] != nullptr ? names[value] : std::to_string(value);
}

/// fd_types
constexpr std::array<const char*, 21> kTypes = {
    "undefined", "regular", "pipe",     "fifo",    "inet",  "unix",     "eventfd",
    "epoll",     "inotify", "signalfd", "packet",  "tty",   "fanotify", "netlink",
    "namespace", "tun",     "external", "timerfd", "memfd", "bpfmap",   "pidfd"};

/// task_kobj_ids_entry{files_id = 2}; very old images have one fdinfo per process.
std::uint64_t files_id_of(const fs::path& images, int pid) {
  auto id = static_cast<std::uint64_t>(pid);
  each_entry(images / fmt::format("ids-{}.img", pid), [&](Message entry) {
    each_field(entry, [&](std::uint64_t field, const Message& m) {
      if (field == 2) id = m.value();
    });
  });
  return id;
}

/// fdinfo_entry
ImageDescriptor to_descriptor(Message entry) {
  ImageDescriptor descriptor;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) descriptor.file_id = static_cast<std::uint32_t>(m.value());
    if (field == 2) descriptor.close_on_exec = (m.value() & 1U) != 0;  // FD_CLOEXEC
    if (field == 3) descriptor.type = name_in(kTypes, m.value());
    if (field == 4) descriptor.fd = to_int(m.value());
  });
  return descriptor;
}

// ---- sockets

constexpr std::array<const char*, 6> kSocketTypes = {nullptr, "stream", "dgram", "raw", nullptr, "seqpacket"};
/// Of TCP, used for all families.
constexpr std::array<const char*, 12> kStates = {"",           "established", "syn-sent",  "syn-recv",
                                                 "fin-wait1",  "fin-wait2",   "time-wait", "close",
                                                 "close-wait", "last-ack",    "listen",    "closing"};

std::string protocol_name(std::uint64_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmp6";
    case IPPROTO_UDPLITE:
      return "udplite";
    default:
      return std::to_string(protocol);
  }
}

/// The words are the address' bytes as in memory. Empty for a socket that is not bound or has no peer.
std::string address_text(bool v6, const std::vector<std::uint64_t>& words, std::uint64_t port) {
  std::array<std::uint32_t, 4> bytes = {};
  for (std::size_t i = 0; i < std::min(words.size(), bytes.size()); ++i)
    bytes[i] = static_cast<std::uint32_t>(words[i]);
  const bool any = std::any_of(bytes.begin(), bytes.end(), [](std::uint32_t word) { return word != 0; });
  if (!any && port == 0) return "";
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text);
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", text, v6 ? "]" : "", port);
}

/// inet_sk_entry
ImageSocket to_inet(Message entry) {
  ImageSocket socket;
  std::uint64_t family = 0, local_port = 0, remote_port = 0;
  std::vector<std::uint64_t> local, remote;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) socket.id = static_cast<std::uint32_t>(m.value());
    if (field == 3) family = m.value();
    if (field == 4) socket.type = name_in(kSocketTypes, m.value());
    if (field == 5) socket.protocol = protocol_name(m.value());
    if (field == 6) socket.state = name_in(kStates, m.value());
    if (field == 7) local_port = m.value();
    if (field == 8) remote_port = m.value();
    if (field == 11 && !m.append_to(local)) throw Damage();
    if (field == 12 && !m.append_to(remote)) throw Damage();
  });
  const bool v6 = family == AF_INET6;
  socket.family = v6 ? "inet6" : family == AF_INET ? "inet" : std::to_string(family);
  socket.local = address_text(v6, local, local_port);
  socket.remote = address_text(v6, remote, remote_port);
  return socket;
}

/// A name that begins with a zero byte is abstract.
std::string unix_name(std::string_view name) {
  if (!name.empty() && name[0] == '\0') return "@" + std::string(name.substr(1));
  return std::string(name.substr(0, name.find('\0')));
}

/// unix_sk_entry
ImageSocket to_unix(Message entry) {
  ImageSocket socket;
  socket.family = "unix";
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) socket.id = static_cast<std::uint32_t>(m.value());
    if (field == 3) socket.type = name_in(kSocketTypes, m.value());
    if (field == 4) socket.state = name_in(kStates, m.value());
    if (field == 8 && m.value() != 0) socket.remote = fmt::format("inode {}", m.value());
    if (field == 11) socket.local = unix_name(m.bytes());
  });
  return socket;
}

/// packet_sock_entry{type = 2, protocol = 3}, netlink_sk_entry{protocol = 3}: only their kinds.
ImageSocket to_other(Message entry, const char* family) {
  ImageSocket socket;
  socket.family = family;
  const bool packet = socket.family == "packet";
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) socket.id = static_cast<std::uint32_t>(m.value());
    if (field == 2 && packet) socket.type = name_in(kSocketTypes, m.value());
    if (field == 3) socket.protocol = std::to_string(m.value());
  });
  return socket;
}

// ---- mounts

/// fstype
constexpr std::array<const char*, 24> kFileSystems = {
    "",       "proc",       "sysfs",   "devtmpfs", "binfmt_misc", "tmpfs", "devpts", "simfs",
    "pstore", "securityfs", "fusectl", "debugfs",  "cgroup",      "aufs",  "mqueue", "fuse",
    nullptr,  "overlay",    "autofs",  "tracefs",  "rpc_pipefs",  "nfs",   "nfs4",   "cgroup2"};
constexpr std::uint64_t kAuto = 16;  // then fsname says it

/// mnt_entry
ImageMount to_mount(Message entry) {
  ImageMount mount;
  std::uint64_t type = 0;
  bool external = false;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) type = m.value();
    if (field == 2) mount.id = to_int(m.value());
    if (field == 3) mount.device = m.value();
    if (field == 4) mount.parent = to_int(m.value());
    if (field == 5) mount.flags = static_cast<std::uint32_t>(m.value());
    if (field == 6) mount.root = m.text();
    if (field == 7) mount.mountpoint = m.text();
    if (field == 8) mount.source = m.text();
    if (field == 9) mount.options = m.text();
    if (field == 10) mount.shared = to_int(m.value());
    if (field == 13) external = m.value() != 0;
    if (field == 14 && type == kAuto) mount.type = m.text();
    if (field == 17) mount.sb_flags = static_cast<std::uint32_t>(m.value());
    if (field == 16) mount.deleted = m.value() != 0;
    if (field == 18) mount.external = m.text();
  });
  if (type != kAuto) mount.type = name_in(kFileSystems, type);
  if (external && mount.external.empty()) mount.external = mount.mountpoint;
  return mount;
}

}  // namespace

std::vector<ImageDescriptor> image_descriptors(const fs::path& images, int pid) {
  std::vector<ImageDescriptor> descriptors;
  each_entry(images / fmt::format("fdinfo-{}.img", files_id_of(images, pid)),
             [&](Message entry) { descriptors.push_back(to_descriptor(entry)); });
  std::sort(descriptors.begin(), descriptors.end(),
            [](const ImageDescriptor& a, const ImageDescriptor& b) { return a.fd < b.fd; });
  return descriptors;
}

std::vector<ImageSocket> image_sockets(const fs::path& images) {
  std::vector<ImageSocket> sockets;
  each_entry(images / "files.img", [&](Message entry) {  // file_entry{isk = 4, psk = 6, nlsk = 7, usk = 16}
    each_field(entry, [&](std::uint64_t field, const Message& m) {
      if (field == 4) sockets.push_back(to_inet(m.message()));
      if (field == 6) sockets.push_back(to_other(m.message(), "packet"));
      if (field == 7) sockets.push_back(to_other(m.message(), "netlink"));
      if (field == 16) sockets.push_back(to_unix(m.message()));
    });
  });
  // Where older CRIU had them.
  each_entry(images / "inetsk.img", [&](Message entry) { sockets.push_back(to_inet(entry)); });
  each_entry(images / "unixsk.img", [&](Message entry) { sockets.push_back(to_unix(entry)); });
  return sockets;
}

std::vector<ImageMount> image_mounts(const fs::path& images) {
  std::vector<ImageMount> mounts;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(images))
    if (entry.path().filename().string().starts_with("mountpoints-"))
      files.emplace_back(without_packed_suffix(entry.path().string()));
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files)
    each_entry(file, [&](Message entry) { mounts.push_back(to_mount(entry)); });
  // CRIU writes the newest first.
  std::reverse(mounts.begin(), mounts.end());
  return mounts;
}

}  // namespace ckpt
