// Where TOML has characters outside of ASCII.
#include "runtimes/toml_text.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("toml: characters outside of ASCII are taken in quotes and comments only", "[toml]") {
  for (const char* good :
       {"", "a = 1", "a = \"\xc3\xbc\"", "a = '\xc3\xbc' # \xc3\xbc", "# it's \xc3\xbc\na = 1",
        "\"\xc3\xbc\" = 1", "a = \"\"\"\n\xc3\xbc \\\" \"\" \xc3\xbc\n\"\"\"\nb = 1",
        "a = '''\n'\xc3\xbc\n'''",
        "\xef\xbb\xbf"
        "a = 1",
        "a = \"\\\"\xc3\xbc\""}) {
    INFO(good);
    CHECK_FALSE(line_beyond_ascii(good));
  }
  CHECK(line_beyond_ascii("\xc3\xbc = 1") == 1);
  CHECK(line_beyond_ascii("a = 1\nr\xc3\xbc"
                          "ntime = 'x'") == 2);
  CHECK(line_beyond_ascii("a = \"x\"\n[t\xc3\xbcr]") == 2);
  CHECK(line_beyond_ascii("a = \"\"\"\nx\n\"\"\"\n\xc3\xbc = 1") == 4);
  CHECK(line_beyond_ascii("a = \"not closed\n\xc3\xbc = 1") == 2);
  CHECK(line_beyond_ascii("a = '\\'\n\xc3\xbc = 1") == 2);
}
