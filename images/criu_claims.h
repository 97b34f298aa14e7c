// What a CRIU image must have again of the host, and what may be missing or another's there: locks,
// addresses.
#pragma once
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace ckpt {

/// A lock that CRIU takes again, and waits for (criu/file-lock.c).
struct ImageLock {
  int pid = 0;       ///< in the container
  std::string path;  ///< of the file, in the container; empty: not known
  bool flock = false;
  bool write = false;
  std::uint64_t start = 0, length = 0;  ///< bytes; a length of 0: to the end of the file
};
std::vector<ImageLock> image_locks(const std::filesystem::path& images);

/// An address that a socket is bound to, which the network namespace must have.
struct ImageAddress {
  std::string address;  ///< "10.0.0.2", "fd00::2"
  std::string socket;   ///< "tcp 10.0.0.2:80"
  bool listens =
      false;  ///< or is a datagram socket; else a connection, which --tcp close does not bind again
};
/// Without those that are bound to any address, or may be bound to one that is not there (IP_FREEBIND).
std::vector<ImageAddress> image_addresses(const std::filesystem::path& images);

/// Sizes in bytes of the huge pages (MAP_HUGETLB) that the processes have mapped; 0: the host's default one.
std::set<std::uint64_t> image_huge_pages(const std::filesystem::path& images);

/// The signal that the first process has asked for at the death of its parent; 0: none.
int parent_death_signal(const std::filesystem::path& images);

}  // namespace ckpt
