// What Cedana is told, whole, for a program that advertises what its published reference has.
#include "runtimes/cedana.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

Dialect dialect(const std::string& verb) {
  return {cedana_table(), "/opt/cedana", "v0.9.299", parse_help(fixture("help/cedana-0.9-" + verb + ".txt"))};
}

Argv dump(CheckpointOpts opts) {
  opts.image_path = "/s/checkpoints/c/.1/checkpoint";
  return cedana_dump(dialect("dump"), opts, "/run/runc", "c").args;
}

Argv restore(RestoreOpts opts) {
  opts.image_path = "/s/checkpoints/c/1/checkpoint";
  return cedana_restore(dialect("restore"), opts, "/run/runc", "c").args;
}

/// The vectors of a dump and a restore, with `more` where options stand.
Argv dump_with(const Argv& more) {
  Argv args = {"dump",   "runc",       "--root",        "/run/runc", "--dir", "/s/checkpoints/c/.1",
               "--name", "checkpoint", "--compression", "none"};
  args.insert(args.end(), more.begin(), more.end());
  args.emplace_back("c");
  return args;
}
Argv restore_with(const Argv& more) {
  Argv args = {"restore",     "runc",   "--root",
               "/run/runc",   "--id",   "c",
               "--no-server", "--path", "/s/checkpoints/c/1/checkpoint"};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

template <class Make>
std::string refusal(Make&& make) {
  try {
    make();
  } catch (const Error& error) {
    CHECK(error.code == ErrorCode::unsupported);
    return error.message;
  }
  return "";
}

}  // namespace

TEST_CASE("a dump by Cedana, option for option") {
  CHECK(dump({}) == dump_with({}));
  CHECK(dump({.leave_running = true}) == dump_with({"--leave-running"}));
  CHECK(dump({.allow_open_tcp = true}) == dump_with({"--tcp-established"}));
  CHECK(dump({.skip_in_flight = true}) == dump_with({"--skip-in-flight"}));
  CHECK(dump({.link_remap = true}) == dump_with({"--link-remap"}));
  CHECK(dump({.file_locks = true}) == dump_with({"--file-locks"}));
  CHECK(dump({.shell_job = true}) == dump_with({"--shell-job"}));
  CHECK(dump({.compression = "none"}) == dump_with({}));
  CHECK(dump({.compression = "zstd"}) == dump_with({}));
  CHECK(dump({.engine = "cedana"}) == dump_with({}));
  CHECK(dump({.leave_running = true,
              .allow_open_tcp = true,
              .skip_in_flight = true,
              .link_remap = true,
              .file_locks = true,
              .shell_job = true}) == dump_with({"--leave-running", "--tcp-established", "--skip-in-flight",
                                                "--link-remap", "--file-locks", "--shell-job"}));
}

TEST_CASE("a restore by Cedana, option for option") {
  CHECK(restore({}) == restore_with({}));
  CHECK(restore({.bundle_path = "/b"}) == restore_with({"--bundle", "/b"}));
  CHECK(restore({.allow_open_tcp = true}) == restore_with({"--tcp-established"}));
  CHECK(restore({.tcp_close = true}) == restore_with({"--tcp-close"}));
  CHECK(restore({.link_remap = true}) == restore_with({"--link-remap"}));
  CHECK(restore({.file_locks = true}) == restore_with({"--file-locks"}));
  CHECK(restore({.shell_job = true}) == restore_with({"--shell-job"}));
  CHECK(restore({.detach = true, .pid_file = "/p", .console_socket = "/s"}) ==
        restore_with({"--detach", "--pid-file", "/p", "--console-socket", "/s"}));
}

TEST_CASE("what Cedana cannot be told is refused") {
  const std::string who = "cedana v0.9.299 ('/opt/cedana') has no way to take ";
  CHECK(refusal([] { dump({.work_dir = "/w"}); }) == who + "--work-path /w");
  CHECK(refusal([] { dump({.pre_dump = true}); }) == who + "--pre-dump");
  CHECK(refusal([] { dump({.parent_path = "../pre-1"}); }) == who + "--parent-path ../pre-1");
  CHECK(refusal([] { dump({.ext_unix_sk = true}); }) == who + "--ext-unix-sk");
  CHECK(refusal([] { dump({.manage_cgroups = "soft"}); }) == who + "--manage-cgroups-mode soft");
  CHECK(refusal([] { dump({.compression = "flate-best-speed"}); }) == who + "--compression flate-best-speed");
  CHECK(refusal([] { dump({.ghost_limit = 1U << 21U}); }) == who + "ghost-limit 2097152");
  CHECK(refusal([] { restore({.work_dir = "/w"}); }) == who + "--work-path /w");
  CHECK(refusal([] { restore({.ext_unix_sk = true}); }) == who + "--ext-unix-sk");
  CHECK(refusal([] { restore({.manage_cgroups = "soft"}); }) == who + "--manage-cgroups-mode soft");
  CHECK(refusal([] { restore({.ghost_limit = 1U << 21U}); }) == who + "ghost-limit 2097152");
}

TEST_CASE("a Cedana without its runc plugin, or too old, is refused") {
  const auto without = [](const std::string& verb, const std::string& flag) {
    Dialect less = dialect(verb);
    less.flags.flags.erase(flag);
    return less;
  };
  CHECK(refusal([&] { cedana_dump(without("dump", "--root"), {}, "/r", "c"); }) ==
        "cedana v0.9.299 ('/opt/cedana') has no --root for containers of runc");
  CHECK(refusal([&] { cedana_restore(without("restore", "--no-server"), {}, "/r", "c"); }) ==
        "cedana v0.9.299 ('/opt/cedana') has no --no-server for containers of runc");
}
