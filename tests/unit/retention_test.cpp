// Which checkpoints a rule keeps: a month of them, pins, odd times.
#include "images/retention.h"

#include "support.h"

using namespace ckpt;

namespace {

constexpr std::time_t kNow = 1'764'000'000;

std::string at(std::time_t when) {
  char text[32];
  std::tm parts = {};
  ::gmtime_r(&when, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// One every `step` seconds, the newest at `kNow`; the name is its age in steps.
std::vector<StoredImage> series(int count, std::time_t step) {
  std::vector<StoredImage> images;
  for (int age = count - 1; age >= 0; --age)
    images.push_back({.name = std::to_string(age), .created = at(kNow - age * step), .complete = true});
  return images;
}

std::vector<std::string> gone(const std::vector<StoredImage>& images, const Retention& rules) {
  std::vector<std::string> names;
  for (const StoredImage& image : doomed(images, rules, kNow)) names.push_back(image.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("retention: the newest N, the younger ones, and both") {
  const auto images = series(5, 60);
  CHECK(gone(images, {.keep_last = 2}) == Names{"4", "3", "2"});
  CHECK(gone(images, {.keep_within = std::chrono::seconds(121)}) == Names{"4", "3"});
  CHECK(gone(images, {.keep_last = 4, .keep_within = std::chrono::seconds(61)}) == Names{"4"});
  CHECK(gone(images, {.keep_last = 9}).empty());
}

TEST_CASE("retention: the newest one stays, whatever the rule") {
  CHECK(gone(series(3, 60), {.keep_within = std::chrono::seconds(0)}) == Names{"2", "1"});
  CHECK(gone(series(1, 60), {.keep_within = std::chrono::seconds(0)}).empty());
  CHECK(gone({}, {.keep_last = 1}).empty());
}

TEST_CASE("retention: pinned ones stay, incomplete ones neither count nor go, unknown times count as young") {
  auto images = series(4, 60);
  images[0].pinned = true;
  images[3].complete = false;
  CHECK(gone(images, {.keep_last = 1}) == Names{"2"});
  images[1].created = "yesterday";
  CHECK(gone(images, {.keep_within = std::chrono::seconds(1)}).empty());
}

TEST_CASE("retention: a month of a timer that runs every ten minutes keeps a day and a hundred") {
  std::vector<StoredImage> kept;
  for (int run = 0; run < 6 * 24 * 30; ++run) {
    const std::time_t now = kNow + run * 600;
    kept.push_back({.name = std::to_string(run), .created = at(now), .complete = true});
    for (const StoredImage& old :
         doomed(kept, {.keep_last = 100, .keep_within = std::chrono::hours(24)}, now))
      std::erase_if(kept, [&](const StoredImage& one) { return one.name == old.name; });
  }
  CHECK(kept.size() == 144);
  CHECK(kept.front().name == std::to_string(6 * 24 * 30 - 144));
}
