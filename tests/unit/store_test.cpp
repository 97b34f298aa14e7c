// Names in a store whose clock was ahead.
#include "images/store.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

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
