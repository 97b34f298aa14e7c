// Writable layers: what is packed comes back, and what is hostile does not get out.
#include "images/layer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "runtimes/json.h"
#include "tests/unit/support.h"

using namespace ckpt;
using ckpt::test::TempDir;

namespace {

Layer layer_in(const TempDir& dir, const char* name) {
  Layer layer{dir / name};
  make_layer(layer);
  return layer;
}

/// One ustar header with its content.
std::string entry(const std::string& name, char type, const std::string& content = "",
                  const std::string& link = "") {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, name.substr(0, 100));
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", content.size()));
  put(136, "00000000000");
  put(148, "        ");
  header[156] = type;
  put(157, link.substr(0, 100));
  put(257, std::string("ustar\0"
                       "00",
                       8));
  if (type == '3' || type == '4') put(329, "0000001"), put(337, "0000003");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  std::string padded = content;
  padded.resize((content.size() + 511) / 512 * 512, '\0');
  return header + padded;
}

std::string end_of_tar() {
  return std::string(1024, '\0');
}

/// Everything that is outside of the layer's upper directory.
std::size_t files_outside(const TempDir& dir) {
  std::size_t count = 0;
  for (const auto& one : fs::recursive_directory_iterator(dir.path()))
    if (one.path().string().find("/upper/") == std::string::npos) ++count;
  return count;
}

}  // namespace

TEST_CASE("a layer comes back as it was") {
  if (::geteuid() != 0) SKIP("needs root for whiteouts and owners");
  const TempDir dir;
  const Layer from = layer_in(dir, "from"), to = layer_in(dir, "to");
  const fs::path up = from.upper();
  fs::create_directories(up / "a/b");
  dir.file(up / "a/file", std::string(100'000, 'x'));
  fs::create_hard_link(up / "a/file", up / "a/b/link");
  fs::create_symlink("/etc/passwd", up / "symlink");
  REQUIRE(::mknod((up / "gone").c_str(), S_IFCHR, makedev(0, 0)) == 0);
  REQUIRE(::mknod((up / "a/gone too").c_str(), S_IFCHR, makedev(0, 0)) == 0);
  REQUIRE(::mknod((up / "a/latin\344").c_str(), S_IFCHR, makedev(0, 0)) == 0);
  REQUIRE(::chown((up / "a/file").c_str(), 12, 34) == 0);
  REQUIRE(::chmod((up / "a/file").c_str(), 04711) == 0);
  const timespec times[2] = {{1'000'000'000, 1}, {981'173'106, 123'456'789}};
  REQUIRE(::utimensat(AT_FDCWD, (up / "a/file").c_str(), times, 0) == 0);
  REQUIRE(::utimensat(AT_FDCWD, (up / "a").c_str(), times, 0) == 0);
  fs::create_directory(dir / "image");
  pack_layer(from, dir / "image");
  CHECK(layer_files(dir / "image").at("/a/file") == 100'000);
  unpack_layer(dir / "image", to);
  struct stat file = {}, link = {}, gone = {}, directory = {};
  REQUIRE(::stat((to.upper() / "a/file").c_str(), &file) == 0);
  REQUIRE(::stat((to.upper() / "a/b/link").c_str(), &link) == 0);
  CHECK(file.st_ino == link.st_ino);
  CHECK(file.st_mode == (S_IFREG | 04711));
  CHECK(file.st_uid == 12);
  CHECK(file.st_gid == 34);
  CHECK(file.st_mtim.tv_sec == 981'173'106);
  CHECK(file.st_mtim.tv_nsec == 123'456'789);
  REQUIRE(::stat((to.upper() / "a").c_str(), &directory) == 0);
  CHECK(directory.st_mtim.tv_nsec == 123'456'789);
  CHECK(fs::read_symlink(to.upper() / "symlink") == "/etc/passwd");
  for (const char* name : {"gone", "a/gone too", "a/latin\344"}) {
    REQUIRE(::lstat((to.upper() / name).c_str(), &gone) == 0);
    CHECK(S_ISCHR(gone.st_mode));
    CHECK(gone.st_rdev == makedev(0, 0));
  }
}

TEST_CASE("nothing of a hostile layer lands outside") {
  const std::vector<std::string> archives = {
      entry("../evil", '0', "x"),
      entry("/evil", '0', "x"),
      entry("a/../../evil", '0', "x"),
      entry("..", '5'),
      entry("link", '2', "", "..") + entry("link/evil", '0', "x"),
      entry("link", '2', "", "../..") + entry("link/evil", '5'),
      entry("hard", '1', "", "../../outside"),
      entry("hard", '1', "", "/etc/passwd"),
  };
  for (const std::string& archive : archives) {
    const TempDir dir;
    const Layer layer = layer_in(dir, "layer");
    dir.file("outside", "as it was");
    dir.file(std::string("image/") + kLayerTar, archive + end_of_tar());
    const std::size_t before = files_outside(dir);
    CHECK_THROWS_AS(unpack_layer(dir / "image", layer), Error);
    CHECK(files_outside(dir) == before);
    CHECK(read_file(dir / "outside") == "as it was");
    CHECK_FALSE(fs::exists("/evil"));
  }
}

TEST_CASE("a layer brings no attributes that overlayfs obeys") {
  if (::geteuid() != 0) SKIP("needs root for trusted attributes");
  const TempDir dir;
  const Layer layer = layer_in(dir, "layer");
  std::string attributes;
  for (const char* one : {"trusted.overlay.redirect=/etc", "trusted.overlay.metacopy=", "user.mine=x"}) {
    const std::string text = fmt::format(" SCHILY.xattr.{}\n", one);
    attributes += fmt::format("{}{}", text.size() + 2, text);
  }
  dir.file(std::string("image/") + kLayerTar,
           entry("pax", 'x', attributes) + entry("file", '0', "x") + end_of_tar());
  unpack_layer(dir / "image", layer);
  const std::string file = layer.upper() / "file";
  CHECK(::lgetxattr(file.c_str(), "trusted.overlay.redirect", nullptr, 0) == -1);
  CHECK(::lgetxattr(file.c_str(), "trusted.overlay.metacopy", nullptr, 0) == -1);
  CHECK(::lgetxattr(file.c_str(), "user.mine", nullptr, 0) == 1);
}

TEST_CASE("another tool's layer is laid over what is there") {
  const TempDir dir;
  const Layer layer = layer_in(dir, "layer");
  const fs::path root = layer.merged();
  for (const char* name : {"gone/below/file", "deleted", "opaque/old", "kept/file", "kept/other"})
    dir.file(root / name, "before");
  REQUIRE(::chmod((root / "kept").c_str(), 01777) == 0);
  dir.file(std::string("image/") + kDeletedFiles, R"(["/deleted", "/not/there"])");
  dir.file(std::string("image/") + kLayerTar, entry(".wh.gone", '0') + entry("opaque/.wh..wh..opq", '0') +
                                                  entry("opaque/new", '0', "new") +
                                                  entry("kept/file", '0', "new") + end_of_tar());
  lay_over_layer(dir / "image", layer);
  CHECK_FALSE(fs::exists(root / "gone"));
  CHECK_FALSE(fs::exists(root / "deleted"));
  CHECK_FALSE(fs::exists(root / "opaque/old"));
  CHECK_FALSE(fs::exists(root / ".wh.gone"));
  CHECK(read_file(root / "opaque/new") == "new");
  CHECK(read_file(root / "kept/file") == "new");
  CHECK(read_file(root / "kept/other") == "before");
  struct stat kept = {};
  REQUIRE(::stat((root / "kept").c_str(), &kept) == 0);
  CHECK((kept.st_mode & 07777U) == 01777);
}

TEST_CASE("nothing that another tool deleted is deleted outside") {
  const TempDir dir;
  const Layer layer = layer_in(dir, "layer");
  dir.file("outside/file", "as it was");
  fs::create_symlink(dir / "outside", layer.merged() / "link");
  fs::create_directory(layer.merged() / "directory");
  fs::create_symlink(dir / "outside", layer.merged() / "directory/link");
  dir.file(std::string("image/") + kDeletedFiles, R"(["/link/file", "/directory"])");
  dir.file(std::string("image/") + kLayerTar, entry("link/.wh.file", '0') + end_of_tar());
  lay_over_layer(dir / "image", layer);
  CHECK_FALSE(fs::exists(layer.merged() / "directory"));
  for (const char* list : {"[\"/../../outside\"]", "[\"/..\"]", "[\"\"]"}) {
    dir.file(std::string("image/") + kDeletedFiles, list);
    CHECK_THROWS_AS(lay_over_layer(dir / "image", layer), Error);
  }
  CHECK(read_file(dir / "outside/file") == "as it was");
}

TEST_CASE("devices are made only when somebody vouches for them") {
  for (const char type : {'3', '4'}) {
    const TempDir dir;
    const Layer layer = layer_in(dir, "layer");
    dir.file(std::string("image/") + kLayerTar, entry("device", type) + end_of_tar());
    CHECK_THROWS_AS(lay_over_layer(dir / "image", layer, Devices::refused), Error);
    CHECK_THROWS_AS(unpack_layer(dir / "image", layer, Devices::refused), Error);
    CHECK_FALSE(fs::exists(layer.merged() / "device"));
    CHECK_FALSE(fs::exists(layer.upper() / "device"));
    CHECK_NOTHROW(unpack_layer(dir / "image", layer));
    CHECK(fs::exists(layer.upper() / "device"));
  }
}

TEST_CASE("a link that is replaced by a file is not written through") {
  const TempDir dir;
  const Layer layer = layer_in(dir, "layer");
  dir.file("outside", "as it was");
  dir.file(std::string("image/") + kLayerTar,
           entry("link", '2', "", "../../outside") + entry("link", '0', "new") + end_of_tar());
  try {
    unpack_layer(dir / "image", layer);
  } catch (const Error&) {
  }
  CHECK(read_file(dir / "outside") == "as it was");
}

TEST_CASE("a damaged layer is told as such") {
  const TempDir dir;
  const Layer layer = layer_in(dir, "layer");
  CHECK_THROWS_AS(unpack_layer(dir / "image", layer), Error);
  dir.file(std::string("image/") + kLayerTar, entry("file", '0', std::string(5000, 'x')).substr(0, 2000));
  CHECK_THROWS_AS(unpack_layer(dir / "image", layer), Error);
  dir.file(std::string("image/") + kLayerTar, std::string(4096, 'x'));
  CHECK_THROWS_AS(unpack_layer(dir / "image", layer), Error);
  dir.file(std::string("image/") + kLayerTar, end_of_tar());
  CHECK_NOTHROW(unpack_layer(dir / "image", layer));
  for (const char* list : {"{}", "[1]", "[\"/../x\"]", "[\"/not/there\"]", "[\"\"]", "[\"/\"]", "not json"}) {
    INFO(list);
    dir.file(std::string("image/") + kDeletedFiles, list);
    CHECK_THROWS_AS(unpack_layer(dir / "image", layer), Error);
  }
  CHECK(files_outside(dir) == 7);
}
