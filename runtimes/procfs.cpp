// Readers of /proc (proc(5)) and of cgroup membership files (cgroups(7)).
#include "runtimes/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::size_t kSmall = 4U << 20U;

std::string proc(pid_t pid, std::string_view rest) {
  return fmt::format("/proc/{}/{}", pid, rest);
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::istringstream text(read_file(path, kSmall).value_or(""));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::vector<pid_t> pids_in(const std::string& path) {
  std::vector<pid_t> pids;
  std::istringstream text(read_file(path, kSmall).value_or(""));
  for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
  return pids;
}

std::optional<int> mount_id_of(const std::string& fdinfo) {
  for (const std::string& line : lines_of(fdinfo))
    if (line.starts_with("mnt_id:")) return std::atoi(line.c_str() + 7);
  return std::nullopt;
}

/// Held with O_PATH while it is looked at: the process may put another file there between two reads, and half
/// of one and half of the other is a file that never was.
std::optional<OpenFile> open_file(pid_t pid, int fd) {
  const Fd held(::open(proc(pid, fmt::format("fd/{}", fd)).c_str(), O_PATH | O_CLOEXEC));
  char target[4096];
  struct stat status = {};
  if (!held || ::fstat(held.get(), &status) != 0) return std::nullopt;
  const ssize_t length =
      ::readlink(fmt::format("/proc/self/fd/{}", held.get()).c_str(), target, sizeof target);
  if (length < 0) return std::nullopt;
  OpenFile file{.fd = fd,
                .target = std::string(target, static_cast<std::size_t>(length)),
                .mode = status.st_mode,
                .links = status.st_nlink,
                .size = static_cast<std::uint64_t>(status.st_size),
                .allocated = static_cast<std::uint64_t>(status.st_blocks) * 512,
                .inode = status.st_ino,
                .device = status.st_rdev,
                .mount_id = std::nullopt};
  if (fd <= 2) file.mount_id = mount_id_of(fmt::format("/proc/self/fdinfo/{}", held.get()));
  return file;
}

/// Where a cgroup of `init` is seen in the file system: the unified hierarchy, else v1's freezer.
std::optional<std::string> cgroup_directory(pid_t init) {
  std::optional<std::string> found;
  for (const std::string& line : lines_of(proc(init, "cgroup"))) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controller = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (path == "/") continue;
    if (controller.empty() && fs::exists("/sys/fs/cgroup/cgroup.controllers")) return "/sys/fs/cgroup" + path;
    if (controller == "freezer") found = "/sys/fs/cgroup/freezer" + path;
  }
  return found;
}

/// 0100007F:1F90 as 127.0.0.1:8080, so too where an IPv6 socket has it; other IPv6 as its hex digits, which
/// is enough to name a connection.
std::string address(std::string hex) {
  constexpr std::string_view kMapped = "0000000000000000FFFF0000";
  if (hex.starts_with(kMapped)) hex.erase(0, kMapped.size());
  const std::size_t colon = hex.find(':');
  unsigned port = 0;
  std::from_chars(hex.data() + colon + 1, hex.data() + hex.size(), port, 16);
  if (colon != 8) return fmt::format("[{}]:{}", hex.substr(0, colon), port);
  std::uint32_t ip = 0;
  std::from_chars(hex.data(), hex.data() + 8, ip, 16);
  return fmt::format("{}.{}.{}.{}:{}", ip & 255U, (ip >> 8U) & 255U, (ip >> 16U) & 255U, ip >> 24U, port);
}

}  // namespace

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) pids.push_back(std::atoi(name.c_str()));
  }
  return pids;
}

std::vector<std::string> zero_terminated(pid_t pid, std::string_view file) {
  const std::string text = read_file(proc(pid, file)).value_or("");
  std::vector<std::string> strings;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\0', begin), text.size());
    strings.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return strings;
}

std::optional<ProcessStat> parse_process_stat(const std::string& text) {
  constexpr unsigned kExiting = 0x4;  // PF_EXITING of linux/sched.h
  const std::size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  ProcessStat stat{.pid = std::atoi(text.c_str()), .comm = text.substr(open + 1, close - open - 1)};
  std::istringstream rest(text.substr(close + 1));
  std::string skipped;
  unsigned flags = 0;
  rest >> stat.state >> stat.ppid;
  for (int field = 5; field < 9; ++field) rest >> skipped;
  rest >> flags;
  for (int field = 10; field < 22; ++field) rest >> skipped;
  rest >> stat.start_time;
  stat.exiting = (flags & kExiting) != 0;
  return stat;
}

std::optional<ProcessStat> process_stat(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  return parse_process_stat(read_file(proc(pid, "stat"), 4096).value_or(""));
}

bool alive(pid_t pid) {
  const auto stat = process_stat(pid);
  return stat && stat->state != 'Z' && stat->state != 'X';
}

bool same_process(pid_t pid, std::uint64_t start_time) {
  const auto stat = process_stat(pid);
  return stat && stat->state != 'Z' && stat->state != 'X' && stat->start_time == start_time;
}

std::string process_name(pid_t pid) {
  const auto stat = process_stat(pid);
  return fmt::format("'{}' (pid {})", stat ? stat->comm : "?", pid);
}

std::string status_field(pid_t pid, std::string_view field) {
  for (const std::string& line : lines_of(proc(pid, "status"))) {
    if (!line.starts_with(field) || line.size() <= field.size() || line[field.size()] != ':') continue;
    const std::size_t value = line.find_first_not_of(" \t", field.size() + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

std::vector<OpenFile> open_files(pid_t pid) {
  std::vector<OpenFile> files;
  DIR* directory = ::opendir(proc(pid, "fd").c_str());
  if (directory == nullptr) return files;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    if (auto file = open_file(pid, std::atoi(entry->d_name))) files.push_back(std::move(*file));
  }
  ::closedir(directory);
  return files;
}

std::set<int> mount_ids(pid_t pid) {
  std::set<int> ids;
  for (const std::string& line : lines_of(proc(pid, "mountinfo"))) ids.insert(std::atoi(line.c_str()));
  return ids;
}

std::vector<pid_t> cgroup_processes(pid_t init) {
  std::vector<pid_t> pids;
  const auto directory = cgroup_directory(init);
  if (!directory) return pids;
  std::error_code error;
  pids = pids_in(*directory + "/cgroup.procs");
  for (fs::recursive_directory_iterator it(*directory, error), end; !error && it != end; it.increment(error))
    if (it->is_directory(error))
      for (const pid_t pid : pids_in((it->path() / "cgroup.procs").string())) pids.push_back(pid);
  return pids;
}

std::vector<pid_t> children(pid_t parent) {
  std::vector<pid_t> all;
  std::error_code error;
  for (fs::directory_iterator it(proc(parent, "task"), error), end; !error && it != end; it.increment(error))
    for (const pid_t child : pids_in((it->path() / "children").string())) all.push_back(child);
  return all;
}

std::vector<pid_t> descendants(pid_t init) {
  std::vector<pid_t> all = {init};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (const pid_t child : children(all[i])) all.push_back(child);
  return all;
}

pid_t inner_pid(pid_t pid) {
  const std::string pids = status_field(pid, "NSpid");
  return std::atoi(pids.c_str() + (pids.find_last_of('\t') + 1));
}

bool is_nested(pid_t pid) {
  return status_field(pid, "NSpid").find('\t') != std::string::npos;
}

std::vector<pid_t> nested_tasks(pid_t root) {
  std::vector<pid_t> nested = descendants(root);
  std::erase_if(nested, [](pid_t pid) { return !is_nested(pid); });
  return nested;
}

std::set<pid_t> lock_holders(const std::vector<pid_t>& pids) {
  std::set<pid_t> holders;
  for (const pid_t pid : pids) {
    std::error_code error;
    for (fs::directory_iterator it(proc(pid, "fdinfo"), error), end; !error && it != end; it.increment(error))
      for (const std::string& line : lines_of(it->path().string())) {
        std::istringstream words(line);
        std::string label, number, kind;
        words >> label >> number >> kind;
        if (label == "lock:" && (kind == "FLOCK" || kind == "POSIX" || kind == "OFDLCK" || kind == "LEASE"))
          holders.insert(pid);
      }
  }
  return holders;
}

namespace {

/// Of /proc/PID/net/`files`, those in one of `states`.
std::vector<std::string> connected(pid_t pid, const std::set<std::uint64_t>& inodes,
                                   std::initializer_list<const char*> files, std::string_view states) {
  std::vector<std::string> found;
  if (inodes.empty()) return found;
  for (const char* file : files) {
    for (const std::string& line : lines_of(proc(pid, file))) {
      std::istringstream words(line);
      std::string slot, local, remote, state, skipped;
      std::uint64_t inode = 0;
      words >> slot >> local >> remote >> state;
      for (int field = 4; field < 9; ++field) words >> skipped;
      words >> inode;
      if (states.find(state) != std::string_view::npos && inodes.contains(inode))
        found.push_back(address(local) + " -> " + address(remote));
    }
  }
  return found;
}

}  // namespace

std::vector<std::string> established_tcp(pid_t pid, const std::set<std::uint64_t>& inodes) {
  // ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING, as CRIU's sk-inet.c has them
  return connected(pid, inodes, {"net/tcp", "net/tcp6"}, "01 02 04 05 08 09 0B");
}

std::vector<std::string> connected_udp(pid_t pid, const std::set<std::uint64_t>& inodes) {
  return connected(pid, inodes, {"net/udp", "net/udp6"}, "01");
}

std::optional<std::uint64_t> namespace_inode(pid_t pid, const char* name) {
  struct stat status = {};
  if (::stat(proc(pid, fmt::format("ns/{}", name)).c_str(), &status) != 0) return std::nullopt;
  return status.st_ino;
}

}  // namespace ckpt
