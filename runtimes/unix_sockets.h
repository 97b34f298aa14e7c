// The unix sockets of a network namespace, and who is connected to whom (sock_diag(7)).
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace ckpt {

struct UnixSocket {
  int type = 0;            ///< SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET
  std::uint64_t peer = 0;  ///< inode of the socket at the other end, whatever its namespace; 0: none
  std::string name;        ///< a path, "@name" when abstract; empty: none
};

/// Those of the network namespace of `pid`, by inode. Empty when it cannot be entered or the kernel does not
/// tell (no unix_diag).
std::map<std::uint64_t, UnixSocket> unix_sockets(pid_t pid);

}  // namespace ckpt
