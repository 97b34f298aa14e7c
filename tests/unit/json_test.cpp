// How much JSON is taken.
#include "runtimes/json.h"

#include "runtimes/json_bounds.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("json: nesting is taken as deep as it is needed, and refused before it can overflow", "[json]") {
  const auto lists = [](std::size_t deep) { return repeated("[", deep) + repeated("]", deep); };
  const auto objects = [](std::size_t deep) { return repeated("{\"a\":", deep) + "1" + repeated("}", deep); };
  CHECK(parse_json(lists(64)).is_array());
  CHECK(parse_json(lists(65)).is_discarded());
  CHECK(parse_json(objects(64)).is_object());
  CHECK(parse_json(objects(65)).is_discarded());
  CHECK(parse_json(lists(500'000)).is_discarded());
  CHECK(parse_json(repeated("[", 500'000)).is_discarded());
  CHECK(parse_json(repeated("[{\"a\":", 200'000)).is_discarded());
  CHECK_THROWS_AS(parse_json_or_throw(lists(200'000)), nlohmann::json::parse_error);
}

TEST_CASE("json: as many values are taken as the bounds say, and no more", "[json]") {
  CHECK(parse_json_within("[1,2,3]", {.depth = 1, .values = 4}).size() == 3);
  CHECK(parse_json_within("[1,2,3]", {.depth = 1, .values = 3}).is_discarded());
  CHECK(parse_json_within("{\"a\":1}", {.depth = 1, .values = 3}).is_object());
  CHECK(parse_json_within("{\"a\":1}", {.depth = 1, .values = 2}).is_discarded());
  CHECK(parse_json("[" + repeated("[],", 400'000) + "0]").is_discarded());
  CHECK(parse_json("[" + repeated("0,", 300'000) + "0]").size() == 300'001);
}

TEST_CASE("json: what is no JSON is told as before", "[json]") {
  for (const char* text : {"", "{", "[1,]", "nul", "\"\xff\"", "1e999", "{} {}"}) {
    INFO(text);
    CHECK(parse_json(text).is_discarded());
  }
  CHECK_THROWS_AS(parse_json_or_throw("{"), nlohmann::json::parse_error);
}
