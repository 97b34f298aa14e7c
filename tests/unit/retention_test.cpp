// Which checkpoints a rule keeps: a month of them, pins, odd times.
#include "images/retention.h"

#include <fmt/ranges.h>

#include "images/stamp.h"
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

// ---- sizes

namespace {

/// `bytes` of each, oldest first, a minute apart; the name is the place.
std::vector<StoredImage> sized(const std::string& id, const std::vector<std::uint64_t>& bytes) {
  std::vector<StoredImage> images;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    images.push_back({.id = id,
                      .name = id + std::to_string(i),
                      .created = at(kNow - 60 * static_cast<std::time_t>(bytes.size() - i)),
                      .bytes = bytes[i],
                      .complete = true});
  return images;
}

std::vector<StoredImage> together(std::vector<StoredImage> a, const std::vector<StoredImage>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Names gone_with(const std::vector<StoredImage>& images, const Retention& rules, const Space& space) {
  Names names;
  for (const StoredImage& image : doomed(images, rules, kNow, space)) names.push_back(image.name);
  return names;
}

}  // namespace

TEST_CASE("retention: --max-bytes takes the oldest until the rest fits, and never the newest") {
  const auto images = sized("c", {10, 20, 30, 40});
  struct Row {
    std::uint64_t max;
    Names gone;
  };
  for (const Row& row : {Row{100, {}}, Row{99, {"c0"}}, Row{90, {"c0"}}, Row{89, {"c0", "c1"}},
                         Row{40, {"c0", "c1", "c2"}}, Row{0, {"c0", "c1", "c2"}}}) {
    INFO(row.max);
    CHECK(gone(images, {.max_bytes = row.max}) == row.gone);
  }
}

TEST_CASE("retention: --min-free in bytes and as a share, counting what the rules free") {
  const auto images = sized("c", {10, 20, 30, 40});
  const Space space{.total = 1000, .free = 50};
  struct Row {
    FreeGoal goal;
    Names gone;
  };
  for (const Row& row : {Row{{.bytes = 50}, {}}, Row{{.bytes = 51}, {"c0"}}, Row{{.bytes = 61}, {"c0", "c1"}},
                         Row{{.percent = 5}, {}}, Row{{.percent = 8}, {"c0", "c1"}},
                         Row{{.percent = 100}, {"c0", "c1", "c2"}}}) {
    INFO(row.goal.bytes);
    CHECK(gone_with(images, {.min_free = row.goal}, space) == row.gone);
  }
  CHECK(gone_with(images, {.keep_last = 2, .min_free = FreeGoal{.bytes = 80}}, space) == Names{"c0", "c1"});
  CHECK(gone_with(images, {.keep_last = 2, .min_free = FreeGoal{.bytes = 81}}, space) ==
        Names{"c0", "c1", "c2"});
}

TEST_CASE("retention: a size rule wins over the keep rules, pinned and incomplete ones stay") {
  auto images = sized("c", {10, 20, 30, 40});
  CHECK(gone(images, {.keep_last = 4, .max_bytes = 70}) == Names{"c0", "c1"});
  images[0].pinned = true;
  CHECK(gone(images, {.keep_last = 4, .max_bytes = 80}) == Names{"c1"});
  images[1].complete = false;
  CHECK(gone(images, {.max_bytes = 79}) == Names{"c2"});
  CHECK(gone(images, {.max_bytes = 1}) == Names{"c2"});
}

TEST_CASE("retention: the oldest of all containers go first, and each keeps its newest") {
  auto images =
      together(sized("a", {10, 10, 10}), sized("b", {10, 10}));  // a0, then a1 and b0, then a2 and b1
  CHECK(gone(images, {.max_bytes = 40}) == Names{"a0"});
  CHECK(gone(images, {.max_bytes = 39}) == Names{"a0", "a1"});
  CHECK(gone(images, {.max_bytes = 20}) == Names{"a0", "a1", "b0"});
  CHECK(gone(images, {.max_bytes = 0}) == Names{"a0", "a1", "b0"});
  CHECK(gone(images, {.keep_last = 1}) == Names{"a0", "a1", "b0"});
  images[0].created = "yesterday";  // unknown: counts as young
  CHECK(gone(images, {.max_bytes = 40}) == Names{"a1"});
}

// ---- clocks that were wrong

namespace {

/// In the order in which they were taken; each with the time that its clock told.
std::vector<StoredImage> taken(const std::vector<std::time_t>& clocks) {
  std::vector<StoredImage> images;
  std::vector<std::string> names;
  for (const std::time_t clock : clocks) {
    names.push_back(stamp_after(names, {.tv_sec = clock, .tv_nsec = 500}));
    images.push_back({.id = "c",
                      .name = std::to_string(images.size()),
                      .path = "/store/checkpoints/c/" + names.back(),
                      .created = at(clock),
                      .bytes = 10,
                      .complete = true});
  }
  return images;
}

}  // namespace

TEST_CASE("retention: names are in the order in which checkpoints were taken, whatever the clock says") {
  constexpr std::time_t kDay = 86400;
  const std::vector<std::vector<std::time_t>> told = {{kNow, kNow, kNow},
                                                      {kNow + 2 * kDay, kNow, kNow + 1},
                                                      {kNow, 5, 4, 3},
                                                      {kNow, kNow + 3000 * kDay, kNow + 1, 7}};
  for (const auto& clocks : told) {
    const auto images = taken(clocks);
    for (std::size_t i = 1; i < images.size(); ++i)
      CHECK(images[i - 1].path.filename() < images[i].path.filename());
  }
  CHECK(stamp_after({}, {.tv_sec = kNow, .tv_nsec = 0}) == "20251124T160000Z-000000");
  CHECK(stamp_after({"20251124T155959Z-ffffff", "zz", ""}, {.tv_sec = kNow, .tv_nsec = 0}) ==
        "20251124T160000Z-000000");
  for (const char* newest :
       {"20251124T160000Z-000000", ".20251124T160000Z-000001", ".removed-20251124T160000Z-ffffff"})
    CHECK(stamp_after({newest, "20240101T000000Z-000000"}, {.tv_sec = kNow, .tv_nsec = 0}) ==
          "20251124T160001Z-000000");
}

TEST_CASE("retention: a clock that was ahead or back does not make an older one the newest") {
  const auto ahead = taken({kNow + 172800, kNow - 60, kNow});
  CHECK(gone(ahead, {.keep_last = 1}) == Names{"0", "1"});
  CHECK(gone(ahead, {.max_bytes = 10}) == Names{"0", "1"});
  CHECK(gone(ahead, {.max_bytes = 20}) == Names{"0"});
  CHECK(gone(ahead, {.keep_within = std::chrono::seconds(30)}) == Names{"1"});  // still to come counts as now
  const auto back = taken({kNow - 60, kNow, 1000});
  CHECK(gone(back, {.keep_last = 1}) == Names{"0", "1"});
  CHECK(gone(back, {.max_bytes = 20}) == Names{"0"});
  CHECK(gone(back, {.keep_within = std::chrono::seconds(30)}) == Names{"0"});
}

TEST_CASE("retention: what was just taken stays, whatever rule and whatever stands behind it") {
  auto images = sized("c", {10, 10, 10, 10});
  images[1].just_taken = true;
  for (const Retention& rules : {Retention{.keep_last = 1}, Retention{.keep_within = std::chrono::seconds(0)},
                                 Retention{.max_bytes = 0}, Retention{.min_free = FreeGoal{.bytes = 1000}}})
    CHECK(gone(images, rules) == Names{"c0", "c2"});
}

TEST_CASE("retention: why one stays or goes") {
  auto images = sized("c", {10, 10, 10, 10, 10});
  images[0].pinned = true;
  images[1].complete = false;
  const auto notes = [&](const Retention& rules) {
    Names all;
    for (const Verdict& verdict : judge(images, rules, kNow, {}))
      all.push_back(verdict.goes.empty() ? fmt::format("{}", fmt::join(verdict.kept, "+"))
                                         : "-" + verdict.goes);
    return all;
  };
  CHECK(notes({}) == Names{"pinned", "incomplete", "", "", "newest"});
  CHECK(notes({.keep_last = 2, .keep_within = std::chrono::seconds(61)}) ==
        Names{"pinned", "incomplete", "-not-kept", "keep-last", "newest+keep-last+keep-within"});
  CHECK(notes({.max_bytes = 30}) == Names{"pinned", "incomplete", "-max-bytes", "fits", "newest"});
  CHECK(notes({.keep_last = 2, .min_free = FreeGoal{.bytes = 15}}) ==
        Names{"pinned", "incomplete", "-not-kept", "-min-free", "newest+keep-last"});
}

// ---- a month of a timer, every ten minutes, against an expectation that knows nothing of the past

namespace {

constexpr std::time_t kStep = 600;
constexpr int kMonth = 6 * 24 * 30;

std::uint64_t bytes_of_run(int run) {
  return 100 + static_cast<std::uint64_t>(run) * 7919 % 101;
}
bool pinned_run(int run) {
  return run % 1000 == 7;
}

/// Of the runs 0..last: pinned ones, and of the others the longest youngest part that every rule lets be.
std::vector<int> expected(const Retention& rules, int last) {
  int first = 0;
  if (rules.keeps()) {
    const int by_count = rules.keep_last ? last + 1 - static_cast<int>(*rules.keep_last) : last;
    const int by_age =
        rules.keep_within
            ? last + 1 - static_cast<int>((*rules.keep_within / std::chrono::seconds(1) + kStep - 1) / kStep)
            : last;
    first = std::max(0, std::min({by_count, by_age, last}));
  }
  const auto total = [&](int from) {
    std::uint64_t bytes = 0;
    for (int run = 0; run <= last; ++run)
      if (run >= from || pinned_run(run)) bytes += bytes_of_run(run);
    return bytes;
  };
  while (rules.max_bytes && first < last && total(first) > *rules.max_bytes) ++first;
  std::vector<int> runs;
  for (int run = 0; run <= last; ++run)
    if (run >= first || pinned_run(run)) runs.push_back(run);
  return runs;
}

}  // namespace

TEST_CASE("retention: a month of simulated timer runs keeps exactly what the policy says") {
  using std::chrono::hours;
  for (const Retention& rules :
       {Retention{.keep_last = 1}, Retention{.keep_last = 12}, Retention{.keep_within = hours(6)},
        Retention{.keep_last = 50, .keep_within = hours(4)},
        Retention{.keep_last = 10, .keep_within = hours(4)}, Retention{.max_bytes = 5000},
        Retention{.max_bytes = 0}, Retention{.keep_last = 40, .max_bytes = 3000},
        Retention{.keep_last = 8, .keep_within = hours(3), .max_bytes = 2500}}) {
    std::vector<StoredImage> store;
    for (int run = 0; run < kMonth; ++run) {
      const std::time_t now = kNow + run * kStep;
      store.push_back({.name = std::to_string(run),
                       .created = at(now),
                       .bytes = bytes_of_run(run),
                       .complete = true,
                       .pinned = pinned_run(run)});
      for (const StoredImage& old : doomed(store, rules, now))
        std::erase_if(store, [&](const StoredImage& one) { return one.name == old.name; });
      if (run % 97 != 0 && run != kMonth - 1) continue;
      std::vector<int> left;
      for (const StoredImage& one : store) left.push_back(std::stoi(one.name));
      INFO("run " << run);
      CHECK(left == expected(rules, run));
    }
  }
}
