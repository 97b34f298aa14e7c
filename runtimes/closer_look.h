// A closer look at a running container of runc or crun: what makes CRIU's dump fail, or its image useless.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct CloserFindings {
  std::vector<std::string> io_uring;       ///< "'node' (pid 7)"
  std::vector<std::string> devices;        ///< "'/dev/fuse' of 'sshfs' (pid 3)"; NVIDIA's are told apart
  std::vector<std::string> inotify;        ///< who watches files
  std::vector<std::string> anonymous;      ///< "perf_event of 'x' (pid 4)": kernel objects behind descriptors
  std::vector<std::string> sockets;        ///< "MPTCP of 'x' (pid 4)"
  std::vector<std::string> udp;            ///< connected UDP sockets, "127.0.0.1:1 -> 127.0.0.1:2"
  std::vector<std::string> users;          ///< "'x' (pid 4)": another user's, whose limits ckpt may not read
  std::vector<std::string> personalities;  ///< "'x' (pid 4)": has one that is not the common one
  std::vector<std::string> traced;         ///< who is held by a debugger or tracer
  std::vector<std::string> sessions;       ///< whose session was begun outside
  std::vector<std::string> namespaces;     ///< "uts namespace of 'x' (pid 4)": not the first process'
  std::vector<std::string> unix_streams;   ///< "'app' (pid 3) to '/run/x.sock'": the other end is outside
  std::vector<std::string> unix_datagrams;  ///< the same, which --ext-unix-sk can dump
  bool private_network = false;             ///< its network namespace is not ckpt's
  std::uint64_t memory = 0;                 ///< bytes that the dump writes at most
};

/// What is found is looked for again and said when it is still there: processes come and go meanwhile, and
/// half of a connection that is closed looks like one to the outside.
CloserFindings look_closer(pid_t init);

/// Whether ckpt itself has this capability (capabilities(7), by number) in effect.
bool has_capability(int number);
/// Of the target of a descriptor's link: "perf_event" where CRIU has no way to save what is behind it; empty
/// for all others.
std::string unknown_object(std::string_view target);
/// Whether CRIU saves sockets of this protocol, as the kernel names it (system.sockprotoname).
bool known_protocol(std::string_view name);

/// Anonymous, shared and swapped memory of these processes, in bytes.
std::uint64_t dumped_memory(const std::vector<pid_t>& pids);

}  // namespace ckpt
