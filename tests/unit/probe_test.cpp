// Probing a binary: what is asked, what is remembered, what an unreadable answer leads to.
#include "runtimes/probe.h"

#include <signal.h>

#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// A binary on disk whose answers the test gives.
struct Probed {
  explicit Probed(FakeRunner::Answer answer) : runner(std::move(answer)) {}
  TempDir dir;
  std::string path = dir.script("bin/runtime", "exit 0");
  FakeRunner runner;
  fs::path cache = dir / "state/probe";
  Prober prober{runner, cache};
};

FakeRunner::Answer helpful() {
  return [](const Command& command) {
    if (command.args == Argv{"--version"}) return FakeRunner::said(0, "runc version 1.3.6+ds1\ncommit: x\n");
    if (command.args == Argv{"checkpoint", "--help"})
      return FakeRunner::said(0, fixture("help/runc-1.3-checkpoint.txt"));
    return FakeRunner::said(1, "", "unexpected: " + shell_quote(command.args));
  };
}

}  // namespace

TEST_CASE("probe: a verb's flags and the version are the binary's own words") {
  Probed p(helpful());
  CHECK(p.prober.flags(runc_table(), p.path, "checkpoint").has("--tcp-skip-in-flight"));
  CHECK(p.prober.version(p.path) == "1.3.6+ds1");
  CHECK(p.runner.calls == std::vector<Argv>{{p.path, "checkpoint", "--help"}, {p.path, "--version"}});
}

TEST_CASE("probe: an answer is remembered, also by the next process") {
  Probed p(helpful());
  const Advertised first = p.prober.flags(runc_table(), p.path, "checkpoint");
  CHECK(p.prober.flags(runc_table(), p.path, "checkpoint").flags == first.flags);
  Prober another(p.runner, p.cache);
  CHECK(another.flags(runc_table(), p.path, "checkpoint").flags == first.flags);
  CHECK(p.runner.calls.size() == 1);
}

TEST_CASE("probe: a binary with another size or time is asked again") {
  Probed p(helpful());
  p.prober.version(p.path);
  const auto then = fs::last_write_time(p.path);
  p.dir.file("bin/runtime", "#!/bin/sh\n# longer than before\nexit 0\n");
  fs::last_write_time(p.path, then);
  p.prober.version(p.path);
  CHECK(p.runner.calls.size() == 2);
  fs::last_write_time(p.path, then + std::chrono::nanoseconds(1));
  p.prober.version(p.path);
  CHECK(p.runner.calls.size() == 3);
  p.prober.version(p.path);
  CHECK(p.runner.calls.size() == 3);
}

TEST_CASE("probe: two binaries do not share an answer") {
  Probed p(helpful());
  const std::string other = p.dir.script("other/runtime", "exit 0");
  p.prober.version(p.path);
  p.prober.version(other);
  CHECK(p.runner.calls.size() == 2);
}

TEST_CASE("probe: a damaged memory is asked anew and repaired") {
  for (const char* damage : {"", "not json", "[]", "{\"identity\":", "{\"identity\":{},\"answers\":{}}"}) {
    Probed p(helpful());
    p.prober.version(p.path);
    for (const auto& entry : fs::directory_iterator(p.cache)) std::ofstream(entry.path()) << damage;
    for (int process = 0; process < 2; ++process)
      CHECK(Prober(p.runner, p.cache).version(p.path) == "1.3.6+ds1");
    CHECK(p.runner.calls.size() == 2);
  }
}

TEST_CASE("probe: without a place to remember it is asked once by each process") {
  Probed p(helpful());
  const std::string no_place = p.dir.file("a file") + "/probe";
  for (int process = 0; process < 2; ++process) {
    Prober forgetful(p.runner, no_place);
    CHECK(forgetful.version(p.path) == "1.3.6+ds1");
    CHECK(forgetful.version(p.path) == "1.3.6+ds1");
  }
  CHECK(p.runner.calls.size() == 2);
}

TEST_CASE("probe: help on stderr counts, as runsc's flags come there") {
  Probed p([](const Command&) { return FakeRunner::said(0, "\n", fixture("help/runsc-2024-global.txt")); });
  CHECK(p.prober.flags(runsc_table(), p.path, "").has("--overlay2"));
  CHECK(p.runner.calls == std::vector<Argv>{{p.path, "flags"}});
}

TEST_CASE("probe: help with a failing status counts when it shows flags") {
  Probed p([](const Command&) { return FakeRunner::said(2, "", fixture("help/runsc-2024-restore.txt")); });
  CHECK(p.prober.flags(runsc_table(), p.path, "restore").has("--bundle"));
}

TEST_CASE("probe: a crun without CRIU has no verb, and is told so each time") {
  Probed p([](const Command&) { return FakeRunner::said(1, "", "crun: unknown command checkpoint\n"); });
  for (int i = 0; i < 2; ++i) {
    const Error error = error_of([&] { p.prober.flags(crun_table(), p.path, "checkpoint"); });
    CHECK(error.code == ErrorCode::unsupported);
    CHECK(error.message == fmt::format("'{}' does not show the options of 'checkpoint'", p.path));
    CHECK(error.runtime == "crun");
    CHECK(contains(error.hint, "+CRIU"));
  }
  CHECK(p.runner.calls.size() == 2);
}

TEST_CASE("probe: an answer that cannot be read is an error, not an empty table") {
  const std::string noise(
      "\x7f"
      "ELF\x00\xff\xfe noise\n",
      14);
  for (const std::string& answer :
       {std::string(), std::string("hello\n"), noise, std::string(1U << 20U, '\xff')}) {
    Probed p([&](const Command&) { return FakeRunner::said(0, answer); });
    CHECK(error_of([&] { p.prober.flags(runc_table(), p.path, "checkpoint"); }).code ==
          ErrorCode::unsupported);
    CHECK(error_of([&] { p.prober.version(p.path); }).code == ErrorCode::unsupported);
  }
}

TEST_CASE("probe: a long answer is remembered as far as it goes") {
  const std::string help = "  --first  \xc3\xa9\n" + std::string(300U << 10U, '\xc3') + "\n  --last\n";
  Probed p([&](const Command&) { return FakeRunner::said(0, help); });
  CHECK(p.prober.flags(runc_table(), p.path, "checkpoint").has("--first"));
  CHECK(p.prober.flags(runc_table(), p.path, "checkpoint").has("--first"));
  CHECK(p.runner.calls.size() == 1);
}

TEST_CASE("probe: a binary that hangs is given ten seconds and told of") {
  std::optional<std::chrono::milliseconds> limit;
  Probed p([&](const Command& command) {
    limit = command.timeout;
    Result result{.outcome = Killed{SIGTERM}};
    result.timed_out = true;
    return result;
  });
  const Error error = error_of([&] { p.prober.version(p.path); });
  CHECK(limit == std::chrono::seconds(10));
  CHECK(error.code == ErrorCode::unsupported);
  CHECK(error.message == fmt::format("'{} --version' did not answer within 10 s", p.path));
}

TEST_CASE("probe: a binary that cannot be started or crashes is told of") {
  Probed broken([](const Command&) { return Result{.outcome = NotStarted{ENOEXEC}}; });
  CHECK(contains(error_of([&] { broken.prober.version(broken.path); }).message, "exec format error"));
  Probed crashing([](const Command&) { return Result{.outcome = Killed{SIGSEGV}}; });
  CHECK(contains(error_of([&] { crashing.prober.version(crashing.path); }).message, "was killed by SIGSEGV"));
  CHECK(error_of([&] { crashing.prober.version("/no/such/binary"); }).message ==
        "cannot look at '/no/such/binary': no such file or directory");
}

TEST_CASE("probe: an interruption is one, not a broken binary") {
  Probed p([](const Command&) {
    Result result{.outcome = Killed{SIGTERM}};
    result.interrupted = SIGINT;
    return result;
  });
  CHECK(error_of([&] { p.prober.version(p.path); }).status() == 130);
}

TEST_CASE("probe: a real script is asked for real, and not again") {
  const TempDir dir;
  const std::string path =
      dir.script("runc", "echo asked >> " + (dir / "log").string() + "; echo runc version 9.8.7");
  SystemRunner runner;
  Prober prober(runner, dir / "probe");
  CHECK(prober.version(path) == "9.8.7");
  CHECK(prober.version(path) == "9.8.7");
  CHECK(read_file(dir / "log") == "asked\n");
}

TEST_CASE("probe: the version is found in each program's words") {
  const auto version = [](const std::string& words) {
    Probed p([&](const Command&) { return FakeRunner::said(0, words); });
    return p.prober.version(p.path);
  };
  CHECK(version("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\n") == "1.1.5+ds1");
  CHECK(version("crun version 1.28\ncommit: 54f16ff\n") == "1.28");
  CHECK(version("runsc version 0.0~20240729.0\nspec: 1.0.2-dev\n") == "0.0~20240729.0");
  CHECK(version("Version: 4.2.1\n") == "4.2.1");
  CHECK(version("runc version 1.0, build x\n") == "1.0");
}

TEST_CASE("probe: versions are compared by their leading numbers") {
  CHECK(version_at_least("4.2", 4, 2));
  CHECK(version_at_least("4.2.1", 4, 2));
  CHECK(version_at_least("4.10", 4, 9));
  CHECK(version_at_least("5", 4, 9));
  CHECK(version_at_least("1.3.6+ds1", 1, 3));
  CHECK(version_at_least("v570.86.15", 570, 0));
  CHECK_FALSE(version_at_least("4.1.1", 4, 2));
  CHECK_FALSE(version_at_least("3.17", 4, 0));
  CHECK_FALSE(version_at_least("4", 4, 1));
  CHECK_FALSE(version_at_least("", 0, 0));
  CHECK_FALSE(version_at_least("unknown", 0, 0));
  CHECK_FALSE(version_at_least("99999999999999999999.1", 1, 0));
}
