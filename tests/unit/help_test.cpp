// What the help texts of the real binaries advertise.
#include "runtimes/help.h"

#include <set>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Flags = std::set<std::string>;

Flags names(const Advertised& advertised) {
  Flags flags;
  for (const auto& [flag, words] : advertised.flags) flags.insert(flag);
  return flags;
}

Flags advertised_by(const std::string& name) {
  return names(parse_help(fixture("help/" + name + ".txt")));
}

Flags with(Flags flags, const Flags& more) {
  flags.insert(more.begin(), more.end());
  return flags;
}

const Flags kRuncCheckpoint = {
    "--image-path",  "--work-path", "--parent-path", "--leave-running", "--tcp-established",
    "--ext-unix-sk", "--shell-job", "--lazy-pages",  "--status-fd",     "--page-server",
    "--file-locks",  "--pre-dump",  "--empty-ns",    "--auto-dedup",    "--manage-cgroups-mode"};
const Flags kRuncRestore = {"--console-socket",
                            "--image-path",
                            "--work-path",
                            "--tcp-established",
                            "--ext-unix-sk",
                            "--shell-job",
                            "--file-locks",
                            "--bundle",
                            "--b",
                            "--manage-cgroups-mode",
                            "--detach",
                            "--d",
                            "--pid-file",
                            "--no-subreaper",
                            "--no-pivot",
                            "--empty-ns",
                            "--auto-dedup",
                            "--lazy-pages",
                            "--lsm-profile",
                            "--lsm-mount-context"};
const Flags kCrunCheckpoint = {"--ext-unix-sk",   "--file-locks",          "--image-path",
                               "--leave-running", "--network-lock",        "--parent-path",
                               "--pre-dump",      "--manage-cgroups-mode", "--shell-job",
                               "--work-path",     "--tcp-established",     "--help",
                               "--usage"};
const Flags kCrunRestore = {
    "--b",          "--bundle",          "--console-socket", "--d",           "--detach",
    "--file-locks", "--ext-unix-sk",     "--image-path",     "--lsm-profile", "--lsm-mount-context",
    "--pid-file",   "--network-lock",    "--shell-job",      "--work-path",   "--manage-cgroups-mode",
    "--help",       "--tcp-established", "--usage"};
const Flags kRunscCheckpoint = {"--compression", "--direct",        "--exclude-committed-zero-pages",
                                "--image-path",  "--leave-running", "--work-path"};
const Flags kRunscRestore = {"--bundle",       "--console-socket", "--detach",   "--direct",   "--image-path",
                             "--no-subreaper", "--pid-file",       "--user-log", "--work-path"};

}  // namespace

TEST_CASE("help: checkpoint's flags are exactly those of each real binary") {
  CHECK(advertised_by("runc-1.1-checkpoint") == kRuncCheckpoint);
  CHECK(advertised_by("runc-1.3-checkpoint") ==
        with(kRuncCheckpoint, {"--tcp-skip-in-flight", "--link-remap"}));
  CHECK(advertised_by("crun-1.21-checkpoint") == kCrunCheckpoint);
  CHECK(advertised_by("crun-1.28-checkpoint") == kCrunCheckpoint);
  CHECK(advertised_by("runsc-2024-checkpoint") == kRunscCheckpoint);
  CHECK(advertised_by("runsc-2026-checkpoint") ==
        with(kRunscCheckpoint, {"--cuda-checkpoint-path", "--cuda-checkpoint-sequential", "--h", "--help",
                                "--save-restore-exec-argv", "--save-restore-exec-timeout"}));
}

TEST_CASE("help: restore's flags are exactly those of each real binary") {
  CHECK(advertised_by("runc-1.1-restore") == kRuncRestore);
  CHECK(advertised_by("runc-1.3-restore") == kRuncRestore);
  CHECK(advertised_by("crun-1.21-restore") == kCrunRestore);
  CHECK(advertised_by("crun-1.28-restore") == with(kCrunRestore, {"--tcp-close"}));
  CHECK(advertised_by("runsc-2024-restore") == kRunscRestore);
  CHECK(advertised_by("runsc-2026-restore") ==
        with(kRunscRestore,
             {"--background", "--fs-restore-direct", "--fs-restore-image-path", "--h", "--help"}));
}

TEST_CASE("help: global flags are read from each real binary") {
  CHECK(advertised_by("runc-1.1-global") == Flags{"--debug", "--log", "--log-format", "--root", "--criu",
                                                  "--systemd-cgroup", "--rootless", "--help", "--h",
                                                  "--version", "--v"});
  CHECK_FALSE(advertised_by("runc-1.3-global").contains("--criu"));
  CHECK(advertised_by("crun-1.28-global") == Flags{"--cgroup-manager", "--debug", "--log", "--log-format",
                                                   "--log-level", "--root", "--rootless", "--systemd-cgroup",
                                                   "--help", "--usage", "--v", "--V", "--version"});
  for (const char* flag :
       {"--root", "--log", "--log-format", "--platform", "--overlay2", "--nvproxy", "--host-uds"}) {
    CHECK(advertised_by("runsc-2024-global").contains(flag));
    CHECK(advertised_by("runsc-2026-global").contains(flag));
  }
  CHECK(advertised_by("runsc-2026-global").contains("--restore-spec-validation"));
  CHECK_FALSE(advertised_by("runsc-2024-global").contains("--restore-spec-validation"));
}

TEST_CASE("help: a flag's words include its wrapped lines") {
  const Advertised crun = parse_help(fixture("help/crun-1.21-checkpoint.txt"));
  const std::string& modes = crun.flags.at("--manage-cgroups-mode");
  for (const char* mode : {"soft", "ignore", "full", "strict"}) CHECK(contains(modes, mode));
  const Advertised runsc = parse_help(fixture("help/runsc-2024-checkpoint.txt"));
  CHECK(contains(runsc.flags.at("--compression"), "none|flate-best-speed"));
  CHECK_FALSE(contains(runsc.flags.at("--compression"), "O_DIRECT"));
}

TEST_CASE("help: words of a description that look like a flag advertise none") {
  CHECK(names(parse_help("      --debug                produce verbose output, similar to\n"
                         "                             --made-up=debug\n")) == Flags{"--debug"});
  CHECK(names(parse_help("  -direct\n    \t--made-up is what this is not\n")) == Flags{"--direct"});
  CHECK(names(parse_help("   --detach, -d  detach, -x would not\n")) == Flags{"--detach", "--d"});
}

TEST_CASE("help: text without flags advertises none") {
  for (const char* text : {"", "\n\n", "unknown command checkpoint\n",
                           "- a list item\n-- another\n--- rule\n", "-", "--", "---x\n", "  -?  help\n"})
    CHECK(names(parse_help(text)).empty());
}

TEST_CASE("help: any bytes are read without harm") {
  std::string noise;
  for (int i = 0; i < 20000; ++i) noise += static_cast<char>((i * 7919 + i / 13) & 0xff);
  CHECK_NOTHROW(parse_help(noise));
  CHECK(names(parse_help("--x\xff\xfe, -y\n")) == Flags{"--x", "--y"});
  CHECK(names(parse_help("--last")) == Flags{"--last"});
}
