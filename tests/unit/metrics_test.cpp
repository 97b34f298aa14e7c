// Metrics: the text, reading it back, what a checkpoint and a failure change.
#include "commands/metrics.h"

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using nlohmann::json;

namespace {

json result(const std::string& id, const std::string& runtime) {
  return {{"id", id},
          {"runtime", runtime},
          {"bytes", 4096},
          {"seconds",
           {{"total", 1.5}, {"frozen", 0.25}, {"freeze_gpu", 0.0}, {"runtime", 0.5}, {"publish", 0.125}}}};
}

Error failure(ErrorCode code, const std::string& runtime = "runc") {
  return Error(code, "failed").with_runtime(runtime);
}

constexpr const char* kBoth = R"(# Written by ckpt checkpoint --metrics-file. Leave it to ckpt.
# HELP ckpt_checkpoint_last_success_timestamp_seconds When the last checkpoint that succeeded ended.
# TYPE ckpt_checkpoint_last_success_timestamp_seconds gauge
ckpt_checkpoint_last_success_timestamp_seconds{container="web",runtime="runc"} 1764000000
# HELP ckpt_checkpoint_seconds How long the parts of the last checkpoint that succeeded took.
# TYPE ckpt_checkpoint_seconds gauge
ckpt_checkpoint_seconds{container="web",runtime="runc",phase="freeze_gpu"} 0
ckpt_checkpoint_seconds{container="web",runtime="runc",phase="frozen"} 0.25
ckpt_checkpoint_seconds{container="web",runtime="runc",phase="publish"} 0.125
ckpt_checkpoint_seconds{container="web",runtime="runc",phase="runtime"} 0.5
ckpt_checkpoint_seconds{container="web",runtime="runc",phase="total"} 1.5
# HELP ckpt_checkpoint_bytes Size of the last checkpoint that succeeded.
# TYPE ckpt_checkpoint_bytes gauge
ckpt_checkpoint_bytes{container="web",runtime="runc"} 4096
# HELP ckpt_checkpoint_failures_total Checkpoints that failed.
# TYPE ckpt_checkpoint_failures_total counter
ckpt_checkpoint_failures_total{container="db",runtime="runsc",code="busy"} 2
ckpt_checkpoint_failures_total{container="db",runtime="runsc",code="timeout"} 1
# HELP ckpt_checkpoint_last_exit_status Exit status of the last checkpoint, 0 when it succeeded.
# TYPE ckpt_checkpoint_last_exit_status gauge
ckpt_checkpoint_last_exit_status{container="db",runtime="runsc"} 8
ckpt_checkpoint_last_exit_status{container="web",runtime="runc"} 0
)";

}  // namespace

TEST_CASE("metrics: one that succeeded and one that failed, as text and back") {
  Series series;
  count_success(series, result("web", "runc"), 1'764'000'000);
  for (const ErrorCode code : {ErrorCode::busy, ErrorCode::timeout, ErrorCode::busy})
    count_failure(series, "db", failure(code, "runsc"));
  CHECK(render_metrics(series) == kBoth);
  CHECK(parse_metrics(kBoth) == series);
  CHECK(parse_metrics("").empty());
}

TEST_CASE("metrics: the next checkpoint replaces the gauges, and counts failures on") {
  Series series = parse_metrics(kBoth);
  count_success(series, result("db", "runsc"), 1'764'000'600);
  count_failure(series, "web", interrupted_error(SIGTERM).with_runtime("runc"));
  const auto value = [&](const std::string& name) { return series.at(name); };
  CHECK(value(R"(ckpt_checkpoint_last_exit_status{container="db",runtime="runsc"})") == 0);
  CHECK(value(R"(ckpt_checkpoint_failures_total{container="db",runtime="runsc",code="busy"})") == 2);
  CHECK(value(R"(ckpt_checkpoint_last_exit_status{container="web",runtime="runc"})") == 143);
  CHECK(value(R"(ckpt_checkpoint_failures_total{container="web",runtime="runc",code="interrupted"})") == 1);
  CHECK(value(R"(ckpt_checkpoint_last_success_timestamp_seconds{container="web",runtime="runc"})") ==
        1'764'000'000);
}

TEST_CASE("metrics: a failure before the runtime was known") {
  Series series = parse_metrics(kBoth);
  count_failure(series, "db", failure(ErrorCode::not_found, ""));
  CHECK(series.at(R"(ckpt_checkpoint_failures_total{container="db",runtime="runsc",code="not-found"})") == 1);
  count_failure(series, "new", failure(ErrorCode::not_found, ""));
  count_failure(series, "new", failure(ErrorCode::not_found, ""));
  CHECK(series.at(R"(ckpt_checkpoint_failures_total{container="new",runtime="unknown",code="not-found"})") ==
        2);
  count_success(series, result("new", "crun"), 1);
  CHECK(series.at(R"(ckpt_checkpoint_failures_total{container="new",runtime="crun",code="not-found"})") == 2);
  CHECK(series.at(R"(ckpt_checkpoint_last_exit_status{container="new",runtime="crun"})") == 0);
  CHECK_FALSE(contains(render_metrics(series), "unknown"));
}

TEST_CASE("metrics: label values are escaped") {
  Series series;
  count_failure(series, "a\"b\\c\nd", failure(ErrorCode::busy));
  CHECK(contains(render_metrics(series), R"({container="a\"b\\c\nd",runtime="runc",code="busy"} 1)"));
  CHECK(parse_metrics(render_metrics(series)) == series);
}

TEST_CASE("metrics: what ckpt did not write is refused, and the line named") {
  const std::string first = std::string(kBoth).substr(0, std::string(kBoth).find('\n') + 1);
  CHECK(contains(error_of([&] { parse_metrics("node_up 1\n"); }).message, "line 1"));
  for (const char* line :
       {"node_up 1", "", "# a comment", "ckpt_checkpoint_bytes 1", "ckpt_checkpoint_bytes{container=\"a\"} 1",
        "ckpt_checkpoint_bytes{container=\"a\",runtime=\"b\",phase=\"c\"} 1",
        "ckpt_checkpoint_bytes{container=\"a\",runtime=\"b\"} x",
        "ckpt_checkpoint_bytes{container=\"a\",runtime=\"b\"} nan",
        "ckpt_checkpoint_bytes{container=\"a\",runtime=\"b\"} 1 2",
        "ckpt_checkpoint_bytes{container=\"a\\x\",runtime=\"b\"} 1",
        "ckpt_checkpoint_bytes{container=\"a,runtime=\"b\"} 1", "# HELP ckpt_checkpoint_bytes",
        "ckpt_checkpoint_seconds{container=\"a\",runtime=\"b\"} 1"}) {
    INFO(line);
    const Error error = error_of([&] { parse_metrics(first + line + "\n"); });
    CHECK(error.code == ErrorCode::conflict);
    CHECK(contains(error.message, "line 2"));
  }
}

TEST_CASE("metrics: many at once lose nothing, and everybody may read the file") {
  const TempDir dir;
  const fs::path file = dir / "ckpt.prom";
  std::vector<pid_t> children;
  for (int child = 0; child < 8; ++child)
    children.push_back(fork_with([&] {
      for (int i = 0; i < 20; ++i)
        MetricsFile(file).failed("c" + std::to_string(child % 4), failure(ErrorCode::busy));
      return 0;
    }));
  for (const pid_t child : children) CHECK(wait_status(child) == 0);
  const Series series = parse_metrics(read_file(file).value());
  for (int i = 0; i < 4; ++i)
    CHECK(series.at(fmt::format(
              R"(ckpt_checkpoint_failures_total{{container="c{}",runtime="runc",code="busy"}})", i)) == 40);
  struct stat info = {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0644);
  CHECK(std::distance(fs::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("metrics: a file that cannot be ours is refused and left alone") {
  const TempDir dir;
  const std::string foreign = dir.file("node.prom", "node_up 1\n");
  CHECK(error_of([&] { MetricsFile{foreign}; }).code == ErrorCode::conflict);
  CHECK(contains(error_of([&] { MetricsFile{foreign}; }).message, "line 1 is not of ckpt's"));
  CHECK(read_file(foreign) == "node_up 1\n");
  fs::create_symlink(foreign, dir / "link");
  CHECK(contains(error_of([&] { MetricsFile{dir / "link"}; }).message, "no regular file"));
  CHECK(error_of([&] { MetricsFile{dir.path()}; }).code == ErrorCode::conflict);
  CHECK(error_of([&] { MetricsFile{dir / "none" / "a.prom"}; }).code == ErrorCode::usage);
  MetricsFile{dir / "new.prom"};
  CHECK_FALSE(fs::exists(dir / "new.prom"));
}
