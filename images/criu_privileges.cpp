// core-N.img, ids-N.img, inventory.img, userns-N.img, cgroup.img and the namespaces among files.img. Numbers:
// CRIU's images/core.proto, creds.proto, inventory.proto, userns.proto, cgroup.proto and ns.proto.
#include "images/criu_privileges.h"

#include <sched.h>

#include <algorithm>
#include <limits>
#include <map>

#include "images/compression.h"
#include "images/criu_decode.h"
#include "images/criu_entries.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

/// CRIU's protobuf library cuts a number to its field's size; none of an honest image is larger.
std::uint32_t to_u32(std::uint64_t value) {
  if (value > std::numeric_limits<std::uint32_t>::max()) throw Damage();
  return static_cast<std::uint32_t>(value);
}

/// The file's first message, which is all that CRIU reads of it; there must be one.
template <class Visit>
void first_entry(const fs::path& file, const Visit& visit, std::size_t magic_words = 2) {
  const auto content = image_content(file, Bounds{}.bytes);
  if (!content) throw_damaged(file, "is not there");
  Entries entries(*content, magic_words);
  const auto entry = entries.next();
  if (!entry) throw_damaged(file, "is damaged or cut short");
  try {
    each_field(*entry, visit);
  } catch (const Damage&) {
    throw_damaged(file, "is damaged");
  }
}

// ---- rights

std::uint64_t to_capabilities(const std::vector<std::uint64_t>& words, bool required) {
  if (words.empty() && !required) return 0;
  if (words.size() != 2) throw Damage();  // CR_CAP_SIZE
  return to_u32(words[0]) | static_cast<std::uint64_t>(to_u32(words[1])) << 32U;
}

/// The fields of one message that may stand there in several parts, which protobuf puts together.
struct Core {
  ImageRights rights;
  std::map<std::uint64_t, std::vector<std::uint64_t>> numbers;  ///< of creds_entry, by field
  std::uint32_t state = 0;
  std::uint32_t task_cgroups = 0, cgroups = 0;  ///< a cg_set_entry's id; 0: not said
  bool has_task = false, has_thread = false, has_rights = false;
};

/// creds_entry
void add_creds(Message creds, Core& core) {
  core.has_rights = true;
  each_field(creds, [&](std::uint64_t field, const Message& m) {
    if (field == 15) core.rights.lsm_profile = m.text();
    const bool repeated = (field >= 9 && field <= 12) || field == 14 || field == 19;
    const bool single = field <= 8 || field == 13 || field == 18;
    if (repeated && !m.append_to(core.numbers[field])) throw Damage();
    if (single) core.numbers[field] = {m.value()};
  });
}

/// thread_core_entry
void add_thread(Message thread, Core& core) {
  core.has_thread = true;
  each_field(thread, [&](std::uint64_t field, const Message& m) {
    if (field == 10) add_creds(m.message(), core);
    if (field == 11) core.rights.seccomp_mode = to_u32(m.value());
    if (field == 12) core.rights.seccomp_filter = to_u32(m.value());
    if (field == 16) core.cgroups = to_u32(m.value());
  });
}

std::set<std::uint32_t> ids_of(Core& core, std::uint64_t first) {
  std::set<std::uint32_t> ids;
  for (std::uint64_t field = first; field <= 8; field += 2) {
    if (core.numbers[field].empty()) throw Damage();
    ids.insert(to_u32(core.numbers[field][0]));
  }
  return ids;
}

ImageRights rights_of(Core& core, int tid) {
  ImageRights rights = std::move(core.rights);
  const auto number = [&](std::uint64_t field) {
    return core.numbers[field].empty() ? 0 : to_u32(core.numbers[field][0]);
  };
  rights.tid = tid;
  rights.uids = ids_of(core, 1);
  rights.gids = ids_of(core, 2);
  for (const std::uint64_t group : core.numbers[14]) rights.groups.insert(to_u32(group));
  rights.inheritable = to_capabilities(core.numbers[9], true);
  rights.permitted = to_capabilities(core.numbers[10], true);
  rights.effective = to_capabilities(core.numbers[11], true);
  rights.bounding = to_capabilities(core.numbers[12], true);
  rights.ambient = to_capabilities(core.numbers[19], false);
  rights.securebits = number(13);
  rights.no_new_privileges = number(18) != 0;
  return rights;
}

/// core_entry
Core read_core(const fs::path& file) {
  Core core;
  first_entry(file, [&](std::uint64_t field, const Message& m) {
    if (field == 5) add_thread(m.message(), core);
    if (field != 3) return;
    core.has_task = true;
    each_field(m.message(), [&](std::uint64_t inner, const Message& task) {
      if (inner == 1) core.state = to_u32(task.value());
      if (inner == 9) core.task_cgroups = to_u32(task.value());
    });
  });
  return core;
}

bool runs(const Core& core) {
  constexpr std::uint32_t kDead = 2, kZombie = 6;  // compel/include/uapi/task-state.h
  return !core.has_task || (core.state != kDead && core.state != kZombie);
}

/// Of each thread, whose cgroups are added to `cgroups`; empty for a process that is dead.
std::vector<ImageRights> rights_of(const fs::path& images, const ImageProcess& process,
                                   std::vector<std::uint32_t>& cgroups) {
  std::vector<ImageRights> threads;
  std::vector<int> tids = process.threads;
  if (std::find(tids.begin(), tids.end(), process.pid) == tids.end()) tids.insert(tids.begin(), process.pid);
  for (const int tid : tids) {
    const fs::path file = images / fmt::format("core-{}.img", tid);
    Core core = read_core(file);
    if (tid == process.pid && !runs(core)) return {};
    // Very old images have them in a file of their own.
    if (!core.has_thread || !core.has_rights) throw_damaged(file, "does not say which rights its thread has");
    cgroups.push_back(core.cgroups != 0 ? core.cgroups : core.task_cgroups);
    try {
      threads.push_back(rights_of(core, tid));
    } catch (const Damage&) {
      throw_damaged(file, "is damaged");
    }
  }
  return threads;
}

/// seccomp_entry{seccomp_filters = 1: seccomp_filter{filter = 1, prev = 2}}
ImageFilter to_filter(Message entry, std::size_t place) {
  ImageFilter filter;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) filter.program = seccomp_filter_of(m.bytes());
    if (field == 2) filter.before = to_u32(m.value());
  });
  if (filter.program.empty() || (filter.before && *filter.before >= place)) throw Damage();
  return filter;
}

/// Of the threads that have any.
std::vector<ImageFilter> filters_of(const fs::path& images, const std::vector<ImageRights>& threads) {
  constexpr std::uint32_t kFiltered = 2;
  std::vector<ImageFilter> filters;
  if (std::none_of(threads.begin(), threads.end(),
                   [](const ImageRights& one) { return one.seccomp_mode == kFiltered; }))
    return filters;
  const fs::path file = images / "seccomp.img";
  first_entry(file, [&](std::uint64_t field, const Message& m) {
    if (field == 1) filters.push_back(to_filter(m.message(), filters.size()));
  });
  for (const ImageRights& one : threads)
    if (one.seccomp_mode == kFiltered && one.seccomp_filter >= filters.size())
      throw_damaged(file, "lacks the filter of a thread");
  return filters;
}

// ---- namespaces

struct NamespaceField {
  std::uint64_t number;  ///< in task_kobj_ids_entry
  const char* type;      ///< OCI's name
  std::uint64_t flag;    ///< CLONE_NEW...
};
constexpr NamespaceField kNamespaces[] = {
    {5, "pid", CLONE_NEWPID},        {6, "network", CLONE_NEWNET}, {7, "ipc", CLONE_NEWIPC},
    {8, "uts", CLONE_NEWUTS},        {9, "mount", CLONE_NEWNS},    {10, "user", CLONE_NEWUSER},
    {11, "cgroup", CLONE_NEWCGROUP}, {12, "time", 0x00000080},  // CLONE_NEWTIME
};

using Ids = std::map<std::uint64_t, std::uint32_t>;

void add_ids(std::uint64_t field, const Message& m, Ids& ids) {
  ids[field] = to_u32(m.value());
}

std::uint32_t id_in(const Ids& ids, std::uint64_t field) {
  const auto found = ids.find(field);
  return found == ids.end() ? 0 : found->second;
}

/// inventory_entry{root_ids = 3, root_cg_set = 5}
struct Inventory {
  Ids host;
  std::uint32_t cgroups = 0;  ///< CRIU's own, in which it leaves a thread that has them
};

Inventory read_inventory(const fs::path& images) {
  Inventory inventory;
  bool has_ids = false;
  const fs::path file = images / "inventory.img";
  first_entry(
      file,
      [&](std::uint64_t field, const Message& m) {
        if (field == 5) inventory.cgroups = to_u32(m.value());
        if (field != 3) return;
        has_ids = true;
        each_field(m.message(),
                   [&](std::uint64_t inner, const Message& id) { add_ids(inner, id, inventory.host); });
      },
      1);
  if (!has_ids) throw_damaged(file, "does not say which namespaces are the host's");
  return inventory;
}

Ids ids_of_process(const fs::path& images, int pid) {
  Ids ids;
  first_entry(images / fmt::format("ids-{}.img", pid),
              [&](std::uint64_t field, const Message& m) { add_ids(field, m, ids); });
  return ids;
}

/// A process is in the host's when it has the id that the host's has: then CRIU makes no new one.
void add_shared(const Ids& ids, const Inventory& inventory, std::set<std::string>& shared) {
  for (const NamespaceField& one : kNamespaces)
    if (id_in(ids, one.number) == id_in(inventory.host, one.number)) shared.insert(one.type);
}

/// ns_file_entry{ns_id = 2, ns_cflag = 3}: /proc/PID/ns/TYPE that a process has open.
void add_shared_file(Message entry, const Inventory& inventory, std::set<std::string>& shared) {
  std::uint64_t id = 0, flag = 0;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 2) id = to_u32(m.value());
    if (field == 3) flag = to_u32(m.value());
  });
  for (const NamespaceField& one : kNamespaces)
    if (flag == one.flag && id == id_in(inventory.host, one.number)) shared.insert(one.type);
}

void add_shared_files(const fs::path& images, const Inventory& inventory, std::set<std::string>& shared) {
  each_entry(images / "files.img", [&](Message entry) {  // file_entry{nsf = 5}
    each_field(entry, [&](std::uint64_t field, const Message& m) {
      if (field == 5) add_shared_file(m.message(), inventory, shared);
    });
  });
  each_entry(images / "ns-files.img", [&](Message entry) { add_shared_file(entry, inventory, shared); });
}

/// uid_gid_extent
IdRange to_range(Message entry) {
  IdRange range;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) range.inside = to_u32(m.value());
    if (field == 2) range.outside = to_u32(m.value());
    if (field == 3) range.count = to_u32(m.value());
  });
  return range;
}

/// userns_entry
void add_mappings(const fs::path& images, std::uint32_t id, ImagePrivileges& found) {
  first_entry(images / fmt::format("userns-{}.img", id), [&](std::uint64_t field, const Message& m) {
    if (field == 1) found.uid_map.insert(to_range(m.message()));
    if (field == 2) found.gid_map.insert(to_range(m.message()));
  });
}

// ---- cgroups

/// Hierarchy to path.
using CgroupSet = std::map<std::string, std::string>;

/// cg_set_entry{id = 1, ctls = 2: cg_member_entry{name = 1, path = 2}}
std::map<std::uint32_t, CgroupSet> cgroup_sets(const fs::path& images) {
  std::map<std::uint32_t, CgroupSet> sets;
  const auto add_member = [](Message entry, CgroupSet& set) {
    std::string name, path;
    each_field(entry, [&](std::uint64_t field, const Message& m) {
      if (field == 1) name = m.text();
      if (field == 2) path = m.text();
    });
    set[name] = path;
  };
  each_entry(images / "cgroup.img", [&](Message entry) {
    each_field(entry, [&](std::uint64_t field, const Message& m) {
      if (field != 1) return;
      std::uint32_t id = 0;
      CgroupSet set;
      each_field(m.message(), [&](std::uint64_t inner, const Message& one) {
        if (inner == 1) id = to_u32(one.value());
        if (inner == 2) add_member(one.message(), set);
      });
      if (!sets.emplace(id, std::move(set)).second) throw Damage();
    });
  });
  return sets;
}

bool leads_up(const std::string& path) {
  for (const fs::path& part : fs::path(path))
    if (part == "..") return true;
  return !path.empty() && path[0] != '/';
}

bool at_or_below(const std::string& path, const std::string& top) {
  const std::string directory = top.ends_with('/') ? top : top + "/";
  return path == top || path.starts_with(directory);
}

/// systemd as the first process is in a cgroup beside those of its services.
std::string top_of(const std::string& path) {
  constexpr std::string_view kInit = "/init.scope";
  return path.ends_with(kInit) && path.size() > kInit.size() ? path.substr(0, path.size() - kInit.size())
                                                             : path;
}

/// `used` are those of the threads, the first process' first.
void add_cgroups(const fs::path& images, const Inventory& inventory, const std::vector<std::uint32_t>& used,
                 ImagePrivileges& found) {
  const fs::path file = images / "cgroup.img";
  const auto sets = cgroup_sets(images);
  if (sets.empty()) return;
  const auto set_of = [&](std::uint32_t id) {
    const auto set = sets.find(id);
    if (set == sets.end() && id != 0 && id != inventory.cgroups)
      throw_damaged(file, "lacks the cgroups of a thread");
    for (const auto& [name, path] : set == sets.end() ? CgroupSet{} : set->second)
      if (leads_up(path)) throw_damaged(file, "has a path that leads up");
    return set == sets.end() ? CgroupSet{} : set->second;
  };
  const CgroupSet first = set_of(used.front());
  for (const auto& [name, path] : first) found.cgroups.push_back(path);
  for (const std::uint32_t id : std::set<std::uint32_t>(used.begin(), used.end())) {
    if (id == 0 || id == used.front()) continue;
    const CgroupSet set = set_of(id);
    if (set.empty()) found.foreign_cgroups.emplace_back("that of CRIU");
    for (const auto& [name, path] : set) {
      const auto top = first.find(name);
      if (top == first.end() || !at_or_below(path, top_of(top->second)))
        found.foreign_cgroups.push_back(path);
    }
  }
}

}  // namespace

ImagePrivileges image_privileges(const fs::path& images) {
  ImagePrivileges found;
  const Inventory inventory = read_inventory(images);
  bool mapped = false;
  std::vector<std::uint32_t> cgroups;
  for (const ImageProcess& process : image_processes(images)) {
    std::vector<ImageRights> rights = rights_of(images, process, cgroups);
    if (rights.empty()) continue;
    found.threads.insert(found.threads.end(), std::make_move_iterator(rights.begin()),
                         std::make_move_iterator(rights.end()));
    const Ids ids = ids_of_process(images, process.pid);
    add_shared(ids, inventory, found.shared_namespaces);
    const std::uint32_t user = id_in(ids, 10);
    if (!mapped && user != id_in(inventory.host, 10)) add_mappings(images, user, found);
    mapped = true;
  }
  if (found.threads.empty()) throw_damaged(images / "pstree.img", "has no living process");
  found.filters = filters_of(images, found.threads);
  add_shared_files(images, inventory, found.shared_namespaces);
  add_cgroups(images, inventory, cgroups, found);
  found.mounts = image_mounts(images);
  std::error_code error;
  for (const char* file : {"apparmor.img", "apparmor.img.zst"})
    found.security_policies |= fs::exists(images / file, error);
  return found;
}

}  // namespace ckpt
