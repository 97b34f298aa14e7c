// Rights, namespaces, mounts and cgroups of an image against those of config.json.
#include "commands/privileges.h"

#include <fmt/ranges.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <set>

#include "commands/system_calls.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Verdict = CheckedItem::Verdict;
using Pointer = json::json_pointer;

/// linux/capability.h, in its order.
constexpr std::array<const char*, 41> kCapabilities = {"CHOWN",
                                                       "DAC_OVERRIDE",
                                                       "DAC_READ_SEARCH",
                                                       "FOWNER",
                                                       "FSETID",
                                                       "KILL",
                                                       "SETGID",
                                                       "SETUID",
                                                       "SETPCAP",
                                                       "LINUX_IMMUTABLE",
                                                       "NET_BIND_SERVICE",
                                                       "NET_BROADCAST",
                                                       "NET_ADMIN",
                                                       "NET_RAW",
                                                       "IPC_LOCK",
                                                       "IPC_OWNER",
                                                       "SYS_MODULE",
                                                       "SYS_RAWIO",
                                                       "SYS_CHROOT",
                                                       "SYS_PTRACE",
                                                       "SYS_PACCT",
                                                       "SYS_ADMIN",
                                                       "SYS_BOOT",
                                                       "SYS_NICE",
                                                       "SYS_RESOURCE",
                                                       "SYS_TIME",
                                                       "SYS_TTY_CONFIG",
                                                       "MKNOD",
                                                       "LEASE",
                                                       "AUDIT_WRITE",
                                                       "AUDIT_CONTROL",
                                                       "SETFCAP",
                                                       "MAC_OVERRIDE",
                                                       "MAC_ADMIN",
                                                       "SYSLOG",
                                                       "WAKE_ALARM",
                                                       "BLOCK_SUSPEND",
                                                       "AUDIT_READ",
                                                       "PERFMON",
                                                       "BPF",
                                                       "CHECKPOINT_RESTORE"};
constexpr unsigned kSetgid = 6, kSetuid = 7, kSetpcap = 8, kSysAdmin = 21;

bool has(std::uint64_t set, unsigned capability) {
  return (set >> capability & 1U) != 0;
}

std::string names_of(std::uint64_t set) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < 64; ++i)
    if (has(set, i))
      names.push_back(i < kCapabilities.size() ? fmt::format("CAP_{}", kCapabilities.at(i))
                                               : std::to_string(i));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

std::uint64_t set_of(const json& spec, const char* kind) {
  std::uint64_t set = 0;
  const Pointer at(fmt::format("/process/capabilities/{}", kind));
  if (!spec.contains(at) || !spec.at(at).is_array()) return set;
  for (const json& one : spec.at(at))
    for (unsigned i = 0; one.is_string() && i < kCapabilities.size(); ++i)
      if (one.get<std::string>() == fmt::format("CAP_{}", kCapabilities.at(i))) set |= 1ULL << i;
  return set;
}

json at_or(const json& spec, const char* pointer, const json& otherwise) {
  const Pointer at(pointer);
  return spec.contains(at) && spec.at(at).type() == otherwise.type() ? spec.at(at) : otherwise;
}

std::uint32_t id_at(const json& spec, const char* pointer) {
  const Pointer at(pointer);
  return spec.contains(at) && spec.at(at).is_number_unsigned() ? spec.at(at).get<std::uint32_t>() : 0;
}

std::vector<std::string> texts_at(const json& spec, const char* pointer) {
  std::vector<std::string> texts;
  for (const json& one : at_or(spec, pointer, json::array()))
    if (one.is_string()) texts.push_back(one.get<std::string>());
  return texts;
}

/// What a process of the bundle can have in the end: it may drop and raise within these.
struct Given {
  std::uint64_t bounding = 0, reachable = 0, first = 0;  ///< `first`: what its first process can use
  std::uint32_t uid = 0, gid = 0;
  std::set<std::uint32_t> groups;
};

Given given_by(const json& spec) {
  Given given;
  given.bounding = set_of(spec, "bounding");
  given.first = set_of(spec, "permitted") | set_of(spec, "effective") | set_of(spec, "ambient");
  given.reachable = given.bounding | given.first | set_of(spec, "inheritable");
  given.uid = id_at(spec, "/process/user/uid");
  given.gid = id_at(spec, "/process/user/gid");
  if (given.uid == 0) given.first |= given.bounding;  // as soon as it executes something
  given.groups = {given.gid};
  for (const json& one : at_or(spec, "/process/user/additionalGids", json::array()))
    if (one.is_number_unsigned()) given.groups.insert(one.get<std::uint32_t>());
  return given;
}

CheckedItem row(std::string item, std::string image, std::string host) {
  return {.item = std::move(item), .image = std::move(image), .host = std::move(host)};
}

CheckedItem& exceeds(CheckedItem& item, std::string reason) {
  item.verdict = Verdict::fails;
  item.reason = std::move(reason);
  item.hint = "see who made it; --force restores it with what it asks for";
  item.forced = true;
  return item;
}

// ---- rights

CheckedItem compare_capabilities(const std::vector<ImageRights>& threads, const Given& given) {
  std::uint64_t bounding = 0, others = 0;
  for (const ImageRights& one : threads) {
    bounding |= one.bounding;
    others |= one.permitted | one.effective | one.inheritable | one.ambient;
  }
  const std::uint64_t more = (bounding & ~given.bounding) | (others & ~given.reachable);
  CheckedItem item = row("capabilities", fmt::format("{}", std::popcount(bounding | others)),
                         fmt::format("{}", std::popcount(given.reachable)));
  if (more != 0)
    exceeds(item, fmt::format("its processes have capabilities that config.json does not give: {}",
                              names_of(more)));
  return item;
}

template <class Set>
std::vector<std::uint32_t> beyond(const Set& ids, const std::set<std::uint32_t>& allowed) {
  std::vector<std::uint32_t> more;
  std::set_difference(ids.begin(), ids.end(), allowed.begin(), allowed.end(), std::back_inserter(more));
  return more;
}

/// Who may change them may have any.
CheckedItem compare_ids(const std::vector<ImageRights>& threads, const Given& given) {
  std::set<std::uint32_t> uids, gids;
  for (const ImageRights& one : threads) {
    uids.insert(one.uids.begin(), one.uids.end());
    gids.insert(one.gids.begin(), one.gids.end());
    gids.insert(one.groups.begin(), one.groups.end());
  }
  CheckedItem item = row("user", fmt::format("{}:{}", fmt::join(uids, ","), fmt::join(gids, ",")),
                         fmt::format("{}:{}", given.uid, fmt::join(given.groups, ",")));
  const auto users = beyond(uids, {given.uid}), groups = beyond(gids, given.groups);
  if (!users.empty() && !has(given.first, kSetuid))
    exceeds(item, fmt::format("its processes run as user {}, config.json gives {}", fmt::join(users, ", "),
                              given.uid));
  else if (!groups.empty() && !has(given.first, kSetgid))
    exceeds(item, fmt::format("its processes are in the groups {}, config.json gives {}",
                              fmt::join(groups, ", "), fmt::join(given.groups, ", ")));
  return item;
}

template <class Lacks>
std::size_t count_of(const std::vector<ImageRights>& threads, const Lacks& lacks) {
  return static_cast<std::size_t>(std::count_if(threads.begin(), threads.end(), lacks));
}

void compare_switches(std::vector<CheckedItem>& items, const std::vector<ImageRights>& threads,
                      const json& spec, const Given& given) {
  constexpr std::uint32_t kKeepCaps = 1U << 4U;  // anybody may set that
  const auto add = [&](const char* item, std::size_t lacking, const char* then, const char* now,
                       const char* reason) {
    items.push_back(row(item, lacking == 0 ? now : then, now));
    if (lacking > 0)
      exceeds(items.back(), fmt::format("{} of its {} threads {}", lacking, threads.size(), reason));
  };
  if (at_or(spec, "/process/noNewPrivileges", json(false)) == json(true))
    add("no new privileges", count_of(threads, [](const ImageRights& one) { return !one.no_new_privileges; }),
        "off", "on", "can gain privileges, config.json forbids it");
  if (!has(given.reachable, kSetpcap))
    add("securebits",
        count_of(threads, [](const ImageRights& one) { return (one.securebits & ~kKeepCaps) != 0; }), "set",
        "none", "have secure bits, which config.json does not let them set");
}

/// The calls that its filter lets pass beyond those of config.json.
void compare_filters(CheckedItem& item, const ImagePrivileges& image, const json& seccomp) {
  constexpr std::size_t kShown = 12;
  std::set<std::uint32_t> last;
  for (const ImageRights& one : image.threads) last.insert(one.seccomp_filter);
  for (const std::uint32_t filter : last) {
    std::vector<std::string> more = calls_beyond(image.filters, filter, seccomp);
    const std::size_t count = more.size();
    if (count == 0) continue;
    more.resize(std::min(count, kShown));
    exceeds(item, fmt::format("its seccomp filter lets calls pass that config.json does not: {}{}",
                              fmt::join(more, ", "),
                              count > kShown ? fmt::format(" and {} more", count - kShown) : ""));
    return;
  }
}

void compare_seccomp(std::vector<CheckedItem>& items, const ImagePrivileges& image, const json& spec) {
  const json seccomp = at_or(spec, "/linux/seccomp", json::object());
  if (seccomp.empty() || (seccomp.value("defaultAction", json("")) == "SCMP_ACT_ALLOW" &&
                          seccomp.value("syscalls", json::array()).empty()))
    return;
  const std::size_t lacking =
      count_of(image.threads, [](const ImageRights& one) { return one.seccomp_mode != 2; });
  items.push_back(row("seccomp", lacking == 0 ? "a filter" : "none", "a filter"));
  if (lacking > 0)
    exceeds(items.back(), fmt::format("{} of its {} threads have no seccomp filter, config.json has one",
                                      lacking, image.threads.size()));
  else
    compare_filters(items.back(), image, seccomp);
}

void compare_security_module(std::vector<CheckedItem>& items, const ImagePrivileges& image,
                             const json& spec) {
  for (const char* pointer : {"/process/apparmorProfile", "/process/selinuxLabel"}) {
    const std::string wanted = at_or(spec, pointer, json("")).get<std::string>();
    if (wanted.empty() || wanted == "unconfined") continue;
    items.push_back(
        row(pointer == std::string_view("/process/selinuxLabel") ? "selinux" : "apparmor", wanted, wanted));
    for (const ImageRights& one : image.threads)
      if (one.lsm_profile != wanted) {
        items.back().image = printable(one.lsm_profile);
        exceeds(items.back(), fmt::format("its processes run as '{}', config.json gives '{}'",
                                          printable(one.lsm_profile), wanted));
        break;
      }
  }
  if (image.security_policies)
    exceeds(items.emplace_back(row("security policies", "some", "")),
            "it brings AppArmor policies for this host's kernel");
}

// ---- namespaces

std::set<IdRange> ranges_at(const json& spec, const char* pointer) {
  std::set<IdRange> ranges;
  for (const json& one : at_or(spec, pointer, json::array()))
    if (one.is_object())
      ranges.insert({one.value("containerID", 0U), one.value("hostID", 0U), one.value("size", 0U)});
  return ranges;
}

/// Each of `image` lies in one of `given`, with the same distance.
bool within(const std::set<IdRange>& image, const std::set<IdRange>& given) {
  return std::all_of(image.begin(), image.end(), [&](const IdRange& one) {
    return std::any_of(given.begin(), given.end(), [&](const IdRange& all) {
      const std::uint64_t offset = one.inside - all.inside;
      return one.inside >= all.inside && one.outside >= all.outside && one.outside - all.outside == offset &&
             offset + one.count <= all.count;
    });
  });
}

void compare_namespaces(std::vector<CheckedItem>& items, const ImagePrivileges& image, const json& spec) {
  const auto wanted = spec_namespaces(spec);
  for (const auto& [type, path] : wanted) {
    items.push_back(row("namespace " + type, "own", path.empty() ? "own" : path));
    if (!image.shared_namespaces.contains(type)) continue;
    items.back().image = "the host's";
    exceeds(
        items.back(),
        fmt::format("its processes are in the host's {} namespace, config.json gives them another", type));
  }
  const bool mapped = !image.shared_namespaces.contains("user"), maps = wanted.contains("user");
  if (mapped && !maps)
    exceeds(items.emplace_back(row("namespace user", "own", "the host's")),
            "its processes are in a user namespace, config.json has none");
  if (!mapped || !maps || !wanted.at("user").empty()) return;
  items.push_back(row("user mappings", fmt::format("{} and {}", image.uid_map.size(), image.gid_map.size()),
                      "those of config.json"));
  if (!within(image.uid_map, ranges_at(spec, "/linux/uidMappings")) ||
      !within(image.gid_map, ranges_at(spec, "/linux/gidMappings")))
    exceeds(items.back(),
            "its user namespace has users or groups of this host that config.json does not give it");
}

void compare_cgroups(std::vector<CheckedItem>& items, const ImagePrivileges& image) {
  if (image.cgroups.empty()) return;
  items.push_back(row("cgroups", fmt::format("{}", image.foreign_cgroups.size()), "0 of others"));
  if (!image.foreign_cgroups.empty())
    exceeds(items.back(), fmt::format("processes of it are in the cgroup '{}', beside those of its first",
                                      printable(image.foreign_cgroups.front())));
}

// ---- mounts

/// mount(2)'s flags that take something away, as the options say in their order.
std::uint32_t restrictions_of(const json& mount) {
  constexpr struct {
    const char *set, *clear;
    std::uint32_t flag;
  } kOptions[] = {{"ro", "rw", MS_RDONLY},
                  {"nosuid", "suid", MS_NOSUID},
                  {"nodev", "dev", MS_NODEV},
                  {"noexec", "exec", MS_NOEXEC}};
  std::uint32_t flags = 0;
  for (const json& option : mount.value("options", json::array()))
    for (const auto& one : kOptions) {
      if (option == one.set) flags |= one.flag;
      if (option == one.clear) flags &= ~one.flag;
    }
  return flags;
}

std::string text_of(std::uint32_t restrictions) {
  std::vector<std::string> words;
  if (restrictions & MS_RDONLY) words.emplace_back("ro");
  if (restrictions & MS_NOSUID) words.emplace_back("nosuid");
  if (restrictions & MS_NODEV) words.emplace_back("nodev");
  if (restrictions & MS_NOEXEC) words.emplace_back("noexec");
  return fmt::format("{}", fmt::join(words, ","));
}

struct GivenMount {
  std::string destination, type;  ///< type: "bind" for one
  std::uint32_t restrictions = 0;
};

std::vector<GivenMount> mounts_of(const json& spec) {
  std::vector<GivenMount> mounts;
  const std::vector<SpecMount> read = spec_mounts(spec);
  const json all = spec.value("mounts", json::array());
  for (std::size_t i = 0; i < read.size(); ++i)
    mounts.push_back({read[i].destination, read[i].bind ? "bind" : read[i].type, restrictions_of(all[i])});
  return mounts;
}

bool below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory.ends_with('/') ? directory : directory + "/");
}

bool same_file_system(const ImageMount& a, const ImageMount& b) {
  return a.device == b.device && a.type == b.type && a.source == b.source && a.options == b.options;
}

class MountComparison {
 public:
  MountComparison(const ImagePrivileges& image, const json& spec, const Given& given)
      : mounts_(image.mounts),
        given_(mounts_of(spec)),
        masked_(texts_at(spec, "/linux/maskedPaths")),
        read_only_(texts_at(spec, "/linux/readonlyPaths")),
        read_only_root_(at_or(spec, "/root/readonly", json(false)) == json(true)),
        mounts_itself_(has(given.reachable, kSysAdmin)) {}

  void compare(std::vector<CheckedItem>& items, const std::function<bool(const std::string&)>& there) {
    const std::size_t before = items.size();
    for (const ImageMount& mount : mounts_) compare_one(items, mount);
    if (!mounts_itself_) compare_paths(items, there);
    if (!mounts_itself_) compare_covers(items);
    if (items.size() == before)
      items.push_back(row("mounts", fmt::format("{}", mounts_.size()), "as config.json has them"));
  }

 private:
  const GivenMount* given_at(const std::string& destination) const {
    const GivenMount* last = nullptr;
    for (const GivenMount& one : given_)
      if (one.destination == destination) last = &one;
    return last;
  }

  bool in_image(const std::string& destination) const {
    return std::any_of(mounts_.begin(), mounts_.end(),
                       [&](const ImageMount& one) { return one.mountpoint == destination; });
  }

  /// Its file system is one that the bundle has there, or could be made from inside.
  bool is_given(const ImageMount& mount) const {
    if (mount.mountpoint == "/" || (!mount.external.empty() && !mount.external.starts_with("CRIU:")))
      return true;
    static const std::set<std::string> kKernels = {"proc",   "sysfs",  "tmpfs",  "devpts",
                                                   "mqueue", "cgroup", "cgroup2"};
    if (!kKernels.contains(mount.type) || !mount.external.empty()) return false;
    const bool masks =
        mount.type == "tmpfs" && std::find(masked_.begin(), masked_.end(), mount.mountpoint) != masked_.end();
    if (mounts_itself_ || masks) return true;
    return std::any_of(given_.begin(), given_.end(), [&](const GivenMount& one) {
      const bool here = one.destination == mount.mountpoint, cgroups = one.type == "cgroup";
      if (cgroups && (here || below(mount.mountpoint, one.destination)))
        return mount.type == "cgroup" || mount.type == "cgroup2" || mount.type == "tmpfs";
      if (one.type == "bind" && below(mount.mountpoint, one.destination)) return mount.type == "tmpfs";
      // One whose destination is a symbolic link is elsewhere.
      return one.type == mount.type && (here || (!shows_kernel(mount) && !in_image(one.destination)));
    });
  }

  /// Of /proc and /sys only a part at its own place: elsewhere nothing of it would be masked.
  bool is_view_of_given(const ImageMount& mount) const {
    return std::any_of(mounts_.begin(), mounts_.end(), [&](const ImageMount& one) {
      const bool same =
          one.external.empty() && same_file_system(one, mount) && one.mountpoint != "/" && is_given(one);
      return same && (!shows_kernel(mount) || mount.mountpoint == one.mountpoint + mount.root);
    });
  }

  static bool shows_kernel(const ImageMount& mount) { return mount.type == "proc" || mount.type == "sysfs"; }

  /// What hides a part of /proc or /sys hides it only there.
  bool lies_on_kernels(const ImageMount& mount) const {
    return std::any_of(mounts_.begin(), mounts_.end(),
                       [&](const ImageMount& one) { return one.id == mount.parent && shows_kernel(one); });
  }

  /// What its flags must have. Of a cgroup mount only the hierarchies are read-only, not what they are in.
  std::uint32_t restrictions_for(const ImageMount& mount, const GivenMount* given) const {
    if (mount.mountpoint == "/") return read_only_root_ ? MS_RDONLY : 0;
    const bool hierarchy = mount.type == "cgroup" || mount.type == "cgroup2";
    std::uint32_t wanted = 0;
    for (const GivenMount& one : given_)
      if (hierarchy && one.type == "cgroup" &&
          (one.destination == mount.mountpoint || below(mount.mountpoint, one.destination)))
        wanted |= one.restrictions & MS_RDONLY;
    const bool other =
        given == nullptr || given->type == "cgroup" || (given->type == "bind") == mount.external.empty();
    return other ? wanted : wanted | given->restrictions;
  }

  void compare_one(std::vector<CheckedItem>& items, const ImageMount& mount) {
    const GivenMount* given = given_at(mount.mountpoint);
    const std::string shown = printable(mount.mountpoint);
    if (!is_given(mount) && !is_view_of_given(mount)) {
      exceeds(items.emplace_back(row("mount " + shown, printable(mount.type), given ? given->type : "")),
              fmt::format("it mounts {} '{}' at '{}', which config.json does not", printable(mount.type),
                          printable(mount.source), shown));
      return;
    }
    const std::uint32_t wanted = restrictions_for(mount, given);
    const std::uint32_t there = mount.flags | (mount.sb_flags & MS_RDONLY), lacks = wanted & ~there;
    if (lacks != 0 && !mounts_itself_)
      exceeds(items.emplace_back(row("mount " + shown, text_of(there), text_of(wanted))),
              fmt::format("its mount at '{}' is not {}, config.json says so", shown, text_of(lacks)));
  }

  /// The mount that `path` is on.
  const ImageMount* mount_of(const std::string& path) const {
    const ImageMount* best = nullptr;
    for (const ImageMount& one : mounts_)
      if ((one.mountpoint == path || below(path, one.mountpoint)) &&
          (best == nullptr || one.mountpoint.size() >= best->mountpoint.size()))
        best = &one;
    return best;
  }

  void compare_paths(std::vector<CheckedItem>& items, const std::function<bool(const std::string&)>& there) {
    for (const std::string& path : masked_) {
      const ImageMount* mount = mount_of(path);
      if (mount == nullptr || !there(path)) continue;
      if (mount->mountpoint == path ? !lies_on_kernels(*mount) : shows_kernel(*mount))
        exceeds(items.emplace_back(row("masked " + path, "open", "masked")),
                fmt::format("its processes see '{}', which config.json masks", path));
    }
    for (const std::string& path : read_only_) {
      const ImageMount* mount = mount_of(path);
      if (mount == nullptr || !there(path) || !shows_kernel(*mount)) continue;
      const bool right = ((mount->flags | mount->sb_flags) & MS_RDONLY) != 0 &&
                         (mount->mountpoint != path || lies_on_kernels(*mount));
      if (!right)
        exceeds(items.emplace_back(row("read-only " + path, "writable", "read-only")),
                fmt::format("its processes can write to '{}', which config.json makes read-only", path));
    }
  }

  /// What lies over another of the kernel's would hide what masks that.
  void compare_covers(std::vector<CheckedItem>& items) {
    std::set<std::string> places;
    for (const ImageMount& mount : mounts_)
      if (shows_kernel(mount) && !places.insert(mount.mountpoint).second)
        exceeds(items.emplace_back(row("mount " + printable(mount.mountpoint), "twice", "once")),
                fmt::format("it mounts {} twice at '{}'", mount.type, printable(mount.mountpoint)));
  }

  const std::vector<ImageMount>& mounts_;
  const std::vector<GivenMount> given_;
  const std::vector<std::string> masked_, read_only_;
  const bool read_only_root_, mounts_itself_;
};

}  // namespace

std::vector<CheckedItem> compare_privileges(const ImagePrivileges& image, const json& spec,
                                            const std::function<bool(const std::string&)>& there) {
  const Given given = given_by(spec);
  std::vector<CheckedItem> items = {compare_capabilities(image.threads, given),
                                    compare_ids(image.threads, given)};
  compare_switches(items, image.threads, spec, given);
  compare_seccomp(items, image, spec);
  compare_security_module(items, image, spec);
  compare_namespaces(items, image, spec);
  compare_cgroups(items, image);
  MountComparison(image, spec, given).compare(items, there);
  return items;
}

std::vector<CheckedItem> check_privileges(const Image& image, const json& spec) {
  return compare_privileges(image_privileges(image.runtime_images()), spec, [](const std::string& path) {
    const bool kernels = path.starts_with("/proc/") || path.starts_with("/sys/");
    return kernels && !kind_of_path(path).empty();
  });
}

}  // namespace ckpt
