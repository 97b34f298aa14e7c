// The treemap's layout: areas, order, no gap and no overlap.
#include "commands/treemap.h"

#include <catch2/catch_approx.hpp>
#include <limits>
#include <numeric>

#include "support.h"

using namespace ckpt;
using Catch::Approx;

namespace {

constexpr Box kWhole{0, 0, 160, 90};

double area(const Box& box) {
  return box.width * box.height;
}
bool inside(const Box& box, const Box& whole) {
  constexpr double kSlack = 1e-6;
  return box.x >= whole.x - kSlack && box.y >= whole.y - kSlack &&
         box.x + box.width <= whole.x + whole.width + kSlack &&
         box.y + box.height <= whole.y + whole.height + kSlack;
}
double common(const Box& a, const Box& b) {
  const double width = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
  const double height = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}
/// Areas as the weights, all inside, none over another.
void check_layout(const std::vector<double>& weights, const Box& whole) {
  const std::vector<Box> boxes = squarify(weights, whole);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  REQUIRE(boxes.size() == weights.size());
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    CHECK(area(boxes[i]) == Approx(weights[i] / sum * area(whole)));
    CHECK(inside(boxes[i], whole));
    for (std::size_t j = 0; j < i; ++j) CHECK(common(boxes[i], boxes[j]) < 1e-6);
  }
}

}  // namespace

TEST_CASE("treemap: the example of the paper") {
  const std::vector<Box> boxes = squarify(std::vector<double>{6, 6, 4, 3, 2, 2, 1}, {0, 0, 6, 4});
  REQUIRE(boxes.size() == 7);
  CHECK(boxes[0].width == Approx(3));
  CHECK(boxes[0].height == Approx(2));
  CHECK(boxes[1].x == Approx(0));
  CHECK(boxes[1].y == Approx(2));
  CHECK(boxes[2].x == Approx(3));
  CHECK(boxes[2].width == Approx(12.0 / 7));
  CHECK(boxes[2].height == Approx(7.0 / 3));
  CHECK(boxes[4].x == Approx(3));
  CHECK(boxes[4].y == Approx(7.0 / 3));
}

TEST_CASE("treemap: boxes fill the whole and do not overlap, in the order of the weights") {
  check_layout({1}, kWhole);
  check_layout({1, 1, 1, 1, 1}, kWhole);
  check_layout({2, 9, 4, 1, 30, 7, 7, 3}, {5, 7, 40, 100});
  std::vector<double> many;
  for (int i = 1; i < 120; ++i) many.push_back(static_cast<double>(i * 7919 % 997 + 1));
  check_layout(many, kWhole);
  const std::vector<Box> boxes = squarify(std::vector<double>{1, 99}, kWhole);
  CHECK(area(boxes[0]) < area(boxes[1]));
}

TEST_CASE("treemap: equal weights become squares") {
  for (const Box& box : squarify(std::vector<double>(16, 3.0), {0, 0, 100, 100}))
    CHECK(box.width == Approx(box.height));
}

TEST_CASE("treemap: what weighs nothing has no place, however large the others are") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  CHECK(squarify({}, kWhole).empty());
  for (const Box& box : squarify(std::vector<double>{0, 0}, kWhole)) CHECK(area(box) == 0);
  const std::vector<Box> boxes = squarify(std::vector<double>{0, 5, -1, kNan}, kWhole);
  CHECK(area(boxes[0]) == 0);
  CHECK(area(boxes[1]) == Approx(area(kWhole)));
  CHECK(area(boxes[2]) == 0);
  CHECK(area(boxes[3]) == 0);
  for (const Box& box : squarify(std::vector<double>{1e18, 1, 1, 1e18}, kWhole)) CHECK(inside(box, kWhole));
  for (const Box& box : squarify(std::vector<double>{1, 2}, {0, 0, 0, 9})) CHECK(area(box) == 0);
}
