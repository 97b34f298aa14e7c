// Descriptors and sockets of the processes in a CRIU image, and their mounts.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ckpt {

struct ImageDescriptor {
  int fd = 0;
  std::string type;           ///< regular, pipe, fifo, inet, unix, eventfd, epoll, tty, ...
  std::uint32_t file_id = 0;  ///< of an ImageOpenFile or ImageSocket, by type
  bool close_on_exec = false;
};

struct ImageSocket {
  std::uint32_t id = 0;
  std::string family;    ///< inet, inet6, unix, netlink, packet
  std::string type;      ///< stream, dgram, raw, seqpacket; empty: not known
  std::string protocol;  ///< tcp, udp, ... or a number; empty for unix
  std::string state;     ///< listen, established, close-wait, ...; empty: it has none
  std::string local;     ///< ADDRESS:PORT, [ADDRESS]:PORT, a path, @ABSTRACT; empty: not bound
  std::string remote;    ///< empty: none; of a unix socket the peer's inode
};

struct ImageMount {
  int id = 0, parent = 0;
  std::string type, source, root, mountpoint, options;
  std::string external;      ///< the name by which it is given again at restore; empty: it is in the image
  std::uint64_t device = 0;  ///< of its file system: bind mounts of one another have the same
  std::uint32_t flags = 0, sb_flags = 0;  ///< mount(2), of the mount and of its file system
  int shared = 0;                         ///< its peer group; 0: none
  bool deleted = false;                   ///< what is mounted has no name any more
};

/// Of one process, by number. Throws Error(image_invalid) as criu_decode.h says.
std::vector<ImageDescriptor> image_descriptors(const std::filesystem::path& images, int pid);
std::vector<ImageSocket> image_sockets(const std::filesystem::path& images);
/// Of all mount namespaces, parents before children.
std::vector<ImageMount> image_mounts(const std::filesystem::path& images);

}  // namespace ckpt
