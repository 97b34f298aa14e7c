// Codes, exit statuses and names: the contract's table; the JSON form and back.
#include "runtimes/error.h"

#include <signal.h>

#include "runtimes/error_json.h"
#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("error: every code has the contract's status and name") {
  struct Row {
    ErrorCode code;
    int status;
    std::string_view name;
  };
  const std::vector<Row> rows = {{ErrorCode::runtime_failed, 1, "runtime-failed"},
                                 {ErrorCode::usage, 2, "usage"},
                                 {ErrorCode::invalid_config, 2, "invalid-config"},
                                 {ErrorCode::unsupported, 3, "unsupported"},
                                 {ErrorCode::not_found, 4, "not-found"},
                                 {ErrorCode::conflict, 5, "conflict"},
                                 {ErrorCode::gpu_failed, 6, "gpu-failed"},
                                 {ErrorCode::image_invalid, 7, "image-invalid"},
                                 {ErrorCode::busy, 8, "busy"},
                                 {ErrorCode::timeout, 9, "timeout"},
                                 {ErrorCode::verify_failed, 10, "verify-failed"},
                                 {ErrorCode::host_incompatible, 11, "host-incompatible"}};
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(exit_status(row.code) == row.status);
    CHECK(code_name(row.code) == row.name);
    CHECK(Error(row.code, "x").status() == row.status);
  }
}

TEST_CASE("error: an interruption's status is 128 + the signal") {
  CHECK(interrupted_error(SIGINT).status() == 130);
  CHECK(interrupted_error(SIGTERM).status() == 143);
  CHECK(interrupted_error(SIGTERM).message == "interrupted by SIGTERM");
}

TEST_CASE("error: context goes before the message, outermost first") {
  Error error(ErrorCode::busy, "inner");
  error.within("middle").within("outer");
  CHECK(error.message == "outer: middle: inner");
  CHECK(std::string(error.what()) == "outer: middle: inner");
  CHECK(error.code == ErrorCode::busy);
}

TEST_CASE("error: its JSON has exactly the contract's keys") {
  Error error(ErrorCode::image_invalid, "message");
  error.with_hint("hint")
      .with_runtime("runc")
      .with_command({"/runc", "a b"})
      .with_log("/l")
      .with_cause("cause");
  CHECK(error_to_json(error) == nlohmann::json{{"code", "image-invalid"},
                                               {"message", "message"},
                                               {"hint", "hint"},
                                               {"runtime", "runc"},
                                               {"command", {"/runc", "a b"}},
                                               {"log", "/l"},
                                               {"cause", "cause"}});
}

TEST_CASE("error: JSON and back is the same error, for every code") {
  for (int code = 0; code <= static_cast<int>(ErrorCode::interrupted); ++code) {
    Error error(static_cast<ErrorCode>(code), "message");
    error.with_hint("hint").with_runtime("crun").with_command({"x", ""}).with_log("log").with_cause("cause");
    const Error back = error_from_json(error_to_json(error));
    CHECK(back.code == error.code);
    CHECK(error_to_json(back) == error_to_json(error));
  }
}

TEST_CASE("error: an unknown code in JSON is a failure of the runtime") {
  const Error error = error_from_json({{"code", "from-the-future"}, {"message", "m"}});
  CHECK(error.code == ErrorCode::runtime_failed);
  CHECK(error.message == "m");
}
