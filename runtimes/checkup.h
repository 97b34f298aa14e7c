// What on this host would stop a checkpoint or a restore: facts in, a list of judgements out. Pure.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/runtime.h"

namespace ckpt {

struct Check {
  enum class Status { ok, warning, fails };
  std::string area;  ///< runtime, criu, kernel, network, ckpt, store, gpu
  std::string name;  ///< unique within the area
  Status status = Status::ok;
  std::string found = {};    ///< what there is, or what is wrong
  std::string fix = {};      ///< empty when ok
  std::string missing = {};  ///< the program to install, by name
};
std::string_view name_of(Check::Status status);

/// A program as it answered.
struct ProgramFacts {
  std::string path;          ///< empty: not installed
  std::string version;       ///< empty: not told
  std::string problem = {};  ///< why it is of no use: it hangs, it does not start
};

struct RuntimeState {
  RuntimeKind kind = RuntimeKind::runc;
  ProgramFacts program;
  bool checkpoints = false;  ///< its help has the options of `checkpoint`
  bool wanted = false;       ///< --runtime names it
};

struct CriuState {
  ProgramFacts program;
  bool checked = false;                       ///< whether it was asked; only root can
  std::string check = {};                     ///< what `criu check` complains about; empty: nothing
  std::map<std::string, bool> features = {};  ///< of those that it knows: whether the kernel has them
  std::string plugins = {};                   ///< the directory where it looks for plugins
  bool plugins_there = false;
};

struct KernelState {
  std::string release;
  std::string cgroups;        ///< v1, hybrid, v2
  bool cgroup2_busy = false;  ///< hybrid: the v2 tree has controllers, which crun refuses
  bool freezer = false;       ///< processes can be frozen by cgroup
  bool ns_last_pid = false;   ///< /proc/sys/kernel/ns_last_pid
  std::int64_t pid_max = 0;   ///< 0: not told
  bool seccomp = false;       ///< filters exist
  std::string hidepid;        ///< of /proc; empty: all processes are seen
  bool root = false;
  bool resource = true;  ///< ckpt has CAP_SYS_RESOURCE
};

struct NetworkState {
  std::string iptables, ip6tables, nft;  ///< paths of iptables-restore, ip6tables-restore, nft
  bool ipv6 = false;
};

/// A file that is installed with ckpt, and what is missing without it.
struct OwnFile {
  std::string name;
  bool there = false;
  std::string without;
};

struct DirectoryState {
  std::string path;
  bool exists = false;
  std::string problem = {};  ///< it is no directory, cannot be made or read
  mode_t mode = 0700;
  uid_t owner = 0;
  std::string filesystem = {};  ///< "ext4", "overlay"; empty: not told
  bool read_only = false;
  std::uint64_t free = 0, total = 0;  ///< bytes; of the nearest directory that exists
};

struct HostState {
  std::vector<RuntimeState> runtimes;
  CriuState criu;
  KernelState kernel;
  NetworkState network;
  std::vector<OwnFile> own;
  DirectoryState store, state;
  bool overlayfs = false;  ///< the kernel has it, as far as it tells
};

/// Everything but GPUs, by area. A runtime that is not installed is no failure while another one is there.
std::vector<Check> check_host_state(const HostState& host);

}  // namespace ckpt
