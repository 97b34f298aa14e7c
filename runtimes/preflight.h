// Looking at a running container before its dump: what would fail, what would be lost, what must be asked
// for.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtimes/driver.h"
#include "runtimes/state_facts.h"

namespace ckpt {

/// A process that has NVIDIA's devices open.
struct GpuHolder {
  pid_t pid = 0;    ///< as the caller's cuda-checkpoint sees it: on the host, or inside the sandbox
  pid_t inner = 0;  ///< in the container's own pid namespace: the same after a restore
  std::string comm;
  std::vector<std::string> devices;  ///< sorted, each once
  bool operator==(const GpuHolder&) const = default;
};

struct Findings {
  std::vector<std::string>
      bad_stdio;  ///< "stdout of 'sh' (pid 7) is '/tmp/log', opened outside the container"
  std::vector<std::string> exec_sessions;  ///< "'sh' (pid 11)"
  std::vector<std::string> lock_holders;   ///< "'flock' (pid 12)"
  /// Deleted open files that still have another name, which only link-remap can dump: "'/data/x' of 'app'
  /// (pid 3)".
  std::vector<std::string> linked_deleted;
  std::vector<std::string> connections;  ///< established TCP, "127.0.0.1:80 -> 127.0.0.1:4000"
  std::uint64_t largest_ghost = 0;       ///< bytes of the largest deleted open file without a name
  std::vector<GpuHolder> gpu_holders;    ///< runc and crun only; a sandbox is asked apart
  bool host_pid_namespace = false;
  std::vector<SandboxedFact> sandboxed;  ///< runsc: see sandbox_processes
  std::array<std::string, 3> stdio;  ///< "pipe", "null", "tty", "file", "socket": kinds of the first process
};

/// For runc and crun from the host's /proc; for runsc from `ps` inside the sandbox (only exec sessions are
/// looked for: gVisor saves the rest). Reads only.
Findings examine(const Driver& driver, const ContainerState& container);

/// In-sandbox processes of `runsc ps` (its table) that are not descended from pid 1: exec sessions.
/// The columns are found by their heading, which differs between versions. Throws Error(runtime_failed)
/// without them.
std::vector<std::string> sandbox_exec_sessions(const std::string& ps_table);

}  // namespace ckpt
