// When the rounds of a pre-copy end.
#include "commands/pre_copy.h"

#include "tests/unit/support.h"

using namespace ckpt;

TEST_CASE("rounds are a number or auto") {
  REQUIRE(parse_pre_copy("auto"));
  CHECK_FALSE(parse_pre_copy("auto")->exact);
  REQUIRE(parse_pre_copy("12"));
  CHECK(parse_pre_copy("12")->most == 12);
  CHECK(parse_pre_copy("12")->exact);
  for (const char* wrong : {"", "0", "00", "100", "-1", "1.5", "many", " 1"}) {
    INFO(wrong);
    CHECK_FALSE(parse_pre_copy(wrong));
  }
}

TEST_CASE("rounds go on while they shrink, and while there is something to gain") {
  const PreCopyOptions automatic;
  CHECK(another_round(automatic, {}));
  CHECK(another_round(automatic, {100'000}));
  CHECK(another_round(automatic, {100'000, 50'000}));
  CHECK_FALSE(another_round(automatic, {100'000, 90'000}));
  CHECK_FALSE(another_round(automatic, {100'000, 120'000}));
  CHECK_FALSE(another_round(automatic, {100'000, 1'000}));
  CHECK_FALSE(another_round(automatic, {500}));
  CHECK_FALSE(another_round({.most = 3}, {1'000'000, 100'000, 10'000}));
}

TEST_CASE("a number of rounds is kept, however much they write") {
  const PreCopyOptions exact{.most = 2, .exact = true};
  CHECK(another_round(exact, {}));
  CHECK(another_round(exact, {0}));
  CHECK_FALSE(another_round(exact, {10, 1'000'000}));
}
