// CRIU's log lines: which is the cause, what it means.
#include "runtimes/criu_log.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr const char* kRlimit =
    "(00.000123) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not "
    "permitted\n";
constexpr const char* kTcp =
    "(00.012345) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established "
    "option.\n";
constexpr const char* kFailed = "(00.050000) Error (criu/cr-dump.c:2111): Dumping FAILED.\n";

std::string without_newline(std::string line) {
  return line.substr(0, line.find('\n'));
}

}  // namespace

TEST_CASE("criu log: the first causal line is the cause, not the harmless ones around it") {
  const auto found = diagnose_criu_log(std::string("(00.000001) Version: 4.1.1\n") + kRlimit + kTcp +
                                       "(00.02) Error (criu/other.c:1): something that follows\n" + kFailed);
  REQUIRE(found);
  CHECK(found->cause == without_newline(kTcp));
  CHECK(found->meaning == "the container has an established TCP connection");
  CHECK(contains(found->remedy, "--tcp-established"));
}

TEST_CASE("criu log: a log of a dump that worked has no cause") {
  CHECK_FALSE(diagnose_criu_log(""));
  CHECK_FALSE(diagnose_criu_log("(00.1) Dumping finished successfully\n"));
  CHECK_FALSE(diagnose_criu_log(
      std::string(kRlimit) + "(00.2) Error (criu/cgroup.c:1): cg: cgroupd: recv req error: No such file\n" +
      kFailed));
}

TEST_CASE("criu log: each harmless line is passed over") {
  for (const char* text : {"rlimit: Can't setup RLIMIT_NOFILE for self", "cg: cgroupd: recv req error",
                           "Dumping FAILED.", "Restoring FAILED.", "Dump files (pid: 7) failed with -1",
                           "7 exited, status=1", "Unable to open fd=3 id=0x4", "Unable to detach from 7"}) {
    INFO(text);
    CHECK_FALSE(diagnose_criu_log(fmt::format("(00.1) Error (criu/x.c:1): {}\n", text)));
    const auto found = diagnose_criu_log(fmt::format("(00.1) Error (criu/x.c:1): {}\n{}", text, kTcp));
    REQUIRE(found);
    CHECK(found->cause == without_newline(kTcp));
  }
}

TEST_CASE("criu log: an unknown error is shown without a meaning") {
  const auto found = diagnose_criu_log("(00.1) Error (criu/new.c:9): never seen before");
  REQUIRE(found);
  CHECK(found->cause == "(00.1) Error (criu/new.c:9): never seen before");
  CHECK(found->meaning.empty());
  CHECK(found->remedy.empty());
}

TEST_CASE("criu log: known lines have a meaning and a remedy") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"Error (criu/files-reg.c:1): Can't lookup mount=27 for fd=1 path=/logs/c.log",
       "opened outside the container"},
      {"Error (criu/sockets.c:628): sockets: Can't get 1:16 opt: Operation not supported",
       "TCP sockets on this kernel"},
      {"Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds", "too old for this kernel"},
      {"Error (criu/file-lock.c:1): Some file locks are hold by dumping tasks!", "file lock"},
      {"Error (criu/files-reg.c:2175): File logs/in.log has bad size 1100 (expect 28)", "changed since"},
      {"Error (criu/files-reg.c:1): Can't open file bin/busybox on restore: No such file or directory",
       "is gone"},
      {"Error (criu/mount.c:3130): mnt: No mapping for 85:(null) mountpoint", "lacks a mount"},
      {"Error (criu/cr-restore.c:1230): Can't fork for 19123: File exists", "process id"},
      {"Error (criu/protobuf.c:93): Read 1143 bytes while 2298 expected from core-1.img", "cut short"},
      {"Error (criu/protobuf.c:72): Unexpected EOF on (empty-image)", "missing or cut short"},
      {"Error (criu/files-reg.c:1): Can't dump ghost file /root/ghostb of 3145728 size, increase limit",
       "ghost-limit"},
      {"Error (criu/files-reg.c:1): Can't create link remap for /root/la. Use link-remap option.",
       "another name"},
      {"Error (criu/files-ext.c:94): Can't dump file 3 of that type [20666] (chr 195:0)", "device"},
      {"Error (criu/cgroup.c:1823): cg: Abort restore of existing cgroups", "cgroup exists"},
      {"error executing callbacks: no host FD available for :host:2, map:", "exec session"},
      {"starting container: restoring container \"x\": header error: unexpected EOF:", "cut short"},
      {"statefile cannot be empty", "empty"}};
  for (const auto& [line, part] : cases) {
    INFO(line);
    const Diagnosis diagnosis = diagnose_line(line);
    CHECK(diagnosis.cause == line);
    CHECK(contains(diagnosis.meaning, part));
    CHECK_FALSE(diagnosis.remedy.empty());
  }
}

TEST_CASE("criu log: lines with carriage returns, without an end, or very long are read") {
  CHECK(diagnose_criu_log("Error (x.c:1): a"));
  CHECK(diagnose_criu_log(std::string(1U << 20U, 'x') + "\nError (x.c:1): a\n\n\n"));
  CHECK_FALSE(diagnose_criu_log(std::string(1U << 20U, '\n')));
}
