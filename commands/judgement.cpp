// The judgements of a restore, asked while the container still runs.
#include "commands/judgement.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "commands/image_obstacles.h"
#include "commands/restore_plan.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/rooted_path.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Verdict = CheckedItem::Verdict;

/// Where bind mounts and masked files are, as they are mounted.
std::vector<std::string> from_host(const json& spec) {
  const std::string root = spec["root"].value("path", "");
  std::vector<std::string> points;
  for (const BindMount& mount : bind_mounts(spec)) points.push_back(resolve_below(root, mount.destination));
  for (const json& path : spec.value("/linux/maskedPaths"_json_pointer, json::array()))
    if (path.is_string()) points.push_back(path.get<std::string>());
  return points;
}

std::vector<std::pair<std::string, std::string>> programs_of(pid_t init) {
  std::vector<std::pair<std::string, std::string>> programs;
  for (const pid_t pid : descendants(init)) {
    std::error_code error;
    const fs::path program = fs::read_symlink(fmt::format("/proc/{}/exe", pid), error);
    if (!error) programs.emplace_back(process_name(pid), program.string());
  }
  return programs;
}

/// Nothing follows a link of the container's out of it.
bool is_mounted_there(pid_t init, const BindMount& mount) {
  const Fd root(::open(fmt::format("/proc/{}/root", init).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Fd there = open_in(root, mount.destination, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  struct stat now = {}, then = {};
  if (!root || !there || ::fstat(there.get(), &then) != 0 || ::stat(mount.source.c_str(), &now) != 0)
    return true;  // it is not known to be another
  return now.st_dev == then.st_dev && now.st_ino == then.st_ino;
}

/// A directory that was moved away, and another one put into its place; one without a name any more is told
/// apart.
std::vector<CheckedItem> other_sources(pid_t init, const json& spec, const std::vector<MountLine>& mounts) {
  std::vector<CheckedItem> items;
  for (const BindMount& mount : bind_mounts(spec)) {
    const auto line = std::find_if(mounts.rbegin(), mounts.rend(),
                                   [&](const MountLine& one) { return one.point == mount.destination; });
    if (line == mounts.rend() || line->deleted || is_mounted_there(init, mount)) continue;
    items.push_back(
        {.item = "mount " + mount.destination,
         .image = "",
         .host = mount.source,
         .verdict = Verdict::differs,
         .reason = fmt::format("'{}' is another one now than the one mounted at '{}', and a restore "
                               "mounts what is there",
                               mount.source, mount.destination)});
  }
  return items;
}

/// config.json may be put back, and another named, when it is restored.
void soften(CheckedItem& item) {
  if (item.item == "config.json" && item.verdict == Verdict::fails) item.verdict = Verdict::differs;
}

CheckedItem thrown(const Error& error) {
  return {.item = "restore",
          .image = "",
          .host = "",
          .verdict = Verdict::fails,
          .reason = error.message,
          .hint = error.hint};
}

void append(std::vector<CheckedItem>& items, std::vector<CheckedItem> more) {
  items.insert(items.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<CheckedItem> judge_mounts(const std::vector<MountLine>& mounts,
                                      const std::vector<std::string>& from_host) {
  std::vector<MountedFact> facts;
  for (const MountLine& mount : mounts) {
    const bool external = std::find(from_host.begin(), from_host.end(), mount.point) != from_host.end();
    facts.push_back({mount.point, external, mount.shared, mount.deleted});
  }
  return check_mounted(facts);
}

/// CRIU has no file to map them from again.
std::vector<CheckedItem> judge_programs(const std::vector<std::pair<std::string, std::string>>& programs) {
  std::vector<std::string> in_memory;
  for (const auto& [name, program] : programs)
    if (program.starts_with("/memfd:")) in_memory.push_back(name);
  if (in_memory.empty()) return {};
  return {{.item = "programs",
           .image = fmt::format("{} in memory", in_memory.size()),
           .host = "",
           .verdict = Verdict::fails,
           .reason = fmt::format("CRIU cannot restore a program that runs from memory (memfd_create): {}",
                                 fmt::join(in_memory, ", ")),
           .hint = "have it run from a file"}};
}

std::vector<CheckedItem> judge_running(const CheckpointPlan& plan) {
  if (!plan.driver().table().shares_host_kernel) return {};
  std::vector<CheckedItem> items;
  if (!plan.config.empty()) {
    const json spec = parse_spec(plan.config, plan.state.bundle + "/config.json");
    const std::vector<MountLine> mounts = mounts_of(plan.state.pid);
    append(items, judge_mounts(mounts, from_host(spec)));
    append(items, other_sources(plan.state.pid, spec, mounts));
  }
  append(items, judge_programs(programs_of(plan.state.pid)));
  return items;
}

std::vector<CheckedItem> judge_image(const Context& context, const CheckpointPlan& plan,
                                     const StagedImage& image, const Manifest& manifest) {
  const Image staged{image.directory(), manifest};
  try {
    std::vector<CheckedItem> items = against_restore(context, staged, plan.criu_version, plan.state.pid);
    std::erase_if(items, [](const CheckedItem& item) { return item.verdict != Verdict::fails; });
    for (CheckedItem& item : items) soften(item);
    return items;
  } catch (const Error& error) {
    if (error.code == ErrorCode::interrupted) throw;
    return {thrown(error)};
  }
}

void heed_judgement(const Context& context, const CheckpointPlan& plan,
                    const std::vector<CheckedItem>& items) {
  for (const CheckedItem& item : items) {
    if (item.verdict == Verdict::differs)
      context.out.warn(fmt::format("container '{}': {}", plan.id(), item.reason));
    else if (item.verdict == Verdict::fails && (!plan.stop || plan.force))
      context.out.warn(
          fmt::format("container '{}' could not be restored on this host: {}", plan.id(), item.reason));
  }
  if (!plan.stop || plan.force) return;
  try {
    require_compatible(items, false);
  } catch (Error& error) {
    error.message = fmt::format("container '{}' is not stopped, since this host could not restore it: {}",
                                plan.id(), error.message);
    error.hint += fmt::format("{}--force stops it all the same, --leave-running saves it and lets it go on",
                              error.hint.empty() ? "" : "; ");
    throw;
  }
}

}  // namespace ckpt
