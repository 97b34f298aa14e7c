// Publishing what is all that is left of a container, and names in a store whose clock was ahead.
#include "images/store.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// A file of it cannot be read as one: its digest fails.
void spoil(const StagedImage& image, const TempDir& dir) {
  dir.file("elsewhere", "x");
  std::filesystem::create_symlink(dir.path() / "elsewhere", image.runtime_images() / "odd.img");
}

}  // namespace

TEST_CASE(
    "store: an image that is all that is left of its container is published whatever cannot be told of it") {
  const TempDir dir;
  StagedImage image = StagedImage::in_store(dir.path(), "c");
  image.create();
  dir.file("x", "");
  spoil(image, dir);
  Manifest m{.id = "c"};
  CHECK_THROWS_AS(image.publish(m), Error);
  CHECK(complete_checkpoints(dir.path(), "c").empty());
  image.keep();
  const auto wrong = image.publish(m);
  REQUIRE(wrong.size() == 1);
  CHECK(wrong[0].find("odd.img") != std::string::npos);
  CHECK(complete_checkpoints(dir.path(), "c").size() == 1);
}

TEST_CASE("store: what a ckpt that is gone had staged is published under the name that it was to have") {
  const TempDir dir;
  Manifest m{.id = "c"};
  std::string name;
  std::filesystem::path staging;
  {
    StagedImage image = StagedImage::in_store(dir.path(), "c");
    image.create();
    image.keep();
    name = image.name();
    staging = image.directory();
  }
  StagedImage left = StagedImage::left_behind(staging, m);
  CHECK(left.name() == name);
  CHECK(left.runtime_images() == staging / "checkpoint");
  CHECK(left.publish(m).empty());
  CHECK(find_image(dir.path(), name).directory == left.final_directory());
}

TEST_CASE("store: a checkpoint sorts after what is there, staged ones and ones from a clock ahead as well") {
  const TempDir dir;
  const auto home = checkpoints_of(dir.path(), "c");
  for (const char* ahead :
       {"20990101T000000Z-000000", ".20990101T000005Z-0000ff", ".removed-20990101T000009Z-ffffff"}) {
    std::filesystem::create_directories(home / ahead);
    const std::string name = StagedImage::in_store(dir.path(), "c").name();
    std::string newest = ahead;
    newest = newest.substr(newest.size() - 23);
    CHECK(name > "c@" + newest);
    CHECK(name.starts_with("c@2099010"));
  }
}
