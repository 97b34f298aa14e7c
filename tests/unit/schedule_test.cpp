// Random starts, and which failures are worth another try.
#include "commands/schedule.h"

#include <set>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("schedule: a random start is below the limit, and not always the same") {
  CHECK(random_below(milliseconds(0)) == milliseconds(0));
  CHECK(random_below(milliseconds(1)) == milliseconds(0));
  std::set<milliseconds> seen;
  for (int i = 0; i < 1000; ++i) {
    const milliseconds one = random_below(milliseconds(10));
    REQUIRE(one >= milliseconds(0));
    REQUIRE(one < milliseconds(10));
    seen.insert(one);
  }
  CHECK(seen.size() == 10);
}

TEST_CASE("schedule: a second, two, four, at most a minute") {
  const std::vector<int> expected{1, 2, 4, 8, 16, 32, 60, 60};
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(delay_after(i + 1) == seconds(expected[i]));
  CHECK(delay_after(99) == seconds(60));
}

TEST_CASE("schedule: which failures may pass") {
  struct Row {
    ErrorCode code;
    const char* cause;
    bool may;
  };
  for (const Row& row : {
           Row{ErrorCode::runtime_failed, "", true},
           Row{ErrorCode::runtime_failed, "Error (criu/new.c:1): never seen before", true},
           Row{ErrorCode::timeout, "", true},
           Row{ErrorCode::runtime_failed, "Error (criu/sk-inet.c:1): Connected TCP socket", false},
           Row{ErrorCode::runtime_failed, "Error (criu/mount.c:1): Nested mount namespaces", false},
           Row{ErrorCode::runtime_failed,
               "Error (criu/file-lock.c:1): Some file locks are hold by dumping tasks!", true},
           Row{ErrorCode::runtime_failed, "Error (criu/files-reg.c:1): Can't dump ghost file /x of 2 size",
               true},
           Row{ErrorCode::conflict, "", false},
           Row{ErrorCode::busy, "", false},
           Row{ErrorCode::gpu_failed, "", false},
           Row{ErrorCode::unsupported, "", false},
           Row{ErrorCode::interrupted, "", false},
       }) {
    INFO(code_name(row.code) << " " << row.cause);
    CHECK(may_pass(Error(row.code, "failed").with_cause(row.cause)) == row.may);
  }
  CHECK_FALSE(may_pass(NoRetryError(Error(ErrorCode::runtime_failed, "'c' is taken, but"))));
}
