// Which mounts of an image the runtimes do not give to CRIU. The mounts are as in images of runc 1.3 and
// crun 1.28.
#include "commands/external_mounts.h"

#include "runtimes/json.h"
#include "tests/unit/support.h"

using namespace ckpt;
using nlohmann::json;
using test::error_of;
using Strings = std::vector<std::string>;

namespace {

ImageMount mount(const std::string& mountpoint, const std::string& external) {
  return {.mountpoint = mountpoint, .external = external};
}

json spec() {
  return json::parse(R"({"mounts": [{"destination": "/data", "type": "bind", "source": "/srv"},
                                    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
                                    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}],
                         "linux": {"maskedPaths": ["/proc/keys", "/proc/acpi"]}})");
}

std::vector<ExternalMount> left(const std::vector<ImageMount>& mounts, const std::string& root = "/r",
                                const Strings& maps = {}) {
  return left_to_criu(mounts, spec(), root, parse_mount_maps(maps));
}

}  // namespace

TEST_CASE("external mounts: those that a runtime names") {
  CHECK(left({mount("/", ""), mount("/data", "/data"), mount("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu"),
              mount("/proc/keys", "/dev/null"), mount("/proc/keys", "/proc/keys"),
              mount("/x", "CRIU:AUTODETECTED"), mount("/proc/acpi", "/r/.empty-directory")})
            .empty());
}

TEST_CASE("external mounts: crun's empty directory is that of its root") {
  const auto mounts = left({mount("/proc/acpi", "/run/crun/.empty-directory"),
                            mount("/sys/firmware", "/run/crun/.empty-directory")});
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0] == ExternalMount{"/proc/acpi", "/run/crun/.empty-directory", "/r/.empty-directory"});
  CHECK(external_lines(mounts) == Strings{"external mnt[/run/crun/.empty-directory]:/r/.empty-directory"});
  CHECK(check_external(mounts)[0].how == "by CRIU's configuration file");
}

TEST_CASE("external mounts: what nobody gives is told, or is the user's word") {
  const auto lacking = left({mount("/more", "/more"), mount("/tmp", "/tmp")});
  REQUIRE(lacking.size() == 2);
  CHECK(external_lines(lacking).empty());
  const CheckedItem item = check_external(lacking)[0];
  CHECK(item.item == "mount /more");
  CHECK(item.verdict == CheckedItem::Verdict::differs);
  CHECK(item.reason == "config.json has nothing for it, and CRIU may refuse; --map-mount /more=NEW does");
  CHECK(external_lines(left({mount("/more", "/key")}, "/r", {"/more=/new"})) ==
        Strings{"external mnt[/key]:/new"});
}

TEST_CASE("a key that would add a line of its own, or end before its end, is refused") {
  for (const std::string key : {"/x\naction-script /evil\n/.empty-directory", "/a b/.empty-directory",
                                "/a#/.empty-directory", "/a\"/.empty-directory", "/a]:/etc/.empty-directory"})
    CHECK(error_of([&] { external_lines(left({mount("/m", key)})); }).code == ErrorCode::image_invalid);
  CHECK(error_of([&] { external_lines(left({mount("/more", "/key")}, "/r", {"/more=/n ew"})); }).code ==
        ErrorCode::image_invalid);
}
