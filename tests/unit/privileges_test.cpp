// Which of an image's wishes exceed a bundle: each row alone, and none for what a runtime makes of the
// bundle.
#include "commands/privileges.h"

#include <sys/mount.h>

#include <nlohmann/json.hpp>

#include "support.h"

using namespace ckpt;
using nlohmann::json;

namespace {

constexpr std::uint64_t kFew = 1U << 0U | 1U << 1U | 1U << 6U | 1U << 7U;  // CHOWN DAC_OVERRIDE SETGID SETUID
constexpr std::uint64_t kAdmin = 1U << 21U;

json spec_of_container() {
  return json::parse(R"({"root": {"path": "/r", "readonly": true},
    "process": {"user": {"uid": 0, "gid": 0, "additionalGids": [10]}, "noNewPrivileges": true, "capabilities": {
      "bounding": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SETGID", "CAP_SETUID"], "effective": ["CAP_CHOWN"],
      "permitted": ["CAP_CHOWN"]}},
    "mounts": [
      {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
      {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
      {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["rw", "nosuid", "ro"]},
      {"destination": "/var/run", "type": "tmpfs", "source": "tmpfs"},
      {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "ro"]},
      {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}],
    "linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/x"}, {"type": "mount"}],
      "seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}, "maskedPaths": ["/proc/kcore", "/proc/acpi"],
      "readonlyPaths": ["/proc/sys"]}})");
}

ImageMount mount_at(const char* mountpoint, const char* type, std::uint32_t device, std::uint32_t flags,
                    const char* external = "") {
  return {.type = type,
          .source = type,
          .root = "/",
          .mountpoint = mountpoint,
          .external = external,
          .device = device,
          .flags = flags};
}

ImagePrivileges honest() {
  ImagePrivileges image;
  image.threads = {{.tid = 1,
                    .uids = {0},
                    .gids = {0},
                    .groups = {0, 10},
                    .permitted = kFew,
                    .effective = 1,
                    .bounding = kFew,
                    .no_new_privileges = true,
                    .seccomp_mode = 2}};
  image.filters = {{{{0x06, 0, 0, 0}}, {}}};  // lets nothing pass
  image.shared_namespaces = {"ipc", "uts", "user", "cgroup", "time"};
  image.cgroups = {"/c"};
  image.mounts = {mount_at("/", "ext4", 1, MS_RDONLY),
                  mount_at("/proc", "proc", 2, MS_NOSUID),
                  mount_at("/dev", "tmpfs", 3, MS_NOSUID),
                  mount_at("/sys", "sysfs", 4, MS_NOSUID | MS_RDONLY),
                  mount_at("/run", "tmpfs", 5, 0),  // /var/run is a symbolic link
                  mount_at("/data", "ext4", 6, MS_RDONLY, "/data"),
                  mount_at("/sys/fs/cgroup", "tmpfs", 7, 0),
                  mount_at("/sys/fs/cgroup/memory", "cgroup", 8, MS_RDONLY, "/sys/fs/cgroup/memory"),
                  mount_at("/dev/console", "devpts", 9, 0, "/dev/console"),
                  mount_at("/proc/kcore", "tmpfs", 3, 0, "/dev/null"),
                  mount_at("/proc/sys", "proc", 2, MS_RDONLY | MS_NOSUID)};
  image.mounts[10].root = "/sys";
  for (std::size_t i = 0; i < image.mounts.size(); ++i) image.mounts[i].id = static_cast<int>(i) + 1;
  image.mounts[9].parent = image.mounts[10].parent = 2;
  return image;
}

bool is_there(const std::string& path) {
  return path != "/proc/acpi";
}

/// The items that fail.
std::vector<std::string> failing(const ImagePrivileges& image, const json& spec) {
  std::vector<std::string> items;
  for (const CheckedItem& one : compare_privileges(image, spec, is_there)) {
    if (one.verdict != CheckedItem::Verdict::fails) continue;
    CHECK(one.forced);
    CHECK_FALSE(one.reason.empty());
    items.push_back(one.item);
  }
  return items;
}

using Items = std::vector<std::string>;

/// The items that fail when one thing of the honest image or its bundle is changed.
template <class Change>
Items after(const Change& change) {
  ImagePrivileges image = honest();
  json spec = spec_of_container();
  change(image, spec);
  return failing(image, spec);
}

}  // namespace

TEST_CASE("privileges: what a runtime made of the bundle is within the bundle") {
  CHECK(failing(honest(), spec_of_container()).empty());
}

TEST_CASE("privileges: rights that exceed the bundle") {
  using P = ImagePrivileges;
  CHECK(after([](P& i, json&) { i.threads[0].bounding |= kAdmin; }) == Items{"capabilities"});
  CHECK(after([](P& i, json&) { i.threads[0].ambient |= kAdmin; }) == Items{"capabilities"});
  CHECK(after([](P& i, json&) { i.threads[0].effective |= 1ULL << 40U; }) == Items{"capabilities"});
  CHECK(after([](P& i, json&) { i.threads.push_back(i.threads[0]), i.threads[1].bounding |= 1ULL << 60U; }) ==
        Items{"capabilities"});
  CHECK(after([](P&, json& s) { s["process"].erase("capabilities"); }) == Items{"capabilities"});
  CHECK(after([](P& i, json&) { i.threads[0].no_new_privileges = false; }) == Items{"no new privileges"});
  CHECK(after([](P& i, json&) { i.threads[0].seccomp_mode = 0; }) == Items{"seccomp"});
  CHECK(after([](P& i, json&) { i.threads[0].seccomp_mode = 1; }) == Items{"seccomp"});
  CHECK(after([](P& i, json&) { i.threads[0].securebits = 1; }) == Items{"securebits"});
  CHECK(after([](P& i, json&) { i.threads[0].securebits = 16; }).empty());
  CHECK(after([](P&, json& s) { s["process"]["apparmorProfile"] = "docker-default"; }) == Items{"apparmor"});
  CHECK(after([](P& i, json& s) {
          s["process"]["apparmorProfile"] = i.threads[0].lsm_profile = "docker-default";
        }).empty());
  CHECK(after([](P& i, json&) { i.security_policies = true; }) == Items{"security policies"});
  // Nothing is asked of an image that the bundle does not ask for.
  CHECK(after([](P& i, json& s) {
          i.threads[0].seccomp_mode = 0;
          i.threads[0].no_new_privileges = false;
          s["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"}};
          s["process"]["noNewPrivileges"] = false;
        }).empty());
}

TEST_CASE("privileges: a filter that lets more pass than that of the bundle") {
  CHECK(after([](ImagePrivileges& i, json&) {
          i.filters = {{{{0x06, 0, 0, 0x7fff0000}}, {}}};
        }) == Items{"seccomp"});
}

TEST_CASE("privileges: users that it may become, and those that it may not") {
  using P = ImagePrivileges;
  const auto user = [](json& s, std::uint32_t uid) { s["process"]["user"] = {{"uid", uid}, {"gid", uid}}; };
  CHECK(after([&](P& i, json&) { i.threads[0].uids = {33}, i.threads[0].gids = {33}; }).empty());
  CHECK(after([&](P&, json& s) { user(s, 33); }) == Items{"user"});
  CHECK(after([&](P& i, json& s) {
          user(s, 33);
          i.threads[0].uids = i.threads[0].gids = i.threads[0].groups = {33};
        }).empty());
  CHECK(after([&](P& i, json& s) {
          user(s, 33);
          i.threads[0].uids = i.threads[0].gids = {33};
          i.threads[0].groups = {0};
        }) == Items{"user"});
  CHECK(after([&](P& i, json& s) {
          user(s, 33);
          s["process"]["capabilities"]["permitted"] = {"CAP_SETUID", "CAP_SETGID"};
          i.threads[0].uids = {7};
        }).empty());
}

TEST_CASE("privileges: namespaces of the host's that the bundle does not share") {
  using P = ImagePrivileges;
  for (const char* type : {"pid", "network", "mount"})
    CHECK(after([&](P& i, json&) { i.shared_namespaces.insert(type); }) ==
          Items{std::string("namespace ") + type});
  CHECK(after([](P&, json& s) {
          s["linux"]["namespaces"].push_back({{"type", "uts"}});
        }) == Items{"namespace uts"});
  CHECK(after([](P& i, json&) { i.shared_namespaces.erase("user"); }) == Items{"namespace user"});
  const auto mapped = [](P& i, json& s) {
    i.shared_namespaces.erase("user");
    i.uid_map = i.gid_map = {{0, 100000, 65536}};
    s["linux"]["namespaces"].push_back({{"type", "user"}});
    s["linux"]["uidMappings"] =
        s["linux"]["gidMappings"] = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
  };
  CHECK(after(mapped).empty());
  CHECK(after([&](P& i, json& s) { mapped(i, s), i.uid_map = {{0, 100000, 10}, {10, 100010, 20}}; }).empty());
  for (const IdRange& more :
       {IdRange{0, 0, 1}, IdRange{0, 100000, 65537}, IdRange{1, 100000, 5}, IdRange{0, 99999, 1},
        IdRange{0, 100000, 4294967295U}, IdRange{65535, 165535, 2}})
    CHECK(after([&](P& i, json& s) { mapped(i, s), i.gid_map = {more}; }) == Items{"user mappings"});
  CHECK(after([](P& i, json&) { i.foreign_cgroups = {"/other"}; }) == Items{"cgroups"});
}

TEST_CASE("privileges: mounts that the bundle does not have") {
  using P = ImagePrivileges;
  const auto with = [](const ImageMount& more) {
    return after([&](P& i, json&) { i.mounts.push_back(more); });
  };
  CHECK(with(mount_at("/mnt", "ext4", 20, 0)) == Items{"mount /mnt"});
  CHECK(with(mount_at("/data", "ext4", 20, MS_RDONLY)) == Items{"mount /data"});
  CHECK(with(mount_at("/proc", "ext4", 2, MS_NOSUID)) == Items{"mount /proc"});
  CHECK(with(mount_at("/mnt", "overlay", 20, 0)) == Items{"mount /mnt"});
  CHECK(with(mount_at("/mnt", "devtmpfs", 20, 0)) == Items{"mount /mnt"});
  CHECK(with(mount_at("/mnt", "sysfs", 20, 0)) == Items{"mount /mnt"});
  CHECK(with(mount_at("/mnt", "ext4", 20, 0, "CRIU:AUTOGENERATED")) == Items{"mount /mnt"});
  CHECK(with(mount_at("/dev/pts/more", "tmpfs", 3, 0)).empty());  // a view of what is there
  CHECK(with(mount_at("/mnt", "proc", 2, 0)) == Items{"mount /mnt"});
  CHECK(with(mount_at("/proc", "proc", 2, MS_NOSUID)) == Items{"mount /proc"});
  CHECK(with(mount_at("/data/cache", "tmpfs", 20, 0)).empty());
  CHECK(with(mount_at("/proc/acpi", "tmpfs", 20, MS_RDONLY)).empty());
  // Who may mount has what the kernel makes out of nothing, and no disk.
  const auto admin = [](P& i, json& s) {
    s["process"]["capabilities"]["bounding"].push_back("CAP_SYS_ADMIN");
    i.threads[0].bounding |= kAdmin;
  };
  CHECK(after([&](P& i, json& s) {
          admin(i, s), i.mounts.push_back(mount_at("/mnt", "sysfs", 20, 0));
        }).empty());
  CHECK(after([&](P& i, json& s) { admin(i, s), i.mounts.push_back(mount_at("/mnt", "ext4", 20, 0)); }) ==
        Items{"mount /mnt"});
}

TEST_CASE("privileges: what config.json masks or makes read-only") {
  using P = ImagePrivileges;
  const auto without = [](const char* mountpoint) {
    return after([&](P& i, json&) {
      std::erase_if(i.mounts, [&](const ImageMount& m) { return m.mountpoint == mountpoint; });
    });
  };
  CHECK(without("/proc/kcore") == Items{"masked /proc/kcore"});
  CHECK(without("/proc/sys") == Items{"read-only /proc/sys"});
  CHECK(after([](P& i, json&) { i.mounts[9].parent = 1; }) == Items{"masked /proc/kcore"});
  CHECK(after([](P& i, json&) { i.mounts[10].parent = 1; }) == Items{"read-only /proc/sys"});
  // Without the file system that shows it there is nothing to mask.
  CHECK(after([](P& i, json& s) {
          std::erase_if(i.mounts, [](const ImageMount& m) { return m.mountpoint.starts_with("/proc"); });
          s["mounts"].erase(0);
        }).empty());
  CHECK(after([](P& i, json&) { i.mounts[10].flags = 0; }) == Items{"read-only /proc/sys"});
  CHECK(after([](P& i, json&) { i.mounts[3].flags = MS_NOSUID; }) == Items{"mount /sys"});
  CHECK(after([](P& i, json&) { i.mounts[3].flags = MS_NOSUID, i.mounts[3].sb_flags = MS_RDONLY; }).empty());
  CHECK(after([](P& i, json&) { i.mounts[1].flags = 0; }) == Items{"mount /proc"});
  CHECK(after([](P& i, json&) { i.mounts[7].flags = 0; }) == Items{"mount /sys/fs/cgroup/memory"});
  CHECK(after([](P& i, json&) { i.mounts[5].flags = 0; }) == Items{"mount /data"});
  CHECK(after([](P& i, json&) { i.mounts[0].flags = 0; }) == Items{"mount /"});
}
