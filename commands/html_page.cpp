// Rendering a page in HTML.
#include "commands/html_page.h"

#include <algorithm>

#include "commands/html_style.h"
#include "commands/treemap.h"
#include "runtimes/utf8.h"

namespace ckpt {
namespace {

/// Nothing is loaded, sent or run.
constexpr std::string_view kHead =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"referrer\" content=\"no-referrer\">\n";

/// Where groups and tiles are laid out: the shape of the figure, whose size is the reader's.
constexpr Box kFigure{0, 0, 200, 100};
/// Columns that hold more than this wrap.
constexpr std::size_t kLong = 40;

// ---- text

std::string attribute(const char* name, std::string_view value) {
  return value.empty() ? "" : fmt::format(" {}=\"{}\"", name, html_escape(value));
}

std::string text_of(const char* element, std::string_view text) {
  return text.empty() ? "" : fmt::format("<{0}>{1}</{0}>", element, html_escape(text));
}

// ---- treemaps

std::string place(const Box& box, const Box& whole) {
  return fmt::format("left:{:.3f}%;top:{:.3f}%;width:{:.3f}%;height:{:.3f}%",
                     100 * (box.x - whole.x) / whole.width, 100 * (box.y - whole.y) / whole.height,
                     100 * box.width / whole.width, 100 * box.height / whole.height);
}

const std::string& kind_class(const std::string& kind) {
  const std::vector<std::string>& kinds = html_tile_kinds();
  return std::find(kinds.begin(), kinds.end(), kind) == kinds.end() ? kinds.back() : kind;
}

std::string render(const HtmlTile& tile, const Box& box, const Box& whole) {
  const double full = std::clamp(tile.full, 0.0, 1.0), half = std::clamp(tile.full + tile.half, full, 1.0);
  const std::string shares =
      full < 1 ? fmt::format(";--a:{:.2f}%;--b:{:.2f}%", 100 * full, 100 * half) : std::string();
  return fmt::format("<div class=\"tile {}{}\" style=\"{}{}\"{}>{}{}</div>\n", kind_class(tile.kind),
                     full < 1 ? " part" : "", place(box, whole), shares, attribute("title", tile.title),
                     text_of("span", tile.label), text_of("span", tile.detail));
}

template <class Parts>
std::vector<double> weights_of(const Parts& parts) {
  std::vector<double> weights;
  for (const HtmlTile& tile : parts) weights.push_back(tile.weight);
  return weights;
}

bool visible(const Box& box) {
  return box.width > 0 && box.height > 0;
}

std::string render(const HtmlTileGroup& group, const Box& box) {
  std::string text =
      fmt::format("<div class=\"group\" style=\"{}\"{}><div class=\"name\">{}{}</div><div class=\"tiles\">\n",
                  place(box, kFigure), attribute("title", fmt::format("{}, {}", group.label, group.detail)),
                  text_of("b", group.label), text_of("span", group.detail));
  const std::vector<Box> boxes = squarify(weights_of(group.tiles), box);
  for (std::size_t i = 0; i < boxes.size(); ++i)
    if (visible(boxes[i])) text += render(group.tiles[i], boxes[i], box);
  return text + "</div></div>\n";
}

std::string render(const HtmlTreemap& map) {
  std::vector<double> sums;
  for (const HtmlTileGroup& group : map.groups) {
    sums.push_back(0);
    for (const HtmlTile& tile : group.tiles) sums.back() += std::max(tile.weight, 0.0);
  }
  std::string text = fmt::format("<figure>{}<div class=\"map\" role=\"img\"{}>\n",
                                 text_of("figcaption", map.caption), attribute("aria-label", map.caption));
  const std::vector<Box> boxes = squarify(sums, kFigure);
  for (std::size_t i = 0; i < boxes.size(); ++i)
    if (visible(boxes[i])) text += render(map.groups[i], boxes[i]);
  text += "</div>\n<ul class=\"legend\">";
  for (const auto& [kind, words] : map.legend)
    text += fmt::format("<li><i class=\"{}\"></i>{}</li>", kind_class(kind), html_escape(words));
  return text + "</ul></figure>\n";
}

// ---- bars

std::string render(const HtmlBar& bar, double most) {
  return fmt::format("<div{}{}><span>{}</span><i style=\"height:{:.2f}%\"></i></div>\n",
                     bar.marked ? " class=\"marked\"" : "", attribute("title", bar.title),
                     html_escape(bar.text), most > 0 ? 80 * std::clamp(bar.value / most, 0.0, 1.0) : 0.0);
}

std::string render(const HtmlBars& bars) {
  double most = 0;
  for (const HtmlBar& bar : bars.bars) most = std::max(most, bar.value);
  std::string text =
      fmt::format("<figure style=\"--n:{}\">{}<div class=\"bars\" role=\"img\"{}>\n", bars.bars.size(),
                  text_of("figcaption", bars.caption), attribute("aria-label", bars.caption));
  for (const HtmlBar& bar : bars.bars) text += render(bar, most);
  return text + fmt::format("</div>\n<p class=\"ends\"><span>{}</span><span>{}</span></p></figure>\n",
                            html_escape(bars.first), html_escape(bars.last));
}

// ---- tables

std::string render(const HtmlCell& cell, const HtmlColumn& column) {
  const char* kind = column.number ? " class=\"number\"" : cell.text.size() > kLong ? " class=\"long\"" : "";
  const std::string text = html_escape(cell.text);
  if (cell.value.empty()) return fmt::format("<td{}>{}</td>", kind, text);
  return fmt::format("<td{}><data{}>{}</data></td>", kind, attribute("value", cell.value), text);
}

std::string render(const HtmlTable& table) {
  std::string text =
      fmt::format("<div class=\"scroll\"><table>{}\n<thead><tr>", text_of("caption", table.caption));
  for (const HtmlColumn& column : table.columns)
    text += fmt::format("<th scope=\"col\"{}>{}</th>", column.number ? " class=\"number\"" : "",
                        html_escape(column.heading));
  text += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    text += table.marked == i ? "<tr class=\"marked\">" : "<tr>";
    for (std::size_t j = 0; j < std::min(table.rows[i].size(), table.columns.size()); ++j)
      text += render(table.rows[i][j], table.columns[j]);
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

std::string render(const HtmlSection& section) {
  std::string text = fmt::format("<section>{}\n", text_of("h2", section.heading));
  for (const std::string& note : section.notes) text += text_of("p", note) + "\n";
  for (const HtmlTreemap& map : section.maps) text += render(map);
  for (const HtmlBars& bars : section.bars) text += render(bars);
  for (const HtmlTable& table : section.tables) text += render(table);
  return text + "</section>\n";
}

}  // namespace

const std::vector<std::string>& html_tile_kinds() {
  static const std::vector<std::string> kinds = {"file", "anonymous", "heap", "stack", "shared", "other"};
  return kinds;
}

std::string html_escape(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const Character character = take_character(text);
    if (!character.valid || character.unseen)
      escaped += "\xef\xbf\xbd";
    else if (character.bytes == "&")
      escaped += "&amp;";
    else if (character.bytes == "<")
      escaped += "&lt;";
    else if (character.bytes == ">")
      escaped += "&gt;";
    else if (character.bytes == "\"")
      escaped += "&quot;";
    else if (character.bytes == "'")
      escaped += "&#39;";
    else
      escaped += character.bytes;
  }
  return escaped;
}

std::string render_html(const HtmlPage& page) {
  std::string text =
      fmt::format("{}<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<header>{}\n<dl>\n", kHead,
                  html_escape(page.title), kHtmlStyle, text_of("h1", page.title));
  for (const auto& [label, fact] : page.facts) text += text_of("dt", label) + text_of("dd", fact) + "\n";
  text += "</dl></header>\n<main>\n";
  for (const HtmlSection& section : page.sections) text += render(section);
  return text + fmt::format("</main>\n{}\n</body>\n</html>\n", text_of("footer", page.footer));
}

}  // namespace ckpt
