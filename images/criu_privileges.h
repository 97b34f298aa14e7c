// What CRIU would give the processes of an image, whatever the bundle says: rights, namespaces, mounts,
// cgroups. Read as CRIU reads it, and without trust: what CRIU would refuse, or read otherwise than we do, is
// damaged.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "images/criu_descriptors.h"
#include "images/seccomp_filter.h"

namespace ckpt {

/// A thread's credentials and filters (creds.proto, thread_core_entry).
struct ImageRights {
  int tid = 0;                     ///< in the container's pid namespace
  std::set<std::uint32_t> uids;    ///< real, effective, saved, of the file system; as in its user namespace
  std::set<std::uint32_t> gids;    ///< the same, without `groups`
  std::set<std::uint32_t> groups;  ///< supplementary
  std::uint64_t inheritable = 0, permitted = 0, effective = 0, bounding = 0,
                ambient = 0;  ///< bit N: capability N
  std::uint32_t securebits = 0;
  bool no_new_privileges = false;
  std::uint32_t seccomp_mode = 0;    ///< 2: a filter
  std::uint32_t seccomp_filter = 0;  ///< its place in seccomp.img
  std::string lsm_profile;
  bool operator==(const ImageRights&) const = default;
};

/// One of seccomp.img; a thread has it and those before it.
struct ImageFilter {
  SeccompFilter program;
  std::optional<std::uint32_t> before;  ///< the place of the one that was there first
};

struct IdRange {
  std::uint32_t inside = 0, outside = 0, count = 0;
  bool operator==(const IdRange&) const = default;
  bool operator<(const IdRange& other) const {
    return std::tie(inside, outside, count) < std::tie(other.inside, other.outside, other.count);
  }
};

struct ImagePrivileges {
  std::vector<ImageRights> threads;         ///< of living processes
  std::vector<ImageFilter> filters;         ///< by their place; those of the threads are among them
  std::set<std::string> shared_namespaces;  ///< with CRIU's host, by a process or a descriptor; OCI's names
  std::set<IdRange> uid_map, gid_map;       ///< of its user namespace, when it has one
  std::vector<ImageMount> mounts;
  std::vector<std::string> cgroups;          ///< of the first process, as paths below each hierarchy
  std::vector<std::string> foreign_cgroups;  ///< of others, not at or below those
  bool security_policies = false;            ///< it brings policies for the host's kernel (apparmor.img)
};

/// Of the images of a whole checkpoint. Throws Error(image_invalid) naming the file.
ImagePrivileges image_privileges(const std::filesystem::path& images);

}  // namespace ckpt
