// filelocks.img (images/file-lock.proto), the sockets of files.img (sk-inet.proto), core-PID.img
// (core.proto).
#include "images/criu_claims.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <map>

#include "images/criu_decode.h"
#include "images/criu_descriptors.h"
#include "images/criu_entries.h"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

struct LockEntry {
  ImageLock lock;
  int fd = -1;
};

/// file_lock_entry{flag = 1, type = 2, pid = 3, fd = 4, start = 5, len = 6}; the flags are the kernel's
/// (include/linux/filelock.h).
LockEntry to_lock(Message entry) {
  constexpr std::uint64_t kFlock = 2;
  LockEntry out;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) out.lock.flock = (m.value() & kFlock) != 0;
    if (field == 2) out.lock.write = m.value() == F_WRLCK;
    if (field == 3) out.lock.pid = to_int(m.value());
    if (field == 4) out.fd = to_int(m.value());
    if (field == 5) out.lock.start = m.value();
    if (field == 6) out.lock.length = m.value();
  });
  return out;
}

std::vector<LockEntry> lock_entries(const fs::path& images) {
  std::vector<LockEntry> entries;
  each_entry(images / "filelocks.img", [&](Message entry) { entries.push_back(to_lock(entry)); });
  return entries;
}

std::string path_of(const std::vector<ImageDescriptor>& descriptors, int fd,
                    const std::map<std::uint32_t, std::string>& paths) {
  for (const ImageDescriptor& one : descriptors)
    if (one.fd == fd && one.type == "regular")
      if (const auto path = paths.find(one.file_id); path != paths.end()) return path->second;
  return "";
}

struct InetSocket {
  std::uint64_t family = 0, type = 0, protocol = 0, state = 0, port = 0;
  std::vector<std::uint64_t> address;
  bool free = false;  ///< IP_FREEBIND
};

/// inet_sk_entry, ip_opts_entry{freebind = 1}
InetSocket to_socket(Message entry) {
  InetSocket socket;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 3) socket.family = m.value();
    if (field == 4) socket.type = m.value();
    if (field == 5) socket.protocol = m.value();
    if (field == 6) socket.state = m.value();
    if (field == 7) socket.port = m.value();
    if (field == 11 && !m.append_to(socket.address)) throw Damage();
    if (field == 16)
      each_field(m.message(), [&](std::uint64_t inner, const Message& option) {
        if (inner == 1) socket.free = option.value() != 0;
      });
  });
  return socket;
}

/// Empty for any address; that of IPv4 for one that is mapped into IPv6.
std::string address_of(const InetSocket& socket) {
  std::array<std::uint32_t, 4> words = {};
  const std::size_t count = socket.family == AF_INET6 ? 4 : 1;
  if (socket.address.size() < count) return "";
  std::copy_n(socket.address.begin(), count, words.begin());
  if (std::all_of(words.begin(), words.end(), [](std::uint32_t word) { return word == 0; })) return "";
  const bool mapped = count == 4 && words[0] == 0 && words[1] == 0 && words[2] == htonl(0xffff);
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(count == 4 && !mapped ? AF_INET6 : AF_INET, mapped ? &words[3] : words.data(), text,
              sizeof text);
  return text == std::string("0.0.0.0") ? "" : text;
}

}  // namespace

std::vector<ImageLock> image_locks(const fs::path& images) {
  std::vector<LockEntry> entries = lock_entries(images);
  std::vector<ImageLock> locks;
  if (entries.empty()) return locks;
  std::map<std::uint32_t, std::string> paths;
  for (const ImageOpenFile& file : image_regular_files(images))
    if (!file.ghost && !file.external) paths[file.id] = file.path;
  std::map<int, std::vector<ImageDescriptor>> descriptors;
  for (LockEntry& entry : entries) {
    const int pid = entry.lock.pid;
    if (!descriptors.contains(pid)) descriptors[pid] = image_descriptors(images, pid);
    entry.lock.path = path_of(descriptors[pid], entry.fd, paths);
    locks.push_back(std::move(entry.lock));
  }
  return locks;
}

std::vector<ImageAddress> image_addresses(const fs::path& images) {
  constexpr std::uint64_t kListen = 10, kClosed = 7;  // TCP's states
  std::vector<ImageAddress> addresses;
  each_entry(images / "files.img", [&](Message entry) {  // file_entry{isk = 4}
    each_field(entry, [&](std::uint64_t field, const Message& m) {
      if (field != 4) return;
      const InetSocket socket = to_socket(m.message());
      const std::string address = address_of(socket);
      if (address.empty() || socket.free) return;
      const bool tcp = socket.protocol == IPPROTO_TCP;
      addresses.push_back({address,
                           fmt::format("{} {}:{}",
                                       tcp                              ? "tcp"
                                       : socket.protocol == IPPROTO_UDP ? "udp"
                                                                        : "ip",
                                       socket.family == AF_INET6 && address.find(':') != std::string::npos
                                           ? "[" + address + "]"
                                           : address,
                                       socket.port),
                           !tcp || socket.state == kListen || socket.state == kClosed});
    });
  });
  return addresses;
}

std::set<std::uint64_t> image_huge_pages(const fs::path& images) {
  constexpr std::uint64_t kHuge = 0x40000, kShift = 26, kSizes = 0x3f;  // MAP_HUGETLB, MAP_HUGE_SHIFT
  std::set<std::uint64_t> sizes;
  for (const ImageProcess& process : image_processes(images))
    each_entry(images / fmt::format("mm-{}.img", process.pid), [&](Message mm) {
      each_field(mm, [&](std::uint64_t field, const Message& m) {  // mm_entry{vmas = 14}
        if (field != 14) return;
        each_field(m.message(), [&](std::uint64_t inner, const Message& vma) {  // vma_entry{flags = 6}
          if (inner != 6 || (vma.value() & kHuge) == 0) return;
          const std::uint64_t log = vma.value() >> kShift & kSizes;
          sizes.insert(log == 0 ? 0 : std::uint64_t{1} << log);
        });
      });
    });
  return sizes;
}

int parent_death_signal(const fs::path& images) {
  int signal = 0;
  for (const ImageProcess& process : image_processes(images)) {
    if (process.ppid != 0) continue;
    each_entry(images / fmt::format("core-{}.img", process.pid), [&](Message core) {
      each_field(core, [&](std::uint64_t field, const Message& m) {  // core_entry{thread_core = 5}
        if (field != 5) return;
        each_field(m.message(), [&](std::uint64_t inner, const Message& thread) {
          if (inner == 8) signal = to_int(thread.value());  // thread_core_entry{pdeath_sig = 8}
        });
      });
    });
  }
  return signal;
}

}  // namespace ckpt
