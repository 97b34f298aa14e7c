// Which files of a CRIU image must be on the host, and by which path.
#include "images/criu_facts.h"

#include "protobuf.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::uint64_t kTmpfs = 5, kDisk = 0, kDiskDevice = 0xfe00000, kOtherDisk = 0xfe00001;

std::string mount(int id, std::uint64_t type, std::uint64_t device, const std::string& root,
                  const std::string& at, const std::string& external = "") {
  return entry(field(1, type) + field(2, static_cast<std::uint64_t>(id)) + field(3, device) +
               field(4, id == 1 ? 0U : 1U) + field(6, root) + field(7, at) + field(8, "s") + field(9, "") +
               (external.empty() ? "" : field(18, external)));
}

std::string file(int id, const std::string& path, int mount_id) {
  const auto number = static_cast<std::uint64_t>(id);
  return entry(field(1, 1) + field(2, number) +
               field(3, field(1, number) + field(2, 0) + field(3, 0) + field(6, path) +
                            signed_field(7, mount_id) + field(8, number * 10) + field(10, 0100644)));
}

/// Root and /data come from outside; the container has mounted the rest itself.
const std::string kMounts = kMagic + mount(9, kDisk, kOtherDisk, "/elsewhere", "/foreign") +
                            mount(8, kDisk, kDiskDevice, "/srv/share/sub/one", "/single") +
                            mount(7, kDisk, kDiskDevice, "/srv/share/sub", "/again") +
                            mount(6, kDisk, kDiskDevice, "/b/rootfs/etc", "/etc2") +
                            mount(5, kTmpfs, 44, "/", "/mnt") + mount(3, kTmpfs, 49, "/", "/dev/shm") +
                            mount(2, kDisk, kDiskDevice, "/srv/share", "/data", "/data") +
                            mount(1, kDisk, kDiskDevice, "/b/rootfs", "/");

std::vector<std::string> paths(const std::string& files, const std::string& mounts = kMounts) {
  const TempDir dir;
  dir.file("files.img", kMagic + files);
  if (!mounts.empty()) dir.file("mountpoints-1.img", mounts);
  std::vector<std::string> found;
  for (const OpenFileFact& one : image_open_files(dir.path())) found.push_back(one.path);
  return found;
}

}  // namespace

TEST_CASE("criu facts: files of the root and of the configuration's mounts are asked for as they are") {
  CHECK(paths(file(1, "/bin/sh", 1) + file(2, "/data/log", 2) + file(3, "/unknown", 77)) ==
        std::vector<std::string>{"/bin/sh", "/data/log", "/unknown"});
  CHECK(paths(file(1, "/mnt/file", 5), "") == std::vector<std::string>{"/mnt/file"});
}

TEST_CASE("criu facts: what lies on a memory file system is in the image") {
  CHECK(paths(file(1, "/mnt/file", 5) + file(2, "/dev/shm/x", 3)).empty());
}

TEST_CASE("criu facts: a directory that the container has mounted once more is asked for by its own path") {
  CHECK(paths(file(1, "/etc2/passwd", 6)) == std::vector<std::string>{"/etc/passwd"});
  CHECK(paths(file(1, "/again/deep/f", 7)) == std::vector<std::string>{"/data/sub/deep/f"});
  CHECK(paths(file(1, "/single", 8)) == std::vector<std::string>{"/data/sub/one"});
  CHECK(paths(file(1, "/foreign/f", 9)).empty());
}

TEST_CASE("criu facts: names that only begin alike are no directories above") {
  CHECK(paths(file(1, "/x/f", 6), kMagic + mount(6, kDisk, kDiskDevice, "/b/rootfs-other", "/x") +
                                      mount(1, kDisk, kDiskDevice, "/b/rootfs", "/"))
            .empty());
}

TEST_CASE("criu facts: the root of a layer holds what is mounted from it") {
  CHECK(paths(file(1, "/x/f", 6), kMagic + mount(6, 17, 70, "/b1", "/x") + mount(1, 17, 70, "/", "/")) ==
        std::vector<std::string>{"/b1/f"});
}
