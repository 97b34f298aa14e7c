// The items of the comparison, each on its own.
#include "commands/compatibility.h"

#include <fmt/ranges.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>

#include "images/criu_facts.h"
#include "images/layer.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Verdict = CheckedItem::Verdict;

CheckedItem same(std::string item, std::string image, std::string host) {
  return {.item = std::move(item), .image = std::move(image), .host = std::move(host)};
}

CheckedItem equal_or_differs(std::string item, const std::string& image, const std::string& host,
                             const std::string& reason) {
  CheckedItem checked = same(std::move(item), image, host);
  if (image != host && !image.empty()) {
    checked.verdict = Verdict::differs;
    checked.reason = reason;
  }
  return checked;
}

CheckedItem check_arch(const Manifest& m, const MachineFacts& now) {
  CheckedItem checked = same("architecture", m.machine.arch, now.arch);
  if (m.machine.arch == now.arch || m.machine.arch.empty()) return checked;
  checked.verdict = Verdict::fails;
  checked.reason = fmt::format("the image is of {}, this host is {}", m.machine.arch, now.arch);
  return checked;
}

/// gVisor reads only images of its own version (gVisor's documentation; "header error" and worse otherwise).
CheckedItem check_runtime(const Manifest& m, const Driver& driver) {
  const std::string now = driver.version();
  CheckedItem checked =
      equal_or_differs(std::string(driver.table().name), m.runtime_version, now, "another version");
  if (driver.table().uses_criu || checked.verdict == Verdict::same) return checked;
  checked.verdict = Verdict::fails;
  checked.reason =
      fmt::format("the image was made by runsc {}, '{}' is {}", m.runtime_version, driver.target().path, now);
  checked.hint = "install that version, or name it with --runtime-path";
  return checked;
}

/// "4.2.1" to {4, 2}; what cannot be read is 0.
std::pair<int, int> leading_numbers(const std::string& version) {
  int major = 0, minor = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) < 1) return {0, 0};
  return {major, minor};
}

CheckedItem check_criu(const Manifest& m, const std::string& now) {
  CheckedItem checked = same("criu", m.criu_version, now);
  if (m.criu_version == now) return checked;
  checked.verdict = Verdict::differs;
  checked.reason = leading_numbers(now) < leading_numbers(m.criu_version)
                       ? "older than the CRIU that made the image, and may not know all that is in it"
                       : "another version";
  return checked;
}

CheckedItem check_config(const RestoreTarget& target) {
  const Manifest& m = *target.image.manifest;
  CheckedItem checked =
      same("config.json", m.config_digest.substr(0, 12), target.config_digest.substr(0, 12));
  if (m.config_digest == target.config_digest) return checked;
  if (m.config_digest.empty()) {
    checked.verdict = Verdict::differs;
    checked.reason = "the image does not say which configuration it was made with";
    return checked;
  }
  checked.verdict = Verdict::fails;
  checked.forced = true;
  checked.reason =
      fmt::format("'{}' is not the configuration that '{}' was checkpointed with", target.config, m.id);
  checked.hint =
      "name the bundle of the checkpoint with --bundle, take what a restored container can take of this one "
      "with "
      "--spec, or --force to restore into it";
  return checked;
}

/// Without a pid namespace of its own an image restores only onto free pids (criu/cr-restore.c "Can't fork").
std::vector<CheckedItem> check_pids(const Manifest& m, pid_t goes) {
  if (m.namespaces.empty() || m.namespaces.contains("pid")) return {};
  std::vector<std::string> taken;
  const std::vector<pid_t> own = goes == 0 ? std::vector<pid_t>() : descendants(goes);
  for (const ProcessFact& one : m.processes)
    if (std::find(own.begin(), own.end(), one.pid) == own.end() &&
        (::kill(one.pid, 0) == 0 || errno == EPERM))
      taken.push_back(fmt::format("{} ('{}')", one.pid, one.comm));
  CheckedItem checked = same("pids", fmt::format("{} of the host's", m.processes.size()), "free");
  if (taken.empty()) return {checked};
  checked.host = fmt::format("{} taken", taken.size());
  checked.verdict = Verdict::fails;
  checked.reason = fmt::format("it shares the host's pid namespace, and these of its pids are taken: {}",
                               fmt::join(taken, ", "));
  checked.hint = "give the container a pid namespace of its own in config.json before the next checkpoint";
  return {checked};
}

std::vector<OpenFileFact> files_of(const RestoreTarget& target) {
  if (target.image.manifest) return target.image.manifest->open_files;
  return image_open_files(target.image.runtime_images());
}

/// Where its content came from and comes from now, and what it is: "dir /srv/data".
CheckedItem check_mount(const ResolvedMount& mount, const HostFiles& files) {
  const auto shown = [](const std::string& kind, const std::string& source) {
    return kind.empty() ? source : fmt::format("{} {}", kind, source);
  };
  const std::string now = mount.now.empty() ? "" : files.kind(mount.now);
  CheckedItem checked = same("mount " + mount.destination, shown(mount.kind, mount.then),
                             now.empty() ? "" : shown(now, mount.now));
  checked.how = mount.how;
  if (mount.now.empty()) {
    checked.reason = fmt::format("no source for the bind mount at '{}': {}", mount.destination, mount.reason);
    checked.hint = fmt::format("name one with --map-mount {}=NEW", mount.destination);
  } else if (now.empty() || (!mount.kind.empty() && now != mount.kind)) {
    checked.reason = now.empty()
                         ? fmt::format("the source '{}' of the bind mount at '{}' does not exist", mount.now,
                                       mount.destination)
                         : fmt::format("the source '{}' of the bind mount at '{}' is a {}, it was a {}",
                                       mount.now, mount.destination, now, mount.kind);
    checked.hint =
        fmt::format("make it again, a file or a directory as it was, or name another with --map-mount {}=NEW",
                    mount.destination);
  } else {
    checked.reason = mount.reason;
    if (!mount.reason.empty()) checked.verdict = Verdict::differs;
    return checked;
  }
  checked.verdict = Verdict::fails;
  return checked;
}

void append(std::vector<CheckedItem>& items, std::vector<CheckedItem> more) {
  items.insert(items.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

std::filesystem::path path_on_host(const std::string& path, const std::vector<SpecMount>& mounts,
                                   const std::string& root, bool& in_root) {
  const SpecMount* best = nullptr;
  for (const SpecMount& mount : mounts) {
    const bool below = path == mount.destination || path.starts_with(mount.destination + "/");
    if (below && (best == nullptr || mount.destination.size() > best->destination.size())) best = &mount;
  }
  in_root = best == nullptr;
  if (in_root) return root + path;
  if (!best->bind) return {};
  return best->source + path.substr(best->destination.size());
}

CheckedItem check_cpu(const MachineFacts& then, const MachineFacts& now) {
  CheckedItem checked =
      same("cpu", fmt::format("{} features", then.cpu.size()), fmt::format("{} features", now.cpu.size()));
  std::vector<std::string> missing;
  std::set_difference(then.cpu.begin(), then.cpu.end(), now.cpu.begin(), now.cpu.end(),
                      std::back_inserter(missing));
  checked.forced = true;
  if (!missing.empty()) {
    checked.verdict = Verdict::fails;
    checked.reason = fmt::format("this processor lacks {}, which the programs of the image may use",
                                 fmt::join(missing, ", "));
    checked.hint = "restore on a processor that has them, or --force when you know that they are not used";
  } else if (then.xsave_bytes > now.xsave_bytes) {
    checked.verdict = Verdict::fails;
    checked.reason = fmt::format("this processor saves {} bytes of registers, the image has {}",
                                 now.xsave_bytes, then.xsave_bytes);
    checked.hint = "restore on a processor like that of the checkpoint";
  } else if (then.cpu != now.cpu && !then.cpu.empty()) {
    checked.verdict = Verdict::differs;
    checked.reason = "this one has more";
  }
  return checked;
}

CheckedItem check_kernel(const std::string& then, const std::string& now) {
  CheckedItem checked = same("kernel", then, now);
  if (then == now || then.empty()) return checked;
  checked.verdict = Verdict::differs;
  checked.reason = leading_numbers(now) < leading_numbers(then)
                       ? "older than that of the checkpoint, and may lack what the image needs"
                       : "another kernel";
  return checked;
}

std::vector<CheckedItem> check_mounts(const std::vector<ResolvedMount>& mounts, const HostFiles& files) {
  std::vector<CheckedItem> items;
  for (const ResolvedMount& mount : mounts) items.push_back(check_mount(mount, files));
  return items;
}

std::vector<CheckedItem> check_files(const std::vector<OpenFileFact>& files, const json& spec,
                                     const std::map<std::string, std::uint64_t>& layer) {
  const std::vector<SpecMount> mounts = spec_mounts(spec);
  const std::string root = spec["root"].value("path", "");
  CheckedItem checked = same("open files", fmt::format("{} with a size", files.size()), "as they were");
  std::vector<std::string> changed;
  bool any_in_root = false;
  for (const OpenFileFact& file : files) {
    bool in_root = false;
    const fs::path path = path_on_host(file.path, mounts, root, in_root);
    if (path.empty() || (in_root && layer.contains(file.path))) continue;
    struct stat now = {};
    if (::stat(path.c_str(), &now) != 0)
      changed.push_back(fmt::format("'{}' does not exist ('{}')", file.path, path.string()));
    else if (static_cast<std::uint64_t>(now.st_size) != file.size)
      changed.push_back(fmt::format("'{}' has {} bytes, it had {} ('{}')", file.path, now.st_size, file.size,
                                    path.string()));
    else
      continue;
    any_in_root = any_in_root || in_root;
  }
  if (changed.empty()) return {checked};
  checked.forced = true;
  checked.host = fmt::format("{} changed", changed.size());
  checked.verdict = Verdict::fails;
  checked.reason = fmt::format("files that its processes have open are not as at the checkpoint: {}",
                               fmt::join(changed, "; "));
  checked.hint = "put them back as they were";
  // What a mount binds is never in the overlay.
  if (any_in_root) checked.hint += "; a container that is run with --overlay takes those of its root along";
  return {checked};
}

std::vector<CheckedItem> check_host(const RestoreTarget& target) {
  std::vector<CheckedItem> items;
  const std::optional<Manifest>& m = target.image.manifest;
  const MachineFacts now = machine_facts();
  if (m) {
    items.push_back(check_arch(*m, now));
    items.push_back(check_cpu(m->machine, now));
    items.push_back(check_kernel(m->machine.kernel, now.kernel));
    items.push_back(equal_or_differs("cgroups", m->machine.cgroups, now.cgroups, "another layout"));
    items.push_back(check_runtime(*m, target.driver));
    if (!m->criu_version.empty()) items.push_back(check_criu(*m, target.criu_version));
    if (!target.new_spec) items.push_back(check_config(target));
    append(items, check_pids(*m, target.goes));
  }
  append(items, check_mounts(target.mounts, this_host()));
  if (target.driver.table().uses_criu)
    append(items, check_files(files_of(target), target.spec,
                              m && m->layer && !target.stands ? layer_files(target.image.directory)
                                                              : std::map<std::string, std::uint64_t>{}));
  return items;
}

void require_compatible(const std::vector<CheckedItem>& items, bool force) {
  std::vector<std::string> reasons, hints;
  for (const CheckedItem& item : items) {
    if (item.verdict != Verdict::fails || (force && item.forced)) continue;
    reasons.push_back(item.reason);
    if (!item.hint.empty() && std::find(hints.begin(), hints.end(), item.hint) == hints.end())
      hints.push_back(item.hint);
  }
  if (reasons.empty()) return;
  throw Error(ErrorCode::host_incompatible, fmt::format("{}", fmt::join(reasons, "; ")))
      .with_hint(fmt::format("{}", fmt::join(hints, "; ")));
}

json to_json(const std::vector<CheckedItem>& items) {
  json out = json::array();
  for (const CheckedItem& one : items) {
    const char* verdict = one.verdict == Verdict::same      ? "same"
                          : one.verdict == Verdict::differs ? "differs"
                                                            : "fails";
    out.push_back({{"item", one.item}, {"image", one.image}, {"host", one.host}, {"result", verdict}});
    if (!one.how.empty()) out.back()["how"] = one.how;
    if (!one.reason.empty()) out.back()["reason"] = one.reason;
  }
  return out;
}

std::vector<std::vector<std::string>> to_rows(const std::vector<CheckedItem>& items) {
  std::vector<std::vector<std::string>> rows;
  for (const CheckedItem& one : items) {
    const std::string result = one.verdict == Verdict::same      ? one.how.empty() ? "ok" : "ok: " + one.how
                               : one.verdict == Verdict::differs ? "differs: " + one.reason
                                                                 : "fails: " + one.reason;
    rows.push_back(
        {one.item, one.image.empty() ? "-" : one.image, one.host.empty() ? "-" : one.host, result});
  }
  return rows;
}

}  // namespace ckpt
