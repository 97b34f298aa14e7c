// Container records: kept, found, damaged, ended; and whether the monitor is still the one recorded.
#include "runtimes/record.h"

#include <signal.h>
#include <sys/time.h>

#include <algorithm>

#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

Record full_record() {
  Record r;
  r.id = "c1";
  r.target = {RuntimeKind::runsc,       "/usr/bin/runsc", "/run/gvisor", "systrap", true,
              {"--network=none", "a b"}};
  r.bundle = "/srv/b";
  r.config_digest = "abc";
  r.log_path = "/var/log/c1";
  r.created = "2026-11-21T20:48:22Z";
  r.terminal = true;
  r.attached = true;
  r.stdio_pipes = false;
  r.pid = 77;
  r.monitor = 76;
  r.monitor_start = 123456789012;
  return r;
}

void check_equal(const Record& a, const Record& b) {
  CHECK(a.id == b.id);
  CHECK(a.target.kind == b.target.kind);
  CHECK(a.target.path == b.target.path);
  CHECK(a.target.root == b.target.root);
  CHECK(a.target.platform == b.target.platform);
  CHECK(a.target.runtime_args == b.target.runtime_args);
  CHECK(a.bundle == b.bundle);
  CHECK(a.config_digest == b.config_digest);
  CHECK(a.log_path == b.log_path);
  CHECK(a.created == b.created);
  CHECK(a.terminal == b.terminal);
  CHECK(a.attached == b.attached);
  CHECK(a.stdio_pipes == b.stdio_pipes);
  CHECK(a.pid == b.pid);
  CHECK(a.monitor == b.monitor);
  CHECK(a.monitor_start == b.monitor_start);
}

Record record_of(RuntimeKind kind, const std::string& root, const std::string& id) {
  Record r;
  r.id = id;
  r.target = {.kind = kind, .path = "/x", .root = root};
  return r;
}

}  // namespace

TEST_CASE("record: what is saved is loaded again, every field") {
  const TempDir dir;
  const Records records(dir.path());
  records.save(full_record());
  const auto loaded = records.load(RuntimeKind::runsc, "/run/gvisor", "c1");
  REQUIRE(loaded);
  check_equal(*loaded, full_record());
  records.save(record_of(RuntimeKind::runc, "/run/runc", "plain"));
  check_equal(records.load(RuntimeKind::runc, "/run/runc", "plain").value(),
              record_of(RuntimeKind::runc, "/run/runc", "plain"));
}

TEST_CASE("record: it lies under its runtime and root, private") {
  const TempDir dir;
  const Records records(dir.path());
  records.save(full_record());
  const fs::path home = records.directory(full_record());
  CHECK(home.filename() == "c1");
  CHECK(home.parent_path().filename().string().starts_with("runsc-"));
  CHECK(home.parent_path().parent_path() == dir / "containers");
  CHECK(fs::status(home).permissions() == fs::perms::owner_all);
  CHECK(fs::status(home / "record.json").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("record: the same id under another runtime or root is another container") {
  const TempDir dir;
  const Records records(dir.path());
  records.save(record_of(RuntimeKind::runc, "/run/runc", "c1"));
  CHECK_FALSE(records.load(RuntimeKind::crun, "/run/runc", "c1"));
  CHECK_FALSE(records.load(RuntimeKind::runc, "/other", "c1"));
  records.save(record_of(RuntimeKind::runc, "/other", "c1"));
  records.save(record_of(RuntimeKind::runsc, "/run/gvisor", "c2"));
  CHECK(records.of_id("c1").size() == 2);
  CHECK(records.of_id("c2").size() == 1);
  CHECK(records.of_id("none").empty());
  CHECK(records.all().size() == 3);
}

TEST_CASE("record: none yet is none, not an error") {
  const TempDir dir;
  const Records records(dir / "state");
  CHECK(records.all().empty());
  CHECK(records.of_id("c1").empty());
  CHECK_FALSE(records.load(RuntimeKind::runc, "/run/runc", "c1"));
  CHECK_FALSE(records.exit(full_record()));
}

TEST_CASE("record: a damaged one is as if it were not there, the others are read") {
  const TempDir dir;
  const Records records(dir.path());
  const Record good = record_of(RuntimeKind::runc, "/run/runc", "good");
  records.save(good);
  for (const char* damage : {"", "{", "[]", "7", "{}", R"({"runtime":"docker"})", R"({"runtime":"runc"})",
                             R"({"runtime":7})", R"({"runtime":"runc","id":5})", "\xff\xfe"}) {
    const Record bad = record_of(RuntimeKind::runc, "/run/runc", "bad");
    fs::create_directories(records.directory(bad));
    std::ofstream(records.directory(bad) / "record.json") << damage;
    INFO(damage);
    CHECK_FALSE(records.load(RuntimeKind::runc, "/run/runc", "bad"));
    CHECK(records.of_id("bad").empty());
    REQUIRE(records.all().size() == 1);
    CHECK(records.all()[0].id == "good");
  }
}

TEST_CASE("record: stray files beside the records disturb nothing") {
  const TempDir dir;
  const Records records(dir.path());
  records.save(full_record());
  dir.file("containers/stray");
  fs::create_directories(dir / "containers/empty-dir");
  CHECK(records.all().size() == 1);
  CHECK(records.of_id("c1").size() == 1);
}

TEST_CASE("record: removing takes the directory, and its parent when it was the last") {
  const TempDir dir;
  const Records records(dir.path());
  const Record one = record_of(RuntimeKind::runc, "/run/runc", "one"),
               two = record_of(RuntimeKind::runc, "/run/runc", "two");
  records.save(one);
  records.save(two);
  records.remove(one);
  CHECK_FALSE(fs::exists(records.directory(one)));
  CHECK(fs::exists(records.directory(two)));
  records.remove(two);
  CHECK(fs::is_empty(dir / "containers"));
  CHECK_NOTHROW(records.remove(two));
}

TEST_CASE("record: an end is kept with its status, or without one") {
  const TempDir dir;
  const Records records(dir.path());
  const Record r = full_record();
  records.save(r);
  records.save_exit(r, {.status = 137, .finished = "2026-11-21T20:48:22Z", .checkpointed_to = ""});
  const auto ended = records.exit(r);
  REQUIRE(ended);
  CHECK(ended->status == 137);
  CHECK(ended->finished == "2026-11-21T20:48:22Z");
  CHECK(ended->checkpointed_to.empty());
  records.save_exit(r, {.status = std::nullopt, .finished = "x", .checkpointed_to = ""});
  CHECK_FALSE(records.exit(r)->status);
}

TEST_CASE("record: a container that a checkpoint stops has not ended by itself") {
  const TempDir dir;
  const Records records(dir.path());
  const Record r = full_record();
  records.save(r);
  records.mark_stopping(r, "/store/c1/x");
  records.save_exit(r, {.status = 137, .finished = "x", .checkpointed_to = ""});
  CHECK(records.exit(r)->checkpointed_to == "/store/c1/x");
}

TEST_CASE("record: a checkpoint that failed takes its mark back") {
  const TempDir dir;
  const Records records(dir.path());
  const Record r = full_record();
  records.save(r);
  records.mark_stopping(r, "/store/c1/x");
  records.mark_stopping(r, "");
  records.save_exit(r, {.status = 0, .finished = "x", .checkpointed_to = ""});
  CHECK(records.exit(r)->checkpointed_to.empty());
  CHECK_NOTHROW(records.mark_stopping(r, ""));
}

TEST_CASE("record: the end of a container that was deleted meanwhile is not written") {
  const TempDir dir;
  const Records records(dir.path());
  records.save_exit(full_record(), {.status = 0, .finished = "x", .checkpointed_to = ""});
  CHECK_FALSE(fs::exists(records.directory(full_record())));
}

TEST_CASE("record: a damaged end is none") {
  const TempDir dir;
  const Records records(dir.path());
  const Record r = full_record();
  records.save(r);
  for (const char* damage : {"", "{", "[]", R"({"finished":7})", R"({"checkpointed_to":[]})"}) {
    std::ofstream(records.directory(r) / "exit.json") << damage;
    INFO(damage);
    CHECK_FALSE(records.exit(r));
  }
}

TEST_CASE("record: the monitor is alive only as the very process that was recorded") {
  Record r = full_record();
  r.monitor = ::getpid();
  r.monitor_start = process_stat(::getpid())->start_time;
  CHECK(monitor_alive(r));
  r.monitor_start += 1;
  CHECK_FALSE(monitor_alive(r));
  r.monitor = 0;
  CHECK_FALSE(monitor_alive(r));
}

TEST_CASE("record: waiting for the monitor ends with it, or with the time") {
  Pipe stay = make_pipe();
  const pid_t child = fork_with([&] {
    stay.write.reset();
    char byte = 0;
    return static_cast<int>(::read(stay.read.get(), &byte, 1));
  });
  Record r = full_record();
  r.monitor = child;
  r.monitor_start = process_stat(child)->start_time;
  CHECK(monitor_alive(r));
  CHECK_FALSE(wait_for_monitor(r, 30));
  stay.write.reset();
  CHECK(wait_for_monitor(r, 10'000));
  CHECK_FALSE(monitor_alive(r));  // a zombie by now
  CHECK(wait_status(child) == 0);
  CHECK(wait_for_monitor(r, 10'000));
}

TEST_CASE("record: a signal meanwhile does not pass for the monitor's end") {
  const pid_t child = fork_with([] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    Record r = full_record();
    r.monitor = ::getppid();
    r.monitor_start = process_stat(::getppid())->start_time;
    const itimerval soon{.it_interval = {.tv_sec = 0, .tv_usec = 20'000},
                         .it_value = {.tv_sec = 0, .tv_usec = 20'000}};
    ::setitimer(ITIMER_REAL, &soon, nullptr);
    return wait_for_monitor(r, 200) ? 1 : 0;
  });
  CHECK(wait_status(child) == 0);
}
