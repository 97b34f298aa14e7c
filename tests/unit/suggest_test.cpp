// Suggestions: how near a word has to be, and which comes first.
#include "runtimes/suggest.h"

#include "support.h"

using namespace ckpt;

TEST_CASE("suggest: two edits for long words, one for short ones, the nearest first, at most three") {
  using Words = std::vector<std::string>;
  CHECK(suggestions("chekpoint", {"restore", "checkpoint"}) == Words{"checkpoint"});
  CHECK(suggestions("lsit", {"list", "last", "delete"}) == Words{"list", "last"});
  CHECK(suggestions("gpu", {"gpt", "gtx"}) == Words{"gpt"});
  CHECK(suggestions("aaaa", {"aaab", "aabb", "aaac", "aaaa"}) == Words{"aaaa", "aaab", "aaac"});
  CHECK(suggestions("", {"a", "bb"}) == Words{"a"});
  CHECK(suggestions("x", {}).empty());
}

TEST_CASE("suggest: the question, or nothing") {
  CHECK(did_you_mean("runcc", {"runc", "crun"}) == "; did you mean 'runc'?");
  CHECK(did_you_mean("aaaa", {"aaab", "aaac"}) == "; did you mean 'aaab' or 'aaac'?");
  CHECK(did_you_mean("docker", {"runc"}).empty());
}
