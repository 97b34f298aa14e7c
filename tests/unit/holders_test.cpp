// Who holds devices inside a sandbox: what finder, lsof and shell print, hostile text included, and how the
// container is entered.
#include "gpu/holders.h"

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using nlohmann::json;

namespace {

using Holders = std::vector<GpuHolder>;

/// A driver of runsc (of which only the path is looked at) that answers; `exec` advertises --user.
struct Inside {
  explicit Inside(FakeRunner::Answer answer = [](const Command&) { return FakeRunner::said(0, ""); })
      : runner([answer = std::move(answer)](const Command& command) {
          if (command.args == Argv{"exec", "--help"} || command.args == Argv{"help", "exec"})
            return FakeRunner::said(0, "  -user value\n    \tuser to run as\n");
          if (command.args == Argv{"--version"}) return FakeRunner::said(0, "runsc version 1\n");
          return answer(command);
        }) {}
  TempDir dir;
  FakeRunner runner;
  Prober prober{runner, dir.path()};
  Driver driver{runner, prober, {.kind = RuntimeKind::runsc, .path = "/bin/sh", .root = "/r"}};

  /// The command for `true` in a container with this spec, behind `exec`.
  Argv entered(const json& spec) {
    const Argv argv = inside_of(driver, "c1", spec)({"true"}).argv();
    REQUIRE(argv.size() > 4);
    CHECK(Argv(argv.begin(), argv.begin() + 4) == Argv{"/bin/sh", "--root", "/r", "exec"});
    return {argv.begin() + 4, argv.end()};
  }
  Holders found() { return holders_inside(driver, "c1", inside_of(driver, "c1", json())); }
};

const json& odd_specs() {
  static const json all = json::parse(R"([null, 7, "x", [], [1], {}, true,
    {"mounts": null}, {"mounts": 7}, {"mounts": "x"}, {"mounts": {"destination": 7}}, {"mounts": [null, 7, "x", [], {}]},
    {"mounts": [{"destination": null}, {"destination": 7}, {"destination": []}, {"destination": {}}]},
    {"process": null}, {"process": 7}, {"process": []}, {"process": [1, 2]}, {"process": "x"},
    {"process": {"user": null}}, {"process": {"user": 7}}, {"process": {"user": []}}, {"process": {"user": [0]}},
    {"process": {"user": {}}}, {"process": {"user": {"uid": null}}}])");
  return all;
}

}  // namespace

TEST_CASE("holders: the finder's lines") {
  CHECK(parse_finder("").empty());
  CHECK(parse_finder(R"({"pid":7,"comm":"train","devices":["/dev/nvidiactl","/dev/nvidia0","/dev/nvidia0"]}
{"pid":300,"comm":"two\nlines","devices":["/dev/nvidia-uvm"]}
{"pid":8,"comm":"x","devices":["/dev/null",7,null]}
{"pid":9,"devices":["/dev/nvidia1"]}
)") == Holders{{7, 7, "train", {"/dev/nvidia0", "/dev/nvidiactl"}},
               {9, 9, "?", {"/dev/nvidia1"}},
               {300, 300, "two\nlines", {"/dev/nvidia-uvm"}}});
  CHECK(parse_finder(R"({"pid":7,"comm":5,"devices":["/dev/nvidia0"]})") ==
        Holders{{7, 7, "?", {"/dev/nvidia0"}}});
}

TEST_CASE("holders: what the finder would never say is an error, not a crash") {
  for (const char* text : {"x",
                           "\n",
                           "7",
                           "[]",
                           "null",
                           "{}",
                           "{",
                           R"({"pid":7})",
                           R"({"devices":[]})",
                           R"({"pid":"7","devices":[]})",
                           R"({"pid":7.5,"devices":[]})",
                           R"({"pid":0,"devices":[]})",
                           R"({"pid":-7,"devices":[]})",
                           R"({"pid":4294967303,"devices":["/dev/nvidia0"]})",
                           R"({"pid":18446744073709551615,"devices":[]})",
                           R"({"pid":1e99,"devices":[]})",
                           R"({"pid":7,"devices":{}})",
                           R"({"pid":7,"devices":"/dev/nvidia0"})",
                           "{\"pid\":7,\"comm\":\"\xff\",\"devices\":[]}",
                           "\xff\xfe"}) {
    INFO(text);
    CHECK(error_of([&] { parse_finder(text); }).code == ErrorCode::runtime_failed);
  }
  CHECK(error_of([] { parse_finder(std::string(100'000, '[')); }).message.size() < 200);
}

TEST_CASE("holders: lsof's fields") {
  CHECK(parse_lsof("p7\ncpython\nfcwd\nn/root\nf3\nn/dev/nvidia0\nf4\nn/dev/nvidia0\nf5\nn/dev/nvidiactl\n"
                   "p8\ncsh\nf0\nn/dev/null\np12\nf3\nn/dev/nvidia-uvm") ==
        Holders{{7, 7, "python", {"/dev/nvidia0", "/dev/nvidiactl"}}, {12, 12, "?", {"/dev/nvidia-uvm"}}});
}

TEST_CASE("holders: odd text of lsof and of a shell is nothing") {
  for (const char* text : {"", "\n\n", "n/dev/nvidia0", "p\nn/dev/nvidia0", "px\nn/dev/nvidia0",
                           "p-7\nn/dev/nvidia0", "p99999999999999999999\nn/dev/nvidia0",
                           "p4294967303\nn/dev/nvidia0", "p7\nn", "p7\nc", "p7\nn/tmp/dev/nvidia0",
                           "p7\nn/dev/nvidia0\np7\n", "\xff\xfe\n\x01", "p 7\nn/dev/nvidia0", "c\nc\nn"}) {
    INFO(text);
    const Holders found = parse_lsof(text);
    CHECK(found.size() == (std::string_view(text).starts_with("p7\nn/dev/") ? 1 : 0));
  }
  for (const char* text : {"", "\n", " ", "/proc/7/fd/3", "/proc/ /dev/nvidia0", "/proc/x/fd/3 /dev/nvidia0",
                           "/proc/-7/fd/3 /dev/nvidia0", "/proc/99999999999999999999/fd/3 /dev/nvidia0",
                           "/proc/7/fd/3  /dev/nvidia0", "/proc/7/fd/3 socket:[7]", "/proc/7/fd/3 ",
                           "/sys/7/fd/3 /dev/nvidia0", "\xff /dev/nvidia0"}) {
    INFO(text);
    CHECK(parse_fd_links(text).empty());
  }
}

TEST_CASE("holders: a shell's lines") {
  CHECK(parse_fd_links("/proc/7/fd/3 /dev/nvidia0\n/proc/7/fd/4 /dev/nvidiactl\nsh: noise\n/proc/12/fd/3 "
                       "/dev/nvidia0 (deleted)\n") ==
        Holders{{7, 7, "?", {"/dev/nvidia0", "/dev/nvidiactl"}}, {12, 12, "?", {"/dev/nvidia0 (deleted)"}}});
}

TEST_CASE("holders: a container of another user is entered as root") {
  Inside in;
  CHECK(in.entered({{"process", {{"user", {{"uid", 1000}}}}}}) == Argv{"--user", "0:0", "c1", "true"});
  CHECK(in.entered({{"process", {{"user", {{"uid", "root"}}}}}}) == Argv{"--user", "0:0", "c1", "true"});
  CHECK(in.entered({{"process", {{"user", {{"uid", 0}}}}}}) == Argv{"c1", "true"});
}

TEST_CASE("holders: a runtime without --user enters as it does") {
  FakeRunner runner(
      [](const Command&) { return FakeRunner::said(0, "runsc version 1\n  -cwd value\n    \tdirectory\n"); });
  const TempDir dir;
  Prober prober(runner, dir.path());
  const Driver driver(runner, prober, {.kind = RuntimeKind::runsc, .path = "/bin/sh", .root = "/r"});
  CHECK(inside_of(driver, "c1", {{"process", {{"user", {{"uid", 1000}}}}}})({"true"}).args ==
        Argv{"--root", "/r", "exec", "c1", "true"});
}

TEST_CASE("holders: specs of any shape") {
  Inside in;
  for (const json& spec : odd_specs()) {
    INFO(spec.dump());
    CHECK(in.entered(spec) == Argv{"c1", "true"});
    CHECK(cuda_checkpoint_inside(spec) == "cuda-checkpoint");
  }
  CHECK(cuda_checkpoint_inside(json::parse(
            R"({"mounts": [7, {"destination": 7}, {"destination": "/usr/local/bin/cuda-checkpoint"}]})")) ==
        "/usr/local/bin/cuda-checkpoint");
}

TEST_CASE("holders: the finder, else lsof, else a shell") {
  const auto program = [](const Command& command) { return command.argv().at(5); };
  const auto missing = FakeRunner::said(128, "", "no such file or directory");
  Inside finder([&](const Command&) { return FakeRunner::said(0, ""); });
  CHECK(finder.found().empty());
  CHECK(finder.runner.calls.size() == 1);
  Inside lsof([&](const Command& c) {
    return program(c) == "lsof" ? FakeRunner::said(0, "p7\ncx\nn/dev/nvidia0\n") : missing;
  });
  CHECK(lsof.found() == Holders{{7, 7, "x", {"/dev/nvidia0"}}});
  Inside shell([&](const Command& c) {
    if (program(c) == "lsof") return FakeRunner::said(1, "", "no idea of -w");
    return program(c) == "sh" ? FakeRunner::said(0, "/proc/9/fd/3 /dev/nvidia0\n") : missing;
  });
  CHECK(shell.found() == Holders{{9, 9, "?", {"/dev/nvidia0"}}});
  Inside none([&](const Command&) { return missing; });
  const Error error = error_of([&] { none.found(); });
  CHECK(error.code == ErrorCode::unsupported);
  CHECK(contains(error.message, "neither ckpt's finder nor lsof nor a shell"));
  Inside broken([&](const Command&) { return FakeRunner::said(3, "", "cannot read '/proc'"); });
  CHECK(contains(error_of([&] { broken.found(); }).message, "cannot read '/proc'"));
}
