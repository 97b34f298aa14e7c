// What a container has that neither CRIU nor its runtime brings back by itself: seen at the checkpoint, put
// right and proved at the restore.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

/// A route of the main table through a link; the kernel's own are left out.
struct RouteFact {
  std::string destination;  ///< "10.0.0.0/8", "::/0"
  std::string gateway;      ///< empty: on the link
  std::string source;       ///< preferred; empty: none
  std::uint32_t metric = 0;
  bool operator==(const RouteFact&) const = default;
};

/// A link of a network namespace.
struct LinkFact {
  std::string name;
  bool up = false;
  std::vector<std::string> addresses;  ///< "10.0.0.2/24"
  std::vector<RouteFact> routes;
  bool operator==(const LinkFact&) const = default;
};

/// A thread that is not as one begins.
struct ThreadFact {
  int tid = 0;                    ///< in the container's pid namespace
  std::string cpus;               ///< it may run on, "0-3,8"; empty: on all of its cgroup
  std::uint64_t timer_slack = 0;  ///< ns; 0: the usual
  bool operator==(const ThreadFact&) const = default;
};

/// A unix socket whose file is not where it was bound.
struct MovedSocketFact {
  std::uint64_t inode = 0;  ///< of the socket: what sock_diag(7) and CRIU call it by
  std::string bound, path;  ///< in the container
  bool operator==(const MovedSocketFact&) const = default;
};

struct SandboxedFact {
  int pid = 0;  ///< in the sandbox
  std::string command;
  bool operator==(const SandboxedFact&) const = default;
};

struct StateFacts {
  /// Of a network namespace that the runtime makes, or that runsc takes the addresses from.
  std::vector<LinkFact> links;
  std::optional<std::vector<ThreadFact>> threads;  ///< nullopt: was not looked at
  std::vector<MovedSocketFact> moved_sockets;      ///< in the image they have their new name
  std::vector<SandboxedFact> sandboxed;            ///< see sandbox_processes
};

/// What a look at a container that runs finds.
struct StateFindings {
  StateFacts facts;
  std::vector<std::string> lost_sockets;  ///< "'/run/x' of 'app' (pid 3)": its file is not found
  std::vector<std::string> neighbours;    ///< other containers in the same sandbox
  bool own_network = false;               ///< its network namespace is made by the runtime
};

}  // namespace ckpt
