// The facts of `ckpt doctor`: programs' own answers, /proc, /sys, the store.
#include <linux/capability.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <future>
#include <sstream>

#include "commands/doctor.h"
#include "runtimes/closer_look.h"
#include "runtimes/diagnosis.h"
#include "runtimes/fs.h"
#include "runtimes/machine.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

struct Said {
  std::string text;     ///< stdout, or stderr where that has nothing
  std::string all;      ///< both
  std::string problem;  ///< did not start, was killed, hung
  bool ok = false;
};

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

Said ask(const Context& context, const std::string& program, const Argv& args) {
  const Result result = context.runner.run({.program = program,
                                            .args = args,
                                            .env = {{"PATH", search_path()}},
                                            .timeout = context.timeout_or(std::chrono::seconds(10)),
                                            .grace = std::chrono::seconds(1)});
  if (result.interrupted) throw interrupted_error(*result.interrupted);
  Said said{blank(result.out) ? result.err : result.out, result.out + "\n" + result.err, {}, result.ok()};
  const std::string command = shell_quote(Command{.program = program, .args = args}.argv());
  if (result.timed_out)
    said.problem = fmt::format("'{}' did not answer in time", command);
  else if (!std::holds_alternative<Exited>(result.outcome))
    said.problem = fmt::format("'{}' {}", command, describe(result.outcome));
  return said;
}

ProgramFacts program_facts(const Context& context, const std::string& path) {
  ProgramFacts facts{.path = path, .version = {}};
  if (path.empty()) return facts;
  const Said said = ask(context, path, {"--version"});
  facts.version = version_in(said.text);
  facts.problem = said.problem;
  if (facts.problem.empty() && facts.version.find_first_of("0123456789") == std::string::npos)
    facts.problem = fmt::format("cannot read a version from '{} --version'", path);
  return facts;
}

RuntimeState runtime_state(const Context& context, const InstalledRuntime& runtime) {
  RuntimeState state{.kind = runtime.kind, .program = program_facts(context, runtime.path)};
  state.wanted = context.globals.runtime.has_value();
  if (state.program.path.empty() || !state.program.problem.empty()) return state;
  const Said help = ask(context, runtime.path, table_of(runtime.kind).verb_help("checkpoint"));
  state.program.problem = help.problem;
  state.checkpoints = parse_help(help.text).has("--image-path");
  return state;
}

// ---- CRIU

/// The line that is the cause, else the first line.
std::string complaint(const Said& said) {
  if (const Diagnosis known = diagnose(said.all); known.cause.number != 0)
    return std::string(known.cause.text);
  std::istringstream lines(said.all);
  std::string line;
  while (line.empty() && std::getline(lines, line)) continue;
  return line.empty() ? "'criu check' failed without a word" : line;
}

/// nullopt where this CRIU does not know the feature.
std::optional<bool> feature(const Context& context, const std::string& criu, const std::string& name) {
  const Said said = ask(context, criu, {"check", "--feature", name});
  if (!said.problem.empty() || said.all.find("Unknown feature") != std::string::npos) return std::nullopt;
  return said.ok;
}

/// `criu check` needs root.
void check_with_criu(const Context& context, CriuState& state) {
  std::map<std::string, std::future<std::optional<bool>>> asked;
  for (const std::string name : {"mem_dirty_track", "seccomp_filters", "cgroupns", "timens"})
    asked.emplace(name, std::async(std::launch::async,
                                   [&, name] { return feature(context, state.program.path, name); }));
  const Said said = ask(context, state.program.path, {"check"});
  state.checked = true;
  if (!said.problem.empty())
    state.check = said.problem;
  else if (!said.ok)
    state.check = complaint(said);
  for (auto& [name, answer] : asked)
    if (const auto known = answer.get()) state.features[name] = *known;
}

CriuState criu_state(const Context& context) {
  CriuState state;
  state.program = program_facts(context, find_program("criu").value_or(""));
  const fs::path plugins = criu_plugin_path().parent_path();
  std::error_code error;
  state.plugins = plugins.string();
  state.plugins_there = fs::is_directory(plugins, error);
  if (!state.program.path.empty() && state.program.problem.empty() && ::geteuid() == 0)
    check_with_criu(context, state);
  return state;
}

// ---- the kernel

/// The hidepid of the mount at /proc; the last one counts.
std::string hidepid_of(const std::string& mounts) {
  std::istringstream lines(mounts);
  std::string value;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" /proc proc ") == std::string::npos) continue;
    const std::size_t at = line.find("hidepid=");
    value = at == std::string::npos ? "" : line.substr(at + 8, line.find_first_of(", ", at) - at - 8);
  }
  return value == "0" || value == "off" ? "" : value;
}

std::string file_text(const char* path) {
  return read_file(path).value_or("");
}

KernelState kernel_state() {
  const MachineFacts machine = machine_facts();
  std::error_code error;
  const std::string pid_max = file_text("/proc/sys/kernel/pid_max");
  // Version 2 can freeze since Linux 5.2.
  return {.release = machine.kernel,
          .cgroups = machine.cgroups,
          .cgroup2_busy = !blank(file_text("/sys/fs/cgroup/unified/cgroup.controllers")),
          .freezer = machine.cgroups == "v2" ? version_at_least(machine.kernel, 5, 2)
                                             : fs::is_directory("/sys/fs/cgroup/freezer", error),
          .ns_last_pid = fs::exists("/proc/sys/kernel/ns_last_pid", error),
          .pid_max = std::strtoll(pid_max.c_str(), nullptr, 10),
          .seccomp = fs::exists("/proc/sys/kernel/seccomp/actions_avail", error),
          .hidepid = hidepid_of(file_text("/proc/self/mounts")),
          .root = ::geteuid() == 0,
          .resource = has_capability(CAP_SYS_RESOURCE)};
}

bool kernel_has_overlayfs(const std::string& release) {
  std::error_code error;
  const fs::path modules = fs::path("/lib/modules") / release / "kernel/fs/overlayfs";
  return file_text("/proc/filesystems").find("\toverlay\n") != std::string::npos ||
         fs::exists(modules, error);
}

// ---- directories

std::string filesystem_name(long type) {
  struct Row {
    unsigned long type;
    const char* name;
  };
  // linux/magic.h, and the file systems' own headers.
  constexpr Row kRows[] = {{0xEF53, "ext4"},      {0x58465342, "xfs"},     {0x9123683E, "btrfs"},
                           {0x01021994, "tmpfs"}, {0x794C7630, "overlay"}, {0x6969, "nfs"},
                           {0x65735546, "fuse"},  {0x4D44, "vfat"},        {0x01021997, "9p"},
                           {0xFF534D42, "cifs"},  {0x2FC12FC1, "zfs"}};
  for (const Row& row : kRows)
    if (row.type == (static_cast<unsigned long>(type) & 0xFFFFFFFFUL)) return row.name;
  return "";
}

DirectoryState directory_state(const std::string& path) {
  DirectoryState state{.path = absolute_path(path).string()};
  fs::path there = state.path;
  std::error_code error;
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  struct stat status = {};
  struct statvfs space = {};
  struct statfs type = {};
  if (::stat(there.c_str(), &status) != 0 || ::statvfs(there.c_str(), &space) != 0 ||
      ::statfs(there.c_str(), &type) != 0) {
    state.problem = "cannot be looked at: " + errno_text(errno);
    return state;
  }
  state.exists = there == fs::path(state.path);
  if (!S_ISDIR(status.st_mode)) state.problem = state.exists ? "is no directory" : "has a file in its path";
  state.mode = status.st_mode & 07777U;
  state.owner = status.st_uid;
  state.filesystem = filesystem_name(type.f_type);
  state.read_only = (space.f_flag & ST_RDONLY) != 0;
  state.free = space.f_bavail * space.f_frsize;
  state.total = space.f_blocks * space.f_frsize;
  return state;
}

std::vector<OwnFile> own_files() {
  std::vector<OwnFile> files = {
      {"cuda-checkpoint", false, "only NVIDIA's own freezes CUDA processes"},
      {"cuda-finder", false, "CUDA processes in a sandbox are found with its shell, if it has one"},
      {"libckpt-layer.so", false, "run --overlay, images export and images import do not work"}};
  for (OwnFile& file : files) file.there = own_helper(file.name).has_value();
  return files;
}

}  // namespace

HostState look_at_state(const Context& context) {
  auto criu = std::async(std::launch::async, [&] { return criu_state(context); });
  std::vector<std::future<RuntimeState>> asked;
  for (const InstalledRuntime& runtime : runtimes_of(context))
    asked.push_back(
        std::async(std::launch::async, [&context, runtime] { return runtime_state(context, runtime); }));
  std::error_code error;
  const auto program = [](const char* name) { return find_program(name).value_or(""); };
  HostState host{.runtimes = {},
                 .criu = {},
                 .kernel = kernel_state(),
                 .network = {program("iptables-restore"), program("ip6tables-restore"), program("nft"),
                             fs::exists("/proc/net/if_inet6", error)},
                 .own = own_files(),
                 .store = directory_state(context.globals.store),
                 .state = directory_state(context.globals.state_dir)};
  host.overlayfs = kernel_has_overlayfs(host.kernel.release);
  for (std::future<RuntimeState>& one : asked) host.runtimes.push_back(one.get());
  host.criu = criu.get();
  return host;
}

HostFacts look_at_gpus(const Context& context) {
  HostFacts facts;
  look_at_driver(facts);
  if (facts.driver.empty()) return facts;
  // A memory that cannot be written: what was learned is not kept.
  Prober prober(context.runner, "/dev/null");
  look_at_programs(facts, context.runner, prober, runtimes_of(context),
                   {.cuda_checkpoint = context.globals.cuda_checkpoint,
                    .limit = context.timeout_or(std::chrono::seconds(30))});
  return facts;
}

}  // namespace ckpt
