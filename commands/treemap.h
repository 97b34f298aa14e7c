// Rectangles side by side whose areas are as given numbers: a treemap's layout.
#pragma once
#include <span>
#include <vector>

namespace ckpt {

struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};

/// One box for each weight, in their order, that together fill `whole`; as square as rows of them can be,
/// after "Squarified Treemaps" (Bruls, Huizing, van Wijk, 2000). What weighs nothing, less or no number gets
/// an empty box. Pure.
std::vector<Box> squarify(std::span<const double> weights, const Box& whole);

}  // namespace ckpt
