// What is shown of a long step.
#include "commands/progress.h"

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("progress: bytes, rate and what is left") {
  StepState now{.step = "dump", .name = "web", .bytes = 512'000'000, .total = 2'048'000'000, .seconds = 0.5};
  CHECK(progress_text(now) == "dump of 'web': 512.0 MB of 2.0 GB, 1.0 GB/s, 2 s left");
  CHECK(progress_json(now) == nlohmann::json{{"step", "dump"},
                                             {"name", "web"},
                                             {"state", "running"},
                                             {"bytes", 512'000'000},
                                             {"total", 2'048'000'000},
                                             {"rate", 1'024'000'000},
                                             {"left", 1.5},
                                             {"seconds", 0.5}});
}

TEST_CASE("progress: what is not known is left out") {
  const StepState begun{.step = "restore", .name = "web", .total = 1000, .seconds = 3.2};
  CHECK(progress_text(begun) == "restore of 'web': 3 s");
  const StepState endless{.step = "dump", .name = "web", .bytes = 2000, .seconds = 2};
  CHECK(progress_text(endless) == "dump of 'web': 2.0 kB, 1.0 kB/s");
  CHECK(progress_json(endless).at("total").is_null());
  CHECK(progress_json(endless).at("left").is_null());
}

TEST_CASE("progress: more than was expected is no negative rest") {
  const StepState over{.step = "dump", .name = "web", .bytes = 3000, .total = 2000, .seconds = 1};
  CHECK(progress_text(over) == "dump of 'web': 3.0 kB of 3.0 kB, 3.0 kB/s");
  CHECK(progress_json(over).at("left").is_null());
}

TEST_CASE("progress: bytes in a directory, and those that are read") {
  const TempDir dir;
  dir.file("a", std::string(1000, 'x'));
  fs::create_directory(dir / "below");
  dir.file("below/b", std::string(500, 'x'));
  CHECK(bytes_below(dir.path()) == 1500);
  CHECK(bytes_below("/nonexistent") == 0);
  const std::uint64_t before = bytes_read();
  CHECK(read_file(dir / "a"));
  CHECK(bytes_read() - before >= 1000);
}
