// What stands in the way of a checkpoint.
#include "commands/obstacles.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Status = Check::Status;

struct Subject {
  RuntimeKind kind = RuntimeKind::runc;
  Findings findings = {};
  CheckpointOpts opts = {};
  bool stop = true;
  bool own_network = true;
  WatchedFiles watches = {};

  std::vector<Check> judge() const {
    Case one{id, table_of(kind), findings, opts, stop, own_network};
    one.watches = watches;
    return obstacles(one);
  }
  std::vector<Check> judge(const CloserFindings& found) const {
    return closer_obstacles({id, table_of(kind), findings, opts, stop, own_network}, found);
  }
  std::string id = "c1";
};

std::string those(const std::vector<Check>& checks, Status status) {
  std::string names;
  for (const Check& check : checks)
    if (check.status == status) names += (names.empty() ? "" : " ") + check.name;
  return names;
}

Check named(const std::vector<Check>& checks, const std::string& name) {
  for (const Check& check : checks)
    if (check.name == name) return check;
  FAIL("no check " << name);
  return {};
}

}  // namespace

TEST_CASE("obstacles: a container with nothing special has none") {
  const Subject subject;
  CHECK(those(subject.judge(), Status::ok) ==
        "exec-sessions stdio deleted-files ghost-files tcp file-locks watches pid-namespace");
  CHECK(those(subject.judge({}), Status::ok) ==
        "io-uring devices unix-streams tracer namespaces kernel-objects sockets users personality inotify "
        "unix-datagrams udp sessions");
  for (const Check& check : subject.judge()) {
    CHECK(check.area == "c1");
    CHECK(check.fix.empty());
  }
}

TEST_CASE("obstacles: all that is wrong is told at once, each with what helps") {
  Subject subject;
  subject.findings.bad_stdio = {"stdout of 'sh' (pid 7) is '/log', opened outside the container"};
  subject.findings.linked_deleted = {"'/a' of 'app' (pid 8)"};
  subject.findings.connections = {"127.0.0.1:80 -> 127.0.0.1:4000"};
  const std::vector<Check> checks = subject.judge();
  CHECK(those(checks, Status::fails) == "stdio deleted-files tcp");
  for (const Check& check : checks) CHECK(check.fix.empty() == (check.status != Status::fails));
  CHECK(contains(named(checks, "tcp").found, "127.0.0.1:80 -> 127.0.0.1:4000"));
}

TEST_CASE("obstacles: what an option allows is none") {
  Subject subject{.kind = RuntimeKind::crun};
  subject.findings.bad_stdio = {"stdin of 'sh' (pid 7) is '/dev/pts/1', opened outside the container"};
  subject.findings.linked_deleted = {"'/a' of 'app' (pid 8)"};
  subject.findings.connections = {"127.0.0.1:80 -> 127.0.0.1:4000"};
  subject.opts = {.allow_open_tcp = true, .link_remap = true, .shell_job = true};
  CHECK(those(subject.judge(), Status::fails).empty());
  subject.stop = false;
  CHECK(those(subject.judge(), Status::fails) == "deleted-files");
}

TEST_CASE("obstacles: runc and connections in a network namespace of its own making") {
  Subject subject;
  subject.findings.connections = {"127.0.0.1:80 -> 127.0.0.1:4000"};
  subject.opts.allow_open_tcp = true;
  CHECK(contains(named(subject.judge(), "tcp").fix, "--tcp close"));
  subject.opts.tcp_close = true;
  CHECK(named(subject.judge(), "tcp").status == Status::warning);
  subject.opts.tcp_close.reset();
  subject.own_network = false;
  CHECK(named(subject.judge(), "tcp").status == Status::ok);
}

TEST_CASE("obstacles: connections are within when both ends of each are there") {
  const std::string there = "127.0.0.1:80 -> 127.0.0.1:4000", back = "127.0.0.1:4000 -> 127.0.0.1:80";
  CHECK(within({}));
  CHECK(within({there, back}));
  CHECK(within({back, "[0]:1 -> [0]:2", there, "[0]:2 -> [0]:1"}));
  CHECK(within({"127.0.0.1:9 -> 127.0.0.1:9"}));  // connected to itself
  CHECK_FALSE(within({there}));
  CHECK_FALSE(within({there, back, "10.0.0.2:5 -> 10.0.0.1:443"}));
  CHECK_FALSE(within({there, "127.0.0.1:4001 -> 127.0.0.1:80"}));
  CHECK_FALSE(within({"nonsense"}));
}

TEST_CASE("obstacles: watches that need a path are found, or named as inotify's") {
  Subject subject;
  subject.watches.paths = {"/srv/app/conf"};
  CHECK(named(subject.judge(), "watches").status == Status::ok);
  CHECK(contains(named(subject.judge(), "watches").found, "/srv/app/conf"));
  subject.watches.lost = {"'app' (pid 3)"};
  const Check check = named(subject.judge(), "watches");
  CHECK(check.status == Status::fails);
  CHECK(contains(check.found, "inotify"));
  CHECK(contains(check.found, "'app' (pid 3)"));
  CHECK_FALSE(check.fix.empty());
}

TEST_CASE("obstacles: exec sessions are lost with runc and forbid it with runsc") {
  Subject subject;
  subject.findings.exec_sessions = {"'sh' (pid 11)"};
  CHECK(those(subject.judge(), Status::warning) == "exec-sessions");
  subject.kind = RuntimeKind::runsc;
  const std::vector<Check> checks = subject.judge();
  CHECK(checks.size() == 1);
  CHECK(those(checks, Status::fails) == "exec-sessions");
}

TEST_CASE("obstacles: what CRIU refuses") {
  Subject subject;
  const CloserFindings found{.io_uring = {"a"},
                             .devices = {"b"},
                             .inotify = {"c"},
                             .traced = {"d"},
                             .sessions = {"e"},
                             .namespaces = {"f"},
                             .unix_streams = {"g"},
                             .unix_datagrams = {"h"}};
  const std::vector<Check> checks = subject.judge(found);
  CHECK(those(checks, Status::fails) ==
        "io-uring devices unix-streams tracer namespaces unix-datagrams sessions");
  CHECK(those(checks, Status::warning) == "inotify");
  subject.opts = {.ext_unix_sk = true, .shell_job = true};
  CHECK(those(subject.judge(found), Status::fails) == "io-uring devices unix-streams tracer namespaces");
  CloserFindings apart = found;
  apart.private_network = true;
  CHECK(those(subject.judge(apart), Status::fails) ==
        "io-uring devices unix-streams tracer namespaces unix-datagrams");
}

TEST_CASE("obstacles: runc and connected UDP sockets in a network namespace of its own making") {
  Subject subject;
  const CloserFindings found{.udp = {"127.0.0.1:5 -> 127.0.0.1:6"}};
  CHECK(those(subject.judge(found), Status::fails) == "udp");
  subject.own_network = false;
  CHECK(those(subject.judge(found), Status::fails).empty());
  subject.own_network = true;
  subject.kind = RuntimeKind::crun;
  CHECK(those(subject.judge(found), Status::fails).empty());
}

TEST_CASE(
    "obstacles: kernel objects, protocols and users that CRIU cannot take are refused, a personality told") {
  const Subject subject;
  const CloserFindings found{.anonymous = {"a"}, .sockets = {"b"}, .users = {"c"}, .personalities = {"d"}};
  const std::vector<Check> checks = subject.judge(found);
  CHECK(those(checks, Status::fails) == "kernel-objects sockets users");
  CHECK(those(checks, Status::warning) == "personality");
  for (const Check& check : checks) CHECK(check.fix.empty() == (check.status != Status::fails));
}

TEST_CASE("obstacles: room in the store") {
  CHECK(room_for("c1", 10, 10, "/s").status == Status::ok);
  const Check check = room_for("c1", 2'000'000, 1'000'000, "/s");
  CHECK(check.status == Status::fails);
  CHECK(check.found == "at most 2.0 MB of memory, 1.0 MB free in '/s'");
}
