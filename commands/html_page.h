// A page of figures and tables in HTML: plain structures that say what is on it, and their rendering. The
// page is one file without scripts that loads nothing. All text is taken for hostile.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt {

struct HtmlCell {
  std::string text;
  std::string value = {};  ///< the exact number behind `text`; empty: none
};

struct HtmlColumn {
  std::string heading;
  bool number = false;  ///< aligned to the right
};

struct HtmlTable {
  std::string caption;
  std::vector<HtmlColumn> columns;
  std::vector<std::vector<HtmlCell>> rows;
  std::optional<std::size_t> marked = {};  ///< the row that the page is about
};

/// One rectangle of a treemap.
struct HtmlTile {
  std::string label, detail;
  std::string title;  ///< what a pointer held over it shows
  std::string kind;   ///< one of html_tile_kinds(); anything else is shown as other
  double weight = 0;  ///< its area
  double full = 1;    ///< the share of it in full colour; what follows is paler,
  double half = 0;    ///< and the rest palest
};

struct HtmlTileGroup {
  std::string label, detail;
  std::vector<HtmlTile> tiles;
};

struct HtmlTreemap {
  std::string caption;
  std::vector<HtmlTileGroup> groups;
  std::vector<std::pair<std::string, std::string>> legend;  ///< kind, text
};

struct HtmlBar {
  std::string text;
  std::string title;
  double value = 0;
  bool marked = false;
};

/// Upright bars side by side.
struct HtmlBars {
  std::string caption;
  std::vector<HtmlBar> bars;
  std::string first, last;  ///< what stands below their ends
};

struct HtmlSection {
  std::string heading;
  std::vector<std::string> notes;
  std::vector<HtmlTreemap> maps = {};
  std::vector<HtmlBars> bars = {};
  std::vector<HtmlTable> tables = {};
};

struct HtmlPage {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<HtmlSection> sections;
  std::string footer;
};

/// file, anonymous, heap, stack, shared, other: what has a colour.
const std::vector<std::string>& html_tile_kinds();

/// As text or as the value of an attribute in double quotes. What is no UTF-8, controls, and characters that
/// change how others are shown become U+FFFD.
std::string html_escape(std::string_view text);

/// Pure.
std::string render_html(const HtmlPage& page);

}  // namespace ckpt
