// Readers of /proc/locks, of a namespace's interfaces and of cgroup.procs.
#include "runtimes/host_claims.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include "runtimes/fs.h"
#include "runtimes/network_namespace.h"

namespace ckpt {
namespace {

constexpr std::size_t kMost = 4U << 20U;

/// "1: POSIX  ADVISORY  WRITE 12 fe:01:7 0 EOF"; "->" before the kind of one that waits.
std::optional<HostLock> lock_of(const std::string& line) {
  std::istringstream words(line);
  std::string number, kind, how, access, file, start, end;
  HostLock lock;
  words >> number >> kind;
  if (kind != "FLOCK" && kind != "POSIX" && kind != "OFDLCK") return std::nullopt;
  words >> how >> access >> lock.pid >> file >> start >> end;
  unsigned long long inode = 0;
  if (!words || std::sscanf(file.c_str(), "%x:%x:%llu", &lock.major, &lock.minor, &inode) != 3)
    return std::nullopt;
  lock.pid = std::max<pid_t>(0, lock.pid);
  lock.flock = kind == "FLOCK";
  lock.write = access == "WRITE";
  lock.inode = inode;
  lock.start = std::strtoull(start.c_str(), nullptr, 10);
  if (end != "EOF") lock.end = std::strtoull(end.c_str(), nullptr, 10);
  return lock;
}

BindableAddresses addresses_here() {
  BindableAddresses out;
  out.any = read_file("/proc/sys/net/ipv4/ip_nonlocal_bind", 16).value_or("0").starts_with('1');
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, &::freeifaddrs);
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    char text[INET6_ADDRSTRLEN] = "";
    if (one->ifa_addr == nullptr) continue;
    if (one->ifa_addr->sa_family == AF_INET)
      ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text, sizeof text);
    if (one->ifa_addr->sa_family == AF_INET6)
      ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, text,
                  sizeof text);
    if (*text != '\0') out.addresses.insert(text);
  }
  return out;
}

/// "a-b.slice" is below "a.slice".
std::string slice_path(const std::string& slice) {
  std::string path;
  if (slice.empty() || slice == "-.slice") return path;
  const std::string name = slice.substr(0, slice.rfind(".slice"));
  for (std::size_t dash = name.find('-'); dash != std::string::npos; dash = name.find('-', dash + 1))
    path += name.substr(0, dash) + ".slice/";
  return path + name + ".slice/";
}

/// The mount points of the host's cgroup hierarchies.
std::vector<std::string> hierarchies() {
  std::vector<std::string> roots;
  std::error_code error;
  const fs::path base = "/sys/fs/cgroup";
  if (fs::exists(base / "cgroup.procs", error)) return {base.string()};
  for (fs::directory_iterator it(base, error), end; !error && it != end; it.increment(error))
    if (!it->is_symlink(error) && it->is_directory(error)) roots.push_back(it->path().string());
  return roots;
}

}  // namespace

std::vector<HostLock> parse_locks(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::vector<HostLock> locks;
  for (std::string line; std::getline(lines, line);)
    if (const auto lock = lock_of(line)) locks.push_back(*lock);
  return locks;
}

std::vector<HostLock> host_locks() {
  return parse_locks(read_file("/proc/locks", kMost).value_or(""));
}

std::optional<BindableAddresses> bindable_addresses(const std::string& path) {
  if (path.empty()) return addresses_here();
  std::optional<BindableAddresses> out;
  in_network(path, [&] { out = addresses_here(); });
  return out;
}

std::set<std::uint64_t> huge_pages_there() {
  std::set<std::uint64_t> sizes;
  std::uint64_t normal = 0;
  std::istringstream memory(read_file("/proc/meminfo", 64U << 10U).value_or(""));
  for (std::string line; std::getline(memory, line);)
    if (line.starts_with("Hugepagesize:")) normal = std::strtoull(line.c_str() + 13, nullptr, 10) * 1024;
  std::error_code error;
  for (fs::directory_iterator it("/sys/kernel/mm/hugepages", error), end; !error && it != end;
       it.increment(error)) {
    const auto pages = [&](const char* file) {
      return std::strtoull(read_file(it->path() / file, 32).value_or("0").c_str(), nullptr, 10);
    };
    unsigned long long kilobytes = 0;
    if (std::sscanf(it->path().filename().c_str(), "hugepages-%llukB", &kilobytes) != 1 ||
        pages("nr_hugepages") + pages("nr_overcommit_hugepages") == 0)
      continue;
    sizes.insert(kilobytes * 1024);
    if (kilobytes * 1024 == normal) sizes.insert(0);
  }
  return sizes;
}

std::string cgroup_directory_of(const std::string& path) {
  const std::size_t first = path.find(':'), second = path.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) return path;
  const std::string slice = first == 0 ? "system.slice" : path.substr(0, first);
  const std::string prefix = path.substr(first + 1, second - first - 1), name = path.substr(second + 1);
  if (name.ends_with(".slice")) return slice_path(slice) + name;
  return slice_path(slice) + (prefix.empty() ? "" : prefix + "-") + name + ".scope";
}

std::vector<pid_t> processes_in_cgroup(const std::string& path) {
  const std::string directory = cgroup_directory_of(path);
  if (directory.empty() || fs::path(directory).lexically_normal() == "/") return {};
  std::set<pid_t> pids;
  for (const std::string& root : hierarchies()) {
    std::istringstream text(
        read_file(fs::path(root) / fs::path(directory).relative_path() / "cgroup.procs", kMost).value_or(""));
    for (pid_t pid = 0; text >> pid;) pids.insert(pid);
  }
  return {pids.begin(), pids.end()};
}

}  // namespace ckpt
