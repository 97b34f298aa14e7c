// What /proc says about processes: read once, into values.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// proc(5) /proc/PID/stat.
struct ProcessStat {
  pid_t pid = 0;
  std::string comm;
  char state = '?';  ///< 'Z' zombie, 'X' dead
  pid_t ppid = 0;
  bool exiting = false;          ///< on its way to 'Z'
  std::uint64_t start_time = 0;  ///< clock ticks since boot: with the pid, the identity of a process
};

/// Every process that /proc shows.
std::vector<pid_t> all_processes();
/// The strings in /proc/PID/cmdline or /proc/PID/environ; none when it is gone.
std::vector<std::string> zero_terminated(pid_t pid, std::string_view file);

/// Of the text of /proc/PID/stat; nullopt when it is none. Pure.
std::optional<ProcessStat> parse_process_stat(const std::string& text);
std::optional<ProcessStat> process_stat(pid_t pid);
/// Exists and is neither a zombie nor dead: a sandbox of runsc whose zombie is not reaped still has a pid.
bool alive(pid_t pid);
/// The same process as the one recorded: alive and started at that time.
bool same_process(pid_t pid, std::uint64_t start_time);
/// "'sh' (pid 7)", as messages name a process.
std::string process_name(pid_t pid);
/// The value of `field` in /proc/PID/status, as "RssAnon" or "NSsid"; empty without.
std::string status_field(pid_t pid, std::string_view field);

/// One open descriptor of a process.
struct OpenFile {
  int fd = -1;
  std::string target;           ///< what the link says: a path, "pipe:[1]", "socket:[2]", "/x (deleted)"
  mode_t mode = 0;              ///< st_mode
  std::uint64_t links = 0;      ///< st_nlink
  std::uint64_t size = 0;       ///< st_size
  std::uint64_t allocated = 0;  ///< bytes of st_blocks: a file's last page counts whole, a hole not
  std::uint64_t inode = 0;
  dev_t device = 0;             ///< st_rdev
  std::optional<int> mount_id;  ///< fdinfo's mnt_id; read for 0, 1 and 2 only
};
std::vector<OpenFile> open_files(pid_t pid);
/// Mount ids of /proc/PID/mountinfo.
std::set<int> mount_ids(pid_t pid);

/// Processes in the cgroup (and below) that `init` is in; empty when that is the root cgroup or cannot be
/// read.
std::vector<pid_t> cgroup_processes(pid_t init);
/// Those that wait to be reaped too.
std::vector<pid_t> children(pid_t parent);
/// `init` and everything that descends from it.
std::vector<pid_t> descendants(pid_t init);

/// The pid in the innermost pid namespace of the process (the last of NSpid, proc(5)); 0 when it is gone.
pid_t inner_pid(pid_t pid);

/// Whether it lives in a pid namespace below ours.
bool is_nested(pid_t pid);
/// Those of descendants(root) that are nested: the tasks that a CRIU is restoring.
std::vector<pid_t> nested_tasks(pid_t root);

/// Which of `pids` hold a lock (flock, POSIX, OFD) or a lease, by their fdinfo, where CRIU looks:
/// /proc/locks has no pid for an OFD lock, and for a flock that of the process which took it.
std::set<pid_t> lock_holders(const std::vector<pid_t>& pids);
/// TCP connections in `pid`'s network namespace whose socket is among `inodes`, also those that are being
/// made or are half closed, as "127.0.0.1:80 -> 127.0.0.1:41000".
std::vector<std::string> established_tcp(pid_t pid, const std::set<std::uint64_t>& inodes);
/// The same of UDP sockets that are connected.
std::vector<std::string> connected_udp(pid_t pid, const std::set<std::uint64_t>& inodes);
/// The inode behind /proc/PID/ns/NAME; nullopt when gone.
std::optional<std::uint64_t> namespace_inode(pid_t pid, const char* name);

}  // namespace ckpt
