// Rendering a page in HTML: hostile text, whole markup, what is shown of numbers.
#include "commands/html_page.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

const std::string kHostile = "</td><script>alert('1')</script>\" onload=\"x\x1b\n";
constexpr const char* kReplaced = "\xef\xbf\xbd";

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

/// Each element that is opened is closed in its order; the name of the first that is not.
std::string unbalanced(std::string_view page) {
  std::vector<std::string> open;
  for (std::size_t at = 0; (at = page.find('<', at)) != page.npos; ++at) {
    const std::string tag(page.substr(at + 1, page.find_first_of(" >\n", at) - at - 1));
    if (tag == "!DOCTYPE" || tag == "meta") continue;
    if (!tag.starts_with('/'))
      open.push_back(tag);
    else if (open.empty() || open.back() != tag.substr(1))
      return tag;
    else
      open.pop_back();
  }
  return open.empty() ? "" : open.back();
}

/// Everything that a page can have, with `text` wherever text goes.
HtmlPage page_with(const std::string& text) {
  const HtmlTile tile{.label = text, .detail = text, .title = text, .kind = text, .weight = 2};
  const HtmlTreemap map{.caption = text,
                        .groups = {{.label = text, .detail = text, .tiles = {tile}}},
                        .legend = {{text, text}}};
  const HtmlBars bars{.caption = text,
                      .bars = {{.text = text, .title = text, .value = 1, .marked = true}},
                      .first = text,
                      .last = text};
  const HtmlTable table{
      .caption = text, .columns = {{text}, {text, true}}, .rows = {{{text}, {text, text}}}, .marked = 0};
  return {.title = text,
          .facts = {{text, text}},
          .sections = {{.heading = text, .notes = {text}, .maps = {map}, .bars = {bars}, .tables = {table}}},
          .footer = text};
}

}  // namespace

TEST_CASE("html: text that would be markup, and text that is none") {
  CHECK(html_escape("a<b>&\"c\"'") == "a&lt;b&gt;&amp;&quot;c&quot;&#39;");
  CHECK(html_escape("/srv/\xc3\xa4 \xe6\x97\xa5 \xf0\x9f\x90\x8b") ==
        "/srv/\xc3\xa4 \xe6\x97\xa5 \xf0\x9f\x90\x8b");
  CHECK(html_escape(std::string_view("a\0b", 3)) == fmt::format("a{}b", kReplaced));
  CHECK(html_escape("\x1b[1m\n\x7f") == fmt::format("{0}[1m{0}{0}", kReplaced));
  CHECK(html_escape("\xc2\x9bx") == fmt::format("{}x", kReplaced));            // a control of C1
  CHECK(html_escape("gpj.\xe2\x80\xae") == fmt::format("gpj.{}", kReplaced));  // right to left from here on
  CHECK(html_escape("\xe2\x81\xa6x") == fmt::format("{}x", kReplaced));        // an isolate
  CHECK(html_escape("\xe2\x80\x94") == "\xe2\x80\x94");                        // a dash
  CHECK(html_escape("a\xff<") == fmt::format("a{}&lt;", kReplaced));           // no UTF-8
  CHECK(html_escape("\xc3").find('\xc3') == std::string::npos);                // cut short
  CHECK(html_escape("\xc0\xbcscript").find("<") == std::string::npos);         // an overlong one
}

TEST_CASE("html: hostile text is text wherever it stands") {
  const std::string page = render_html(page_with(kHostile)),
                    plain = render_html(page_with(std::string(kHostile.size(), 'x')));
  CHECK_FALSE(contains(page, "<script"));
  CHECK_FALSE(contains(page, "alert('"));
  CHECK_FALSE(contains(page, "\" onload"));
  CHECK(count_of(page, "&lt;script&gt;") > 20);
  CHECK(count_of(page, "<") == count_of(plain, "<"));
  CHECK(count_of(page, "\"") == count_of(plain, "\""));
  CHECK(unbalanced(page).empty());
}

TEST_CASE("html: a page loads nothing, and says so to the browser") {
  const std::string page = render_html(page_with("x"));
  CHECK(contains(
      page,
      "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'"));
  for (const char* word : {"src=", "href=", "url(", "@import", "http:", "https:", "<link", "<form"})
    CHECK_FALSE(contains(page, word));
  CHECK(contains(page, "prefers-color-scheme: dark"));
}

TEST_CASE("html: an empty page is whole as well") {
  CHECK(unbalanced(render_html({})).empty());
  HtmlPage page = page_with("");
  page.sections[0].maps[0].groups.clear();
  page.sections[0].bars[0].bars.clear();
  page.sections[0].tables[0].rows.clear();
  CHECK(unbalanced(render_html(page)).empty());
}

TEST_CASE("html: tiles have their share of the area, what is not saved is paler") {
  const HtmlTreemap map{
      .caption = "m",
      .groups = {{.label = "g",
                  .detail = "d",
                  .tiles = {{.label = "big", .kind = "heap", .weight = 3},
                            {.label = "none", .kind = "heap", .weight = 0},
                            {.label = "half", .kind = "vvar", .weight = 1, .full = 0.5, .half = 0.25}}}},
      .legend = {{"heap", "heap 3 B"}}};
  const std::string page = render_html({.sections = {{.heading = "s", .notes = {}, .maps = {map}}}});
  CHECK(contains(page, "class=\"tile heap\" style=\"left:0.000%;top:0.000%;width:75.000%;height:100.000%\""));
  CHECK(contains(page,
                 "class=\"tile other part\" "
                 "style=\"left:75.000%;top:0.000%;width:25.000%;height:100.000%;--a:50.00%;--b:75.00%\""));
  CHECK_FALSE(contains(page, ">none<"));
  CHECK(contains(page, "<i class=\"heap\"></i>heap 3 B"));
}

TEST_CASE("html: numbers keep their exact value, the marked row its mark") {
  const HtmlTable table{.caption = "t",
                        .columns = {{"Name"}, {"Size", true}},
                        .rows = {{{"a"}, {"1.0 kB", "1024"}}, {{"b"}, {"-"}, {"a cell too many"}}},
                        .marked = 1};
  const std::string page = render_html({.sections = {{.heading = "s", .notes = {}, .tables = {table}}}});
  CHECK(contains(page, "<th scope=\"col\" class=\"number\">Size</th>"));
  CHECK(contains(page, "<tr><td>a</td><td class=\"number\"><data value=\"1024\">1.0 kB</data></td></tr>"));
  CHECK(contains(page, "<tr class=\"marked\"><td>b</td><td class=\"number\">-</td></tr>"));
}
