// Where CRIU's log is when its configuration moves it; what is told of a log that is another command's.
#include "runtimes/criu_log.h"

#include "runtimes/diagnosis.h"
#include "runtimes/fs.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("criu log: the log-file of a configuration, in each form that CRIU takes") {
  const std::pair<const char*, const char*> named[] = {
      {"log-file mine.log\n", "mine.log"},
      {"log-file=mine.log", "mine.log"},
      {"--log-file=mine.log\n", "mine.log"},
      {"  log-file\t/tmp/criu.log  # here\r\n", "/tmp/criu.log"},
      {"log-file \"with space.log\"\n", "with space.log"},
      {"tcp-close\nlog-file a\nlog-file b\nv4\n", "b"}};
  for (const auto& [text, name] : named) {
    INFO(text);
    CHECK(configured_log(text) == name);
  }
  for (const char* text : {"", "log-file", "log-file \n", "log-file=\n", "# log-file mine.log\n",
                           "log-files x\n", "no-log-file x\n", "display-stats\n"}) {
    INFO(text);
    CHECK(configured_log(text) == std::nullopt);
  }
}

TEST_CASE("criu log: the file that the container's annotation names wins, in the work directory") {
  const TempDir dir;
  const fs::path asked = dir.path() / "work/dump.log";
  write_file_atomic(dir.path() / "criu.conf", "ghost-limit 4096\nlog-file=mine.log\n");
  write_file_atomic(dir.path() / "other.conf", "ghost-limit 4096\n");
  const auto log = [&](const std::string& annotated) {
    return criu_log_of(RuntimeKind::runc, annotated, asked);
  };
  CHECK(log((dir.path() / "criu.conf").string()) == dir.path() / "work/mine.log");
  CHECK(log((dir.path() / "other.conf").string()) == asked);
  CHECK(log((dir.path() / "absent.conf").string()) == asked);
  write_file_atomic(dir.path() / "criu.conf", "log-file /tmp/elsewhere.log\n");
  CHECK(log((dir.path() / "criu.conf").string()) == "/tmp/elsewhere.log");
}

TEST_CASE("criu log: a disk with room is not full") {
  const TempDir dir;
  CHECK(full_disk_of(dir.path() / "dump.log") == std::nullopt);
  CHECK(full_disk_of(dir.path() / "absent/dump.log") == std::nullopt);
  const CatalogueEntry* entry = find_entry("the disk of '/srv/store' is full");
  REQUIRE(entry != nullptr);
  CHECK(entry->reason == "disk-full");
}

TEST_CASE("criu log: only a log that the command itself wrote explains its failure") {
  const TempDir dir;
  const fs::path log = dir.path() / "dump.log";
  write_file_atomic(log, "(00.1) Error (criu/sk-inet.c:1): inet: Connected TCP socket, consider\n");
  Error fresh(ErrorCode::runtime_failed, "it failed");
  explain_by_log(fresh, log, 1);
  CHECK(contains(fresh.message, "established TCP connection (line 1: inet: Connected TCP socket, consider)"));
  CHECK(fresh.cause == "(00.1) Error (criu/sk-inet.c:1): inet: Connected TCP socket, consider");
  CHECK(fresh.log == log.string());
  fs::last_write_time(log, fs::file_time_type::clock::now() - std::chrono::hours(1));
  Error stale(ErrorCode::runtime_failed, "it failed");
  explain_by_log(stale, log, 1);
  CHECK(stale.message == "it failed");
  CHECK(stale.log.empty());
}
