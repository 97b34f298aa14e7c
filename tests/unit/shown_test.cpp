// What reaches a terminal.
#include "cli/shown.h"

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("shown: text is one line that a terminal only shows", "[shown]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain: 'x' (7)", "plain: 'x' (7)"},
      {"a\nb\tc\rd", "a b c d"},
      {"\x1b[31mred\x1b]0;title\x07", "?[31mred?]0;title?"},
      {std::string("\0\x01\x7f", 3), "???"},
      {"\xc2\x9b"
       "31m",
       "?31m"},                                    // C1's CSI
      {"\xc2\x80\xc2\x9f\xc2\xa0", "??\xc2\xa0"},  // C1 ends before the blank that does not break
      {"\x9b"
       "31m",
       "?31m"},  // a byte that is no UTF-8
      {"Gr\xc3\xbc\xc3\x9f"
       "e \xe2\x82\xac \xf0\x9f\x90\xb3",
       "Gr\xc3\xbc\xc3\x9f"
       "e \xe2\x82\xac \xf0\x9f\x90\xb3"},
      {"\xc3", "?"},                 // cut short
      {"\xc0\x9b", "??"},            // a longer form of ESC
      {"\xe0\x82\x9b", "???"},       // of C1's CSI
      {"\xed\xa0\x80", "???"},       // a surrogate
      {"\xf4\x90\x80\x80", "????"},  // above U+10FFFF
      {"\xe2\x80\xa8line\xe2\x80\xae"
       "back\xe2\x81\xa6",
       "?line?back?"},
      {"", ""}};
  for (const auto& [text, expected] : cases) {
    INFO(expected);
    CHECK(shown(text) == expected);
  }
}

TEST_CASE("shown: JSON reads back as it was, without a control character", "[shown]") {
  const nlohmann::json document = {{"a\x1b", "\x7f|\xc2\x9b|\n|\xc2\xa9"}};
  const std::string text = shown_json(document.dump());
  CHECK(text == "{\"a\\u001b\":\"\\u007f|\\u009b|\\n|\xc2\xa9\"}");
  CHECK(parse_json(text) == document);
}
