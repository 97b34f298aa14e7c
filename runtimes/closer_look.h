// A closer look at a running container of runc or crun: what makes CRIU's dump fail, or its image useless.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ckpt {

struct CloserFindings {
  std::vector<std::string> io_uring;        ///< "'node' (pid 7)"
  std::vector<std::string> devices;         ///< "'/dev/fuse' of 'sshfs' (pid 3)"; NVIDIA's are told apart
  std::vector<std::string> inotify;         ///< who watches files
  std::vector<std::string> traced;          ///< who is held by a debugger or tracer
  std::vector<std::string> sessions;        ///< whose session was begun outside
  std::vector<std::string> namespaces;      ///< "uts namespace of 'x' (pid 4)": not the first process'
  std::vector<std::string> unix_streams;    ///< "'app' (pid 3) to '/run/x.sock'": the other end is outside
  std::vector<std::string> unix_datagrams;  ///< the same, which --ext-unix-sk can dump
  bool private_network = false;             ///< its network namespace is not ckpt's
  std::uint64_t memory = 0;                 ///< bytes that the dump writes at most
};

CloserFindings look_closer(pid_t init);

/// Anonymous, shared and swapped memory of these processes, in bytes.
std::uint64_t dumped_memory(const std::vector<pid_t>& pids);

}  // namespace ckpt
