// The judgements of `ckpt doctor`.
#include "runtimes/checkup.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtimes/probe.h"

namespace ckpt {
namespace {

using Status = Check::Status;
using Checks = std::vector<Check>;

constexpr std::uint64_t kMega = 1'000'000, kGiga = 1000 * kMega;

std::string words_on(const ProgramFacts& program) {
  return fmt::format("{} ('{}')", program.version, program.path);
}

bool any_runtime(const HostState& host, bool (*is)(const RuntimeState&)) {
  return std::any_of(host.runtimes.begin(), host.runtimes.end(), is);
}

bool installed_criu_user(const RuntimeState& runtime) {
  return !runtime.program.path.empty() && table_of(runtime.kind).uses_criu;
}

// ---- runtimes

struct OldestRow {
  RuntimeKind kind;
  int major, minor;
  std::string_view text;
};
/// The oldest that ckpt is tested with; runsc's versions are dates.
constexpr OldestRow kOldest[] = {{RuntimeKind::runc, 1, 1, "1.1"}, {RuntimeKind::crun, 1, 21, "1.21"}};

/// How to get one that checkpoints.
std::string other_build(RuntimeKind kind) {
  return kind == RuntimeKind::crun
             ? "install a crun that is built with CRIU; 'crun --version' shows +CRIU then"
             : fmt::format("install another {}, or name one with --runtime-path", table_of(kind).name);
}

Check check_runtime(const RuntimeState& runtime) {
  const ProgramFacts& program = runtime.program;
  const std::string name(table_of(runtime.kind).name);
  Check check{.area = "runtime", .name = name};
  const auto judged = [&](Status status, std::string found, std::string fix) {
    check.status = status;
    check.found = std::move(found);
    check.fix = std::move(fix);
    return check;
  };
  if (program.path.empty()) {
    check.missing = runtime.wanted ? name : "";
    return judged(runtime.wanted ? Status::fails : Status::ok, "not installed",
                  runtime.wanted ? "install it, or name it with --runtime-path" : "");
  }
  if (!program.problem.empty()) return judged(Status::fails, program.problem, other_build(runtime.kind));
  if (!runtime.checkpoints)
    return judged(Status::fails, words_on(program) + ", without checkpoint", other_build(runtime.kind));
  for (const OldestRow& row : kOldest)
    if (row.kind == runtime.kind && !version_at_least(program.version, row.major, row.minor))
      return judged(Status::warning,
                    fmt::format("{}, older than {}, the oldest tested", words_on(program), row.text),
                    fmt::format("install {} {} or newer", name, row.text));
  return judged(Status::ok, words_on(program), "");
}

Checks check_runtimes(const HostState& host) {
  Checks checks;
  for (const RuntimeState& runtime : host.runtimes) checks.push_back(check_runtime(runtime));
  if (!any_runtime(host, [](const RuntimeState& one) { return !one.program.path.empty(); }) &&
      std::none_of(checks.begin(), checks.end(),
                   [](const Check& one) { return one.status == Status::fails; }))
    checks.push_back({"runtime", "any", Status::fails, "none of runc, crun and runsc is installed",
                      "install one, or name it with --runtime and --runtime-path", "runc"});
  return checks;
}

// ---- CRIU

/// Kernel and CRIU that do not go together although `criu check` is content. Source: CRIU's commit 4b7398595.
bool loses_sockets(const HostState& host) {
  return version_at_least(host.kernel.release, 6, 16) && !version_at_least(host.criu.program.version, 4, 2);
}

Check check_criu_version(const HostState& host) {
  const ProgramFacts& criu = host.criu.program;
  const std::string newer = "install CRIU 4.2 or newer";
  if (!criu.problem.empty()) return {"criu", "version", Status::fails, criu.problem, newer, ""};
  if (loses_sockets(host))
    return {"criu",
            "version",
            Status::fails,
            fmt::format("{} cannot dump a process with a TCP socket on kernel {}", words_on(criu),
                        host.kernel.release),
            newer,
            ""};
  if (!version_at_least(criu.version, 4, 1))
    return {"criu",
            "version",
            Status::warning,
            words_on(criu) + ": a container is stopped before its checkpoint is on disk",
            "install CRIU 4.1 or newer",
            ""};
  return {"criu", "version", Status::ok, words_on(criu), "", ""};
}

struct FeatureRow {
  std::string_view feature;
  Status without;
  std::string_view meaning, fix;
};
constexpr FeatureRow kFeatures[] = {
    {"mem_dirty_track", Status::warning, "--pre-copy does not work",
     "boot a kernel with CONFIG_MEM_SOFT_DIRTY for it"},
    {"seccomp_filters", Status::warning, "containers with a seccomp profile cannot be dumped",
     "boot a kernel with CONFIG_SECCOMP_FILTER and CONFIG_CHECKPOINT_RESTORE"},
    {"cgroupns", Status::warning, "containers with a cgroup namespace cannot be restored",
     "boot a kernel with CONFIG_CGROUPS, 4.6 or newer"},
    {"timens", Status::warning, "monotonic clocks may jump in a restored container",
     "boot a kernel with CONFIG_TIME_NS"},
};

Check check_feature(const FeatureRow& row, bool there) {
  if (there) return {"criu", std::string(row.feature), Status::ok, "yes", "", ""};
  return {
      "criu", std::string(row.feature), row.without, fmt::format("no: {}", row.meaning), std::string(row.fix),
      ""};
}

Checks check_criu(const HostState& host) {
  const CriuState& criu = host.criu;
  if (criu.program.path.empty()) {
    const bool needed = any_runtime(host, installed_criu_user);
    return {{"criu", "version", needed ? Status::fails : Status::ok,
             needed ? "not installed; runc and crun cannot checkpoint without it" : "not installed",
             needed ? "install CRIU 4.2 or newer" : "", needed ? "criu" : ""}};
  }
  Checks checks = {check_criu_version(host)};
  if (!criu.program.problem.empty()) return checks;
  if (criu.checked)
    checks.push_back(
        {"criu", "check", criu.check.empty() ? Status::ok : Status::fails,
         criu.check.empty() ? "the kernel has what it needs" : criu.check,
         criu.check.empty() ? "" : "install a CRIU that is newer than the kernel, or see 'criu check'", ""});
  for (const FeatureRow& row : kFeatures)
    if (const auto known = criu.features.find(std::string(row.feature)); known != criu.features.end())
      checks.push_back(check_feature(row, known->second));
  checks.push_back({"criu", "plugins", Status::ok,
                    criu.plugins_there ? criu.plugins : criu.plugins + " is not there: no plugin is loaded",
                    "", ""});
  return checks;
}

// ---- the kernel

Check check_cgroups(const HostState& host) {
  const KernelState& kernel = host.kernel;
  const auto is_crun = [](const RuntimeState& one) {
    return one.kind == RuntimeKind::crun && !one.program.path.empty();
  };
  const auto is_other = [](const RuntimeState& one) {
    return one.kind != RuntimeKind::crun && !one.program.path.empty();
  };
  if (kernel.cgroups == "hybrid" && kernel.cgroup2_busy && any_runtime(host, is_crun))
    return {"kernel",
            "cgroups",
            any_runtime(host, is_other) ? Status::warning : Status::fails,
            "v1 and v2 side by side (hybrid), which crun refuses",
            "boot with systemd.unified_cgroup_hierarchy=1, or use runc",
            ""};
  return {"kernel", "cgroups", Status::ok, kernel.cgroups, "", ""};
}

Check check_pids(const KernelState& kernel) {
  // clone3(2) can choose a pid since 5.5.
  if (!kernel.ns_last_pid && !version_at_least(kernel.release, 5, 5))
    return {"kernel",
            "pids",
            Status::fails,
            "a restore cannot choose pids: there is no ns_last_pid",
            "boot a kernel with CONFIG_CHECKPOINT_RESTORE",
            ""};
  return {"kernel",   "pids",
          Status::ok, kernel.pid_max > 0 ? fmt::format("pid_max is {}", kernel.pid_max) : "can be chosen",
          "",         ""};
}

Checks check_kernel_state(const HostState& host) {
  const KernelState& kernel = host.kernel;
  const auto either = [](bool good, const char* name, const std::string& yes, const std::string& no,
                         const std::string& fix, Status otherwise = Status::warning) {
    return Check{"kernel", name, good ? Status::ok : otherwise, good ? yes : no, good ? "" : fix, ""};
  };
  return {
      either(kernel.root, "root", "yes", "not root: only what files show was looked at",
             "run it with sudo; so do run, checkpoint and restore"),
      either(kernel.resource || !kernel.root, "capabilities", "as many as are needed",
             "no CAP_SYS_RESOURCE: containers with processes of other users than root cannot be dumped",
             "grant it to the container or the service that ckpt runs in"),
      either(true, "release", kernel.release, "", ""),
      check_cgroups(host),
      either(kernel.freezer, "freezer", "yes", "no cgroup freezer: runtimes cannot pause a container",
             "boot a kernel with CONFIG_CGROUP_FREEZER, or mount the freezer's hierarchy"),
      check_pids(kernel),
      either(kernel.seccomp, "seccomp", "yes", "no seccomp filters: bundles that have a profile do not start",
             "boot a kernel with CONFIG_SECCOMP_FILTER"),
      either(kernel.hidepid.empty() || kernel.root, "hidepid",
             kernel.hidepid.empty() ? "off" : "hidepid=" + kernel.hidepid + ", which root does not notice",
             "hidepid=" + kernel.hidepid + ": other users' processes are not seen", "run ckpt as root"),
      either(host.overlayfs, "overlayfs", "yes", "not known to the kernel: run --overlay does not work",
             "modprobe overlay, or boot a kernel with CONFIG_OVERLAY_FS")};
}

// ---- the network

Checks check_network(const HostState& host) {
  const NetworkState& network = host.network;
  const bool needed = any_runtime(host, installed_criu_user);
  const auto program = [](const char* name, const std::string& path, Status without, const char* why,
                          const char* package) {
    if (!path.empty()) return Check{"network", name, Status::ok, path, "", ""};
    if (without == Status::ok) return Check{"network", name, without, "not installed", "", ""};
    return Check{"network",
                 name,
                 without,
                 fmt::format("not installed: {}", why),
                 fmt::format("install {}; cron's PATH is no obstacle, sbin is searched", package),
                 package};
  };
  return {program("iptables-restore", network.iptables, needed ? Status::fails : Status::ok,
                  "CRIU cannot lock the network of a container", "iptables"),
          program("ip6tables-restore", network.ip6tables, needed && network.ipv6 ? Status::fails : Status::ok,
                  "CRIU cannot lock the IPv6 network of a container", "iptables"),
          program("nft", network.nft, Status::ok, "", "nftables")};
}

// ---- ckpt itself

Checks check_own(const HostState& host) {
  Checks checks;
  for (const OwnFile& file : host.own)
    checks.push_back({"ckpt", file.name, file.there ? Status::ok : Status::warning,
                      file.there ? "there" : "not installed: " + file.without,
                      file.there ? "" : "install all of ckpt: 'cmake --install build/release'", ""});
  return checks;
}

// ---- directories

std::string bytes(std::uint64_t n) {
  return n >= kGiga ? fmt::format("{:.1f} GB", static_cast<double>(n) / kGiga)
                    : fmt::format("{:.0f} MB", static_cast<double>(n) / kMega);
}

Check check_directory(const char* name, const DirectoryState& directory, const std::string& option) {
  Check check{.area = "store", .name = name};
  const auto judged = [&](Status status, const std::string& found, const std::string& fix) {
    check.status = status;
    check.found = fmt::format("'{}' {}", directory.path, found);
    check.fix = fix;
    return check;
  };
  if (!directory.problem.empty())
    return judged(Status::fails, directory.problem, "name another with " + option);
  if (directory.read_only)
    return judged(Status::fails, "is on a read-only file system", "name another with " + option);
  if (!directory.exists) return judged(Status::ok, "is made when it is needed", "");
  if (directory.owner != 0)
    return judged(Status::warning, fmt::format("belongs to uid {}", directory.owner),
                  fmt::format("chown root '{}'", directory.path));
  if ((directory.mode & 0077U) != 0)
    return judged(Status::warning,
                  fmt::format("has mode {:04o}: others may look inside", directory.mode & 07777U),
                  fmt::format("chmod 700 '{}'", directory.path));
  return judged(Status::ok, "is there", "");
}

Check check_space(const DirectoryState& store) {
  const std::string found = fmt::format("{} of {} free", bytes(store.free), bytes(store.total));
  const std::string fix = "'ckpt images prune' removes checkpoints by rules, --store names another place";
  if (store.free < 16 * kMega) return {"store", "space", Status::fails, found, fix, ""};
  const bool low = store.free < kGiga || store.free < store.total / 20;
  return {"store", "space", low ? Status::warning : Status::ok, found, low ? fix : "", ""};
}

/// File systems that overlayfs does not take as its upper directory (overlayfs.rst, "Upper and lower").
bool no_upper(const std::string& filesystem) {
  constexpr std::string_view kNot[] = {"overlay", "nfs", "nfs4", "vfat", "exfat", "fuse", "cifs", "9p"};
  return std::find(std::begin(kNot), std::end(kNot), filesystem) != std::end(kNot);
}

Checks check_store(const HostState& host) {
  Checks checks = {check_directory("directory", host.store, "--store")};
  if (host.store.problem.empty() && !host.store.read_only) {
    checks.push_back(check_space(host.store));
    const bool bad = no_upper(host.store.filesystem);
    checks.push_back({"store", "overlay", bad ? Status::warning : Status::ok,
                      fmt::format("{}{}", host.store.filesystem.empty() ? "unknown" : host.store.filesystem,
                                  bad ? ": run --overlay cannot put a container's layer on it" : ""),
                      bad ? "name a store on ext4, xfs, btrfs or tmpfs with --store" : "", ""});
  }
  checks.push_back(check_directory("state", host.state, "CKPT_STATE_DIR"));
  return checks;
}

}  // namespace

std::string_view name_of(Check::Status status) {
  if (status == Status::ok) return "ok";
  return status == Status::warning ? "warning" : "fails";
}

std::vector<Check> check_host_state(const HostState& host) {
  Checks all = check_runtimes(host);
  for (Checks (*part)(const HostState&) :
       {check_criu, check_kernel_state, check_network, check_own, check_store})
    for (Check& check : part(host)) all.push_back(std::move(check));
  return all;
}

}  // namespace ckpt
