// Sizes and shares, as users write them.
#include "commands/parse.h"

#include "support.h"

using namespace ckpt;

TEST_CASE("parse: sizes in powers of 1024 and of 1000") {
  const std::map<std::string, std::uint64_t> good = {{"0", 0},
                                                     {"7", 7},
                                                     {"7B", 7},
                                                     {"1K", 1024},
                                                     {"1k", 1024},
                                                     {"500M", 500U << 20U},
                                                     {"1.5G", 3ULL << 29U},
                                                     {"2GiB", 2ULL << 30U},
                                                     {"1T", 1ULL << 40U},
                                                     {"3GB", 3'000'000'000},
                                                     {"1kb", 1000},
                                                     {"2P", 2ULL << 50U}};
  for (const auto& [text, bytes] : good) {
    INFO(text);
    CHECK(parse_size(text) == bytes);
  }
  for (const char* text :
       {"", "G", "-1", "1 G", "1GG", "1GiBs", "1X", "10%", "nan", "inf", "1e30", "9999999P", "1BB", "1iB"}) {
    INFO(text);
    CHECK_FALSE(parse_size(text));
  }
}

TEST_CASE("parse: shares") {
  CHECK(parse_percent("0%") == 0);
  CHECK(parse_percent("12.5%") == 12.5);
  CHECK(parse_percent("100%") == 100);
  for (const char* text : {"", "%", "10", "101%", "-1%", "10%%", "nan%", "10 %"}) {
    INFO(text);
    CHECK_FALSE(parse_percent(text));
  }
}
