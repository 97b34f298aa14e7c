// Images of containers with a user namespace.
#include "images/mapped_root.h"

#include <sys/stat.h>
#include <unistd.h>

#include "protobuf.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("mapped root: an image of a user namespace is read by the container's root group alone") {
  const TempDir dir;
  fs::create_directory(dir / "i");
  CHECK(!mapped_root_group(dir / "i"));
  const auto extent = [](std::uint64_t first, std::uint64_t lower) {
    return field(1, first) + field(2, lower) + field(3, 65536);
  };
  dir.file("i/userns-9.img", kMagic + entry(field(1, extent(0, 7)) + field(2, extent(1, 200000)) +
                                            field(2, extent(0, 100000))));
  dir.file("outside", "x");
  fs::create_symlink(dir / "outside", dir / "i/parent");
  CHECK(mapped_root_group(dir / "i") == 100000);
  ::chmod((dir / "i").c_str(), 0700);
  ::chmod((dir / "outside").c_str(), 0600);
  let_group_read(dir / "i", ::getgid());
  const auto mode = [](const fs::path& path) {
    struct stat status = {};
    ::stat(path.c_str(), &status);
    return status.st_mode & 07777U;
  };
  CHECK(mode(dir / "i") == 0750);
  CHECK(mode(dir / "i/userns-9.img") == 0640);
  CHECK(mode(dir / "outside") == 0600);
  let_group_pass(dir / "i", ::getgid());
  CHECK(mode(dir / "i") == 0710);
}
