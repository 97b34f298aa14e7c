// Golden argument vectors: every option, every runtime, the documents' spellings and the real binaries'.
#include "runtimes/spelling.h"

#include <variant>

#include "runtimes/driver.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

struct Binary {
  std::string name;  ///< of the fixtures
  const RuntimeTable& table;
  std::string version;

  std::string path() const { return "/opt/" + name; }
  Dialect dialect(const std::string& verb) const {
    return {table, path(), version, parse_help(fixture("help/" + name + "-" + verb + ".txt"))};
  }
};

const std::vector<Binary>& binaries() {
  static const std::vector<Binary> all = {
      {"runc-1.1", runc_table(), "1.1.5+ds1"},
      {"runc-1.3", runc_table(), "1.3.6+ds1"},
      {"crun-1.21", crun_table(), "1.21"},
      {"crun-1.28", crun_table(), "1.28"},
      {"runsc-2024", runsc_table(), "20240729.0"},
      {"runsc-2026", runsc_table(), "v0.0.0-20260905035102-160fafc42237"}};
  return all;
}

struct Refused {};
/// What one binary makes of one option.
using Expected = std::variant<Delivery, Refused>;

Expected flag(const std::string& text) {
  return Delivery{{text, "c1"}, {}};
}
Expected flag(const std::string& text, const std::string& value) {
  return Delivery{{text, value, "c1"}, {}};
}
Expected line(const std::string& text) {
  return Delivery{{"c1"}, {text}};
}
Expected nothing() {
  return Delivery{{"c1"}, {}};
}
Expected refused() {
  return Refused{};
}

template <class Opts>
struct Row {
  std::string option;  ///< as errors spell it
  Opts opts;
  std::vector<Expected> expected;  ///< in the order of binaries()
};

std::vector<Expected> same(const Expected& e) {
  return {e, e, e, e, e, e};
}
std::vector<Expected> criu_or_runsc(const Expected& criu, const Expected& runsc) {
  return {criu, criu, criu, criu, runsc, runsc};
}

const std::vector<Row<CheckpointOpts>>& checkpoint_rows() {
  static const std::vector<Row<CheckpointOpts>> rows = {
      {"--image-path", {.image_path = "/i"}, same(flag("--image-path", "/i"))},
      {"--work-path", {.work_dir = "/w"}, same(flag("--work-path", "/w"))},
      {"--leave-running", {.leave_running = true}, same(flag("--leave-running"))},
      {"--pre-dump", {.pre_dump = true}, criu_or_runsc(flag("--pre-dump"), refused())},
      {"--parent-path",
       {.parent_path = "../pre-1"},
       criu_or_runsc(flag("--parent-path", "../pre-1"), refused())},
      {"--tcp-established", {.allow_open_tcp = true}, criu_or_runsc(flag("--tcp-established"), nothing())},
      {"--skip-in-flight",
       {.skip_in_flight = true},
       {line("skip-in-flight"), flag("--tcp-skip-in-flight"), line("skip-in-flight"), line("skip-in-flight"),
        refused(), refused()}},
      {"--link-remap",
       {.link_remap = true},
       {line("link-remap"), flag("--link-remap"), line("link-remap"), line("link-remap"), refused(),
        refused()}},
      {"--file-locks", {.file_locks = true}, criu_or_runsc(flag("--file-locks"), nothing())},
      {"--ext-unix-sk", {.ext_unix_sk = true}, criu_or_runsc(flag("--ext-unix-sk"), refused())},
      {"--shell-job", {.shell_job = true}, criu_or_runsc(flag("--shell-job"), nothing())},
      {"--manage-cgroups-mode",
       {.manage_cgroups = "full"},
       criu_or_runsc(flag("--manage-cgroups-mode", "full"), refused())},
      {"--manage-cgroups-mode ignore",
       {.manage_cgroups = "ignore"},
       {refused(), flag("--manage-cgroups-mode", "ignore"), flag("--manage-cgroups-mode", "ignore"),
        flag("--manage-cgroups-mode", "ignore"), refused(), refused()}},
      {"--manage-cgroups-mode nonsense", {.manage_cgroups = "nonsense"}, same(refused())},
      {"--compression none",
       {.compression = "none"},
       criu_or_runsc(nothing(), flag("--compression", "none"))},
      {"--compression flate-best-speed",
       {.compression = "flate-best-speed"},
       criu_or_runsc(refused(), flag("--compression", "flate-best-speed"))},
      {"--compression zstd",
       {.compression = "zstd"},
       criu_or_runsc(nothing(), flag("--compression", "none"))},
      {"--compression zstd:9",
       {.compression = "zstd:9"},
       criu_or_runsc(nothing(), flag("--compression", "none"))},
      {"--compression auto",
       {.compression = "auto"},
       criu_or_runsc(nothing(), flag("--compression", "none"))},
      {"--compression flate", {.compression = "flate"}, same(refused())},
      {"ghost-limit", {.ghost_limit = 8U << 20U}, criu_or_runsc(line("ghost-limit 8388608"), nothing())},
      {"timeout", {.criu_timeout = std::chrono::seconds(90)}, criu_or_runsc(line("timeout 90"), nothing())},
      {"--network-lock",
       {.network_lock = "nftables"},
       {line("network-lock nftables"), line("network-lock nftables"), flag("--network-lock", "nftables"),
        flag("--network-lock", "nftables"), refused(), refused()}},
      {"--empty-ns",
       {.empty_ns = "network"},
       {flag("--empty-ns", "network"), flag("--empty-ns", "network"), refused(), refused(), refused(),
        refused()}},
  };
  return rows;
}

const std::vector<Row<RestoreOpts>>& restore_rows() {
  static const std::vector<Row<RestoreOpts>> rows = {
      {"--image-path", {.image_path = "/i"}, same(flag("--image-path", "/i"))},
      {"--work-path", {.work_dir = "/w"}, same(flag("--work-path", "/w"))},
      {"--bundle", {.bundle_path = "/b"}, same(flag("--bundle", "/b"))},
      {"--tcp-established", {.allow_open_tcp = true}, criu_or_runsc(flag("--tcp-established"), nothing())},
      {"--tcp-close",
       {.tcp_close = true},
       {line("tcp-close"), line("tcp-close"), line("tcp-close"), flag("--tcp-close"), refused(), refused()}},
      {"--link-remap", {.link_remap = true}, criu_or_runsc(line("link-remap"), refused())},
      {"--file-locks", {.file_locks = true}, criu_or_runsc(flag("--file-locks"), nothing())},
      {"--ext-unix-sk", {.ext_unix_sk = true}, criu_or_runsc(flag("--ext-unix-sk"), refused())},
      {"--shell-job", {.shell_job = true}, criu_or_runsc(flag("--shell-job"), nothing())},
      {"--manage-cgroups-mode",
       {.manage_cgroups = "strict"},
       criu_or_runsc(flag("--manage-cgroups-mode", "strict"), refused())},
      {"--manage-cgroups-mode ignore",
       {.manage_cgroups = "ignore"},
       {refused(), flag("--manage-cgroups-mode", "ignore"), flag("--manage-cgroups-mode", "ignore"),
        flag("--manage-cgroups-mode", "ignore"), refused(), refused()}},
      {"ghost-limit", {.ghost_limit = 1U << 20U}, criu_or_runsc(line("ghost-limit 1048576"), nothing())},
      {"--network-lock",
       {.network_lock = "skip"},
       {line("network-lock skip"), line("network-lock skip"), flag("--network-lock", "skip"),
        flag("--network-lock", "skip"), refused(), refused()}},
      {"--empty-ns",
       {.empty_ns = "network"},
       {flag("--empty-ns", "network"), flag("--empty-ns", "network"), refused(), refused(), refused(),
        refused()}},
      {"--lsm-profile",
       {.lsm_profile = "apparmor:p"},
       criu_or_runsc(flag("--lsm-profile", "apparmor:p"), refused())},
      {"--lsm-mount-context",
       {.lsm_mount_context = "s0"},
       criu_or_runsc(flag("--lsm-mount-context", "s0"), refused())},
      {"--no-pivot",
       {.no_pivot = true},
       {flag("--no-pivot"), flag("--no-pivot"), refused(), refused(), refused(), refused()}},
      {"--detach", {.detach = true}, same(flag("--detach"))},
      {"--pid-file", {.pid_file = "/p"}, same(flag("--pid-file", "/p"))},
      {"--console-socket", {.console_socket = "/s"}, same(flag("--console-socket", "/s"))},
  };
  return rows;
}

Delivery deliver(const Dialect& dialect, const CheckpointOpts& opts) {
  return checkpoint_delivery(dialect, opts, "c1");
}
Delivery deliver(const Dialect& dialect, const RestoreOpts& opts) {
  return restore_delivery(dialect, opts, "c1");
}

template <class Opts>
void check_row(const Row<Opts>& row, const std::string& verb) {
  REQUIRE(row.expected.size() == binaries().size());
  for (std::size_t i = 0; i < binaries().size(); ++i) {
    const Binary& binary = binaries()[i];
    const Dialect dialect = binary.dialect(verb);
    INFO(binary.name << " " << verb << " " << row.option);
    if (const auto* expected = std::get_if<Delivery>(&row.expected[i])) {
      const Delivery delivery = deliver(dialect, row.opts);
      CHECK(delivery.args == expected->args);
      CHECK(delivery.criu_config == expected->criu_config);
      continue;
    }
    const Error error = error_of([&] { deliver(dialect, row.opts); });
    CHECK(error.code == ErrorCode::unsupported);
    CHECK(error.runtime == binary.table.name);
    CHECK_FALSE(error.hint.empty());
    for (const std::string& part :
         {std::string(binary.table.name), binary.version, binary.path(), row.option})
      CHECK(contains(error.message, part));
  }
}

/// Options that a test makes the help show.
Advertised showing(const std::vector<std::string>& flags) {
  Advertised advertised;
  for (const std::string& flag : flags) advertised.flags[flag] = "";
  return advertised;
}

Argv whole(const Target& target, const std::string& verb, const Argv& args) {
  FakeRunner runner;
  Prober prober(runner, "/nonexistent");
  return Driver(runner, prober, target).command(verb, args).argv();
}

const Target kRunc{.kind = RuntimeKind::runc, .path = "/usr/sbin/runc", .root = "/run/runc"};
const Target kRunsc{.kind = RuntimeKind::runsc, .path = "/usr/local/bin/runsc", .root = "/run/gvisor"};
const Target kRunscGpu{.kind = RuntimeKind::runsc,
                       .path = "/usr/local/bin/runsc",
                       .root = "/run/gvisor",
                       .runtime_args = {"--nvproxy=true"}};

CheckpointOpts everything_documented() {
  return {.image_path = "I",
          .work_dir = "W",
          .leave_running = true,
          .allow_open_tcp = true,
          .skip_in_flight = true,
          .link_remap = true};
}

}  // namespace

TEST_CASE("spelling: the documents' runc checkpoint vector") {
  const Dialect dialect{runc_table(), kRunc.path, "9",
                        showing({"--image-path", "--work-path", "--leave-running", "--tcp-established",
                                 "--skip-in-flight", "--link-remap"})};
  const Delivery delivery = checkpoint_delivery(dialect, everything_documented(), "ID");
  CHECK(whole(kRunc, "checkpoint", delivery.args) ==
        Argv{"/usr/sbin/runc", "--root", "/run/runc", "checkpoint", "--image-path", "I", "--work-path", "W",
             "--leave-running", "--tcp-established", "--skip-in-flight", "--link-remap", "ID"});
  CHECK(delivery.criu_config == std::vector<std::string>{});
}

TEST_CASE("spelling: the documents' runc restore vector") {
  const Dialect dialect{runc_table(), kRunc.path, "9",
                        showing({"--image-path", "--work-path", "--link-remap", "--bundle"})};
  const Delivery delivery = restore_delivery(
      dialect, {.image_path = "I", .work_dir = "W", .bundle_path = "B", .link_remap = true}, "ID");
  CHECK(whole(kRunc, "restore", delivery.args) == Argv{"/usr/sbin/runc", "--root", "/run/runc", "restore",
                                                       "--image-path", "I", "--work-path", "W",
                                                       "--link-remap", "--bundle", "B", "ID"});
  CHECK(delivery.criu_config == std::vector<std::string>{});
}

TEST_CASE("spelling: the documents' runsc checkpoint vector") {
  const Dialect dialect{
      runsc_table(), kRunsc.path, "9",
      showing({"--image-path", "--work-dir", "--leave-running", "--allow-open-tcp", "--skip-in-flight"})};
  CheckpointOpts opts = everything_documented();
  opts.link_remap.reset();
  const Delivery delivery = checkpoint_delivery(dialect, opts, "ID");
  CHECK(whole(kRunsc, "checkpoint", delivery.args) ==
        Argv{"/usr/local/bin/runsc", "--root", "/run/gvisor", "checkpoint", "--image-path", "I", "--work-dir",
             "W", "--leave-running", "--allow-open-tcp", "--skip-in-flight", "ID"});
  CHECK(delivery.criu_config == std::vector<std::string>{});
}

TEST_CASE("spelling: the documents' runsc restore vector with GPUs") {
  const Dialect dialect{runsc_table(), kRunscGpu.path, "9",
                        showing({"--image-path", "--work-dir", "--bundle"})};
  const Delivery delivery =
      restore_delivery(dialect, {.image_path = "I", .work_dir = "W", .bundle_path = "B"}, "ID");
  CHECK(whole(kRunscGpu, "restore", delivery.args) == Argv{"/usr/local/bin/runsc", "--root", "/run/gvisor",
                                                           "--nvproxy=true", "restore", "--image-path", "I",
                                                           "--work-dir", "W", "--bundle", "B", "ID"});
}

TEST_CASE("spelling: the documents' runsc run vector with platform and GPUs") {
  Target target = kRunscGpu;
  target.platform = "systrap";
  CHECK(whole(target, "run", run_args({.bundle_path = "B"}, "ID")) ==
        Argv{"/usr/local/bin/runsc", "--root", "/run/gvisor", "--platform", "systrap", "--nvproxy=true",
             "run", "--bundle", "B", "ID"});
}

TEST_CASE("spelling: the documents' list vector") {
  CHECK(whole(kRunsc, "list", {}) == Argv{"/usr/local/bin/runsc", "--root", "/run/gvisor", "list"});
}

TEST_CASE("spelling: create and run take bundle, pid file and console socket") {
  const RunOpts opts{.bundle_path = "/b", .pid_file = "/p", .console_socket = "/s"};
  const Argv expected = {"--bundle", "/b", "--pid-file", "/p", "--console-socket", "/s", "ID"};
  CHECK(create_args(opts, "ID") == expected);
  CHECK(run_args(opts, "ID") == expected);
  CHECK(create_args({}, "ID") == Argv{"ID"});
}

TEST_CASE("spelling: globals stand before the verb, the user's own last and verbatim") {
  const Target target{.kind = RuntimeKind::crun,
                      .path = "/usr/bin/crun",
                      .root = "/some root",
                      .runtime_args = {"--cgroup-manager", "disabled", "--x=a b"}};
  CHECK(global_args(target) == Argv{"--root", "/some root", "--cgroup-manager", "disabled", "--x=a b"});
}

TEST_CASE("spelling: each checkpoint option alone, on each real binary") {
  for (const auto& row : checkpoint_rows()) check_row(row, "checkpoint");
}

TEST_CASE("spelling: each restore option alone, on each real binary") {
  for (const auto& row : restore_rows()) check_row(row, "restore");
}

TEST_CASE("spelling: nothing asked for is nothing said") {
  for (const Binary& binary : binaries()) {
    CHECK(checkpoint_delivery(binary.dialect("checkpoint"), {}, "c1") == Delivery{{"c1"}, {}});
    CHECK(restore_delivery(binary.dialect("restore"), {}, "c1") == Delivery{{"c1"}, {}});
  }
}

TEST_CASE("spelling: an option set to false is not passed and not refused") {
  const CheckpointOpts off{.leave_running = false,
                           .allow_open_tcp = false,
                           .skip_in_flight = false,
                           .link_remap = false,
                           .file_locks = false,
                           .ext_unix_sk = false,
                           .shell_job = false};
  const RestoreOpts restore_off{.allow_open_tcp = false,
                                .tcp_close = false,
                                .link_remap = false,
                                .file_locks = false,
                                .ext_unix_sk = false,
                                .shell_job = false,
                                .detach = false};
  for (const Binary& binary : binaries()) {
    CHECK(checkpoint_delivery(binary.dialect("checkpoint"), off, "c1") == Delivery{{"c1"}, {}});
    CHECK(restore_delivery(binary.dialect("restore"), restore_off, "c1") == Delivery{{"c1"}, {}});
  }
}

TEST_CASE(
    "spelling: everything that runc 1.1 takes at checkpoint, flags in the table's order, the rest for CRIU") {
  CheckpointOpts opts = everything_documented();
  opts.file_locks = opts.ext_unix_sk = opts.shell_job = true;
  opts.manage_cgroups = "soft";
  opts.ghost_limit = 8388608;
  opts.criu_timeout = std::chrono::seconds(30);
  const Delivery delivery = checkpoint_delivery(binaries()[0].dialect("checkpoint"), opts, "ID");
  CHECK(delivery.args == Argv{"--image-path", "I", "--work-path", "W", "--leave-running", "--tcp-established",
                              "--file-locks", "--ext-unix-sk", "--shell-job", "--manage-cgroups-mode", "soft",
                              "ID"});
  CHECK(delivery.criu_config ==
        std::vector<std::string>{"skip-in-flight", "link-remap", "ghost-limit 8388608", "timeout 30"});
}

TEST_CASE("spelling: everything that runc 1.3 takes at checkpoint") {
  CheckpointOpts opts = everything_documented();
  opts.manage_cgroups = "ignore";
  const Delivery delivery = checkpoint_delivery(binaries()[1].dialect("checkpoint"), opts, "ID");
  CHECK(whole(kRunc, "checkpoint", delivery.args) ==
        Argv{"/usr/sbin/runc", "--root", "/run/runc", "checkpoint", "--image-path", "I", "--work-path", "W",
             "--leave-running", "--tcp-established", "--tcp-skip-in-flight", "--link-remap",
             "--manage-cgroups-mode", "ignore", "ID"});
  CHECK(delivery.criu_config == std::vector<std::string>{});
}

TEST_CASE("spelling: everything that crun takes at restore, before and after --tcp-close came") {
  const RestoreOpts opts{.image_path = "I",
                         .work_dir = "W",
                         .bundle_path = "B",
                         .allow_open_tcp = true,
                         .tcp_close = true,
                         .link_remap = true,
                         .detach = true,
                         .pid_file = "P",
                         .console_socket = "S"};
  const Delivery old = restore_delivery(binaries()[2].dialect("restore"), opts, "ID");
  CHECK(old.args == Argv{"--image-path", "I", "--work-path", "W", "--tcp-established", "--detach",
                         "--pid-file", "P", "--console-socket", "S", "--bundle", "B", "ID"});
  CHECK(old.criu_config == std::vector<std::string>{"link-remap", "tcp-close"});
  const Delivery now = restore_delivery(binaries()[3].dialect("restore"), opts, "ID");
  CHECK(now.args == Argv{"--image-path", "I", "--work-path", "W", "--tcp-established", "--tcp-close",
                         "--detach", "--pid-file", "P", "--console-socket", "S", "--bundle", "B", "ID"});
  CHECK(now.criu_config == std::vector<std::string>{"link-remap"});
}

TEST_CASE("spelling: everything that runsc takes at checkpoint and restore") {
  for (const Binary& binary : {binaries()[4], binaries()[5]}) {
    const CheckpointOpts opts{.image_path = "I",
                              .work_dir = "W",
                              .leave_running = true,
                              .allow_open_tcp = true,
                              .compression = "none"};
    CHECK(
        checkpoint_delivery(binary.dialect("checkpoint"), opts, "ID") ==
        Delivery{{"--image-path", "I", "--work-path", "W", "--compression", "none", "--leave-running", "ID"},
                 {}});
    const RestoreOpts restore{.image_path = "I", .bundle_path = "B", .detach = true, .pid_file = "P"};
    CHECK(restore_delivery(binary.dialect("restore"), restore, "ID") ==
          Delivery{{"--image-path", "I", "--detach", "--pid-file", "P", "--bundle", "B", "ID"}, {}});
  }
}

TEST_CASE("spelling: each flag is used as soon as a binary advertises it") {
  struct Spelled {
    const RuntimeTable& table;
    CheckpointOpts opts;
    std::vector<std::string> first_to_last;
  };
  const std::vector<Spelled> cases = {
      {runc_table(), {.skip_in_flight = true}, {"--skip-in-flight", "--tcp-skip-in-flight"}},
      {runc_table(), {.allow_open_tcp = true}, {"--tcp-established", "--allow-open-tcp"}},
      {crun_table(), {.skip_in_flight = true}, {"--skip-in-flight", "--tcp-skip-in-flight"}},
      {crun_table(), {.link_remap = true}, {"--link-remap"}},
      {runsc_table(), {.allow_open_tcp = true}, {"--allow-open-tcp"}},
      {runsc_table(), {.skip_in_flight = true}, {"--skip-in-flight", "--tcp-skip-in-flight"}},
      {runsc_table(), {.link_remap = true}, {"--link-remap"}},
      {runsc_table(), {.file_locks = true}, {"--file-locks"}},
      {runsc_table(), {.ext_unix_sk = true}, {"--ext-unix-sk"}},
      {runsc_table(), {.shell_job = true}, {"--shell-job"}}};
  for (const Spelled& spelled : cases) {
    std::vector<std::string> shown = spelled.first_to_last;
    while (!shown.empty()) {
      const Dialect dialect{spelled.table, "/x", "9", showing(shown)};
      INFO(spelled.table.name << " " << shown.front());
      CHECK(checkpoint_delivery(dialect, spelled.opts, "c1") == Delivery{{shown.front(), "c1"}, {}});
      shown.erase(shown.begin());
    }
  }
}

TEST_CASE("spelling: a binary without the flag for the images is refused") {
  const Dialect dialect{runc_table(), "/x", "0.0", showing({"--leave-running"})};
  const Error error = error_of([&] { checkpoint_delivery(dialect, {.image_path = "/i"}, "c1"); });
  CHECK(error.code == ErrorCode::unsupported);
  CHECK(error.message == "runc 0.0 ('/x') has no way to take --image-path /i");
}

TEST_CASE("spelling: a runsc that cannot be told not to compress") {
  const Dialect old{runsc_table(), "/x", "0", showing({"--image-path"})};
  CHECK(checkpoint_delivery(old, {.compression = "zstd:3"}, "c1") == Delivery{{"c1"}, {}});
  CHECK(checkpoint_delivery(old, {.compression = "auto"}, "c1") == Delivery{{"c1"}, {}});
  CHECK(error_of([&] { checkpoint_delivery(old, {.compression = "none"}, "c1"); }).message ==
        "runsc 0 ('/x') has no way to take --compression none");
}

TEST_CASE("spelling: the help of checkpoint and restore is asked for as each runtime wants it") {
  CHECK(runc_table().verb_help("checkpoint") == Argv{"checkpoint", "--help"});
  CHECK(crun_table().verb_help("restore") == Argv{"restore", "--help"});
  CHECK(runsc_table().verb_help("checkpoint") == Argv{"help", "checkpoint"});
  CHECK(runc_table().global_help == Argv{"--help"});
  CHECK(crun_table().global_help == Argv{"--help"});
  CHECK(runsc_table().global_help == Argv{"flags"});
}

TEST_CASE("runtime: names, roots and order") {
  std::vector<std::string> names;
  for (const RuntimeTable* table : all_runtimes()) {
    names.emplace_back(table->name);
    CHECK(&table_of(table->kind) == table);
    CHECK(runtime_named(table->name) == table);
  }
  CHECK(names == std::vector<std::string>{"runc", "crun", "runsc"});
  CHECK(runtime_named("docker") == nullptr);
  CHECK(runtime_named("") == nullptr);
  CHECK(runc_table().default_root == "/run/runc");
  CHECK(crun_table().default_root == "/run/crun");
  CHECK(runsc_table().default_root == "/run/gvisor");
}
