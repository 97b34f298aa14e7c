// The layout, row after row along the shorter side of what is left.
#include "commands/treemap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ckpt {
namespace {

/// A weight as an area, and where its box goes.
struct Area {
  double size;
  std::size_t index;
};
using Areas = std::span<const Area>;

/// Largest first, scaled so that they fill the whole.
std::vector<Area> areas_of(std::span<const double> weights, const Box& whole) {
  std::vector<Area> areas;
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!std::isfinite(weights[i]) || weights[i] <= 0) continue;
    areas.push_back({weights[i], i});
    sum += weights[i];
  }
  for (Area& area : areas) area.size *= whole.width * whole.height / sum;
  std::stable_sort(areas.begin(), areas.end(), [](const Area& a, const Area& b) { return a.size > b.size; });
  return areas;
}

/// Of a row's worst box, in a row with that sum along that side; 1 is a square.
double worst_ratio(double largest, double smallest, double sum, double side) {
  const double thick = sum / side;
  return std::max(largest / (thick * thick), thick * thick / smallest);
}

/// How many of the first make the best row.
std::size_t row_length(Areas areas, double side) {
  double sum = areas[0].size;
  double worst = worst_ratio(areas[0].size, areas[0].size, sum, side);
  for (std::size_t n = 1; n < areas.size(); ++n) {
    const double with = worst_ratio(areas[0].size, areas[n].size, sum + areas[n].size, side);
    if (with > worst) return n;
    worst = with;
    sum += areas[n].size;
  }
  return areas.size();
}

/// Places a row at the edge of `rest` and takes it away from there.
void place_row(Areas row, Box& rest, std::vector<Box>& boxes) {
  const double sum =
      std::accumulate(row.begin(), row.end(), 0.0, [](double s, const Area& area) { return s + area.size; });
  const bool upright = rest.width >= rest.height;
  const double thick = sum / (upright ? rest.height : rest.width);
  double along = upright ? rest.y : rest.x;
  for (const Area& area : row) {
    const double length = area.size / thick;
    boxes[area.index] = upright ? Box{rest.x, along, thick, length} : Box{along, rest.y, length, thick};
    along += length;
  }
  (upright ? rest.x : rest.y) += thick;
  double& left = upright ? rest.width : rest.height;
  left = std::max(left - thick, 0.0);
}

}  // namespace

std::vector<Box> squarify(std::span<const double> weights, const Box& whole) {
  std::vector<Box> boxes(weights.size());
  const std::vector<Area> areas = areas_of(weights, whole);
  Box rest = whole;
  for (std::size_t at = 0; at < areas.size();) {
    const double side = std::min(rest.width, rest.height);
    if (side <= 0) break;  // the smallest, after rounding
    const Areas left = Areas(areas).subspan(at);
    const std::size_t length = row_length(left, side);
    place_row(left.first(length), rest, boxes);
    at += length;
  }
  return boxes;
}

}  // namespace ckpt
