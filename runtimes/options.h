// What the user asked of a checkpoint or a restore, as plain data: nullopt means "not asked".
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

struct CheckpointOpts {
  std::optional<std::string> image_path;  ///< absolute; where the runtime's image files go
  std::optional<std::string> work_dir;    ///< absolute; CRIU's logs
  std::optional<bool> leave_running;
  std::optional<bool> pre_dump;            ///< only memory, of a container that goes on
  std::optional<std::string> parent_path;  ///< relative to image_path: the dump before this one
  std::optional<bool> allow_open_tcp;      ///< keep established TCP connections
  std::optional<std::string> tcp;          ///< keep, close, auto: what shall become of them
  std::optional<bool> tcp_close;           ///< the restore shall close them
  std::optional<bool> skip_in_flight;      ///< leave out connections that are not yet accepted
  std::optional<bool> link_remap;          ///< name deleted files that have another hard link
  std::optional<bool> file_locks;
  std::optional<bool> ext_unix_sk;
  std::optional<bool> shell_job;
  std::optional<std::string> engine;                ///< criu, cedana; nullopt: the runtime's own way
  std::optional<std::string> manage_cgroups;        ///< soft, full, strict, ignore
  std::optional<std::string> compression;           ///< none, flate-best-speed (runsc), zstd[:LEVEL], auto
  std::optional<std::string> cuda_checkpoint_path;  ///< runsc: of cuda-checkpoint, inside the container
  std::optional<std::uint64_t>
      ghost_limit;  ///< bytes; CRIU refuses larger deleted files (its default is 1 MiB)
  std::optional<std::string> network_lock;  ///< iptables, nftables, skip: how CRIU keeps packets out
  std::optional<std::string> empty_ns;      ///< network: saved without its addresses and routes
  std::optional<std::chrono::seconds>
      criu_timeout;  ///< CRIU's own limit for collecting the tasks (default 10 s)
};

struct RestoreOpts {
  std::optional<std::string> image_path;
  std::optional<std::string> work_dir;
  std::optional<std::string> bundle_path;
  std::optional<bool> allow_open_tcp;
  std::optional<bool> tcp_close;
  std::optional<bool> link_remap;
  std::optional<bool> file_locks;
  std::optional<bool> ext_unix_sk;
  std::optional<bool> shell_job;
  std::optional<std::string> manage_cgroups;
  std::optional<std::uint64_t> ghost_limit;
  std::optional<std::string> network_lock;       ///< as of the checkpoint
  std::optional<std::string> empty_ns;           ///< as of the checkpoint
  std::optional<std::string> lsm_profile;        ///< TYPE:NAME, instead of the one that the image has
  std::optional<std::string> lsm_mount_context;  ///< SELinux' of the mounts, instead of the image's
  std::optional<bool> no_pivot;                  ///< no pivot_root, for a root on a ramdisk
  std::optional<bool> detach;
  std::optional<std::string> pid_file;
  std::optional<std::string> console_socket;
};

struct RunOpts {
  std::optional<std::string> bundle_path;
  std::optional<std::string> pid_file;
  std::optional<std::string> console_socket;
  std::optional<bool> no_pivot;
};

}  // namespace ckpt
