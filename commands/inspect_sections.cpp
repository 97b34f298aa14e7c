// The page's timeline, what changed since the checkpoint before, and the tables of files, sockets and mounts.
#include "commands/inspect_sections.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "commands/images.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

/// Of a timeline, of a table, and of what a change can list of one kind.
constexpr std::size_t kMostBars = 60, kMostRows = 1000, kMostChanges = 100;

HtmlCell bytes_cell(std::uint64_t bytes) {
  return {human(bytes), std::to_string(bytes)};
}

std::string dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

// ---- timeline

std::optional<double> seconds_of(const Taken& taken, const char* part) {
  if (!taken.manifest) return std::nullopt;
  const auto found = taken.manifest->seconds.find(part);
  return found == taken.manifest->seconds.end() ? std::nullopt : std::optional(found->second);
}

/// Nothing recorded and no pre-copy are not the same.
std::optional<double> pre_copy_of(const Taken& taken) {
  if (!taken.manifest || taken.manifest->pre_dumps.empty()) return std::nullopt;
  double seconds = 0;
  for (const PreDump& round : taken.manifest->pre_dumps) seconds += round.seconds;
  return seconds;
}

std::string seconds_text(double seconds) {
  return fmt::format("{:.3f} s", seconds);
}

HtmlCell seconds_cell(std::optional<double> seconds) {
  return seconds ? HtmlCell{seconds_text(*seconds), fmt::format("{}", *seconds)} : HtmlCell{"-"};
}

std::string ago_text(std::time_t seconds) {
  constexpr std::time_t kMinute = 60, kHour = 3600, kDay = 86400;
  if (seconds < 2 * kMinute) return fmt::format("{} s", seconds);
  if (seconds < 2 * kHour) return fmt::format("{} min", seconds / kMinute);
  return seconds < 2 * kDay ? fmt::format("{} h", seconds / kHour) : fmt::format("{} d", seconds / kDay);
}

/// Between a checkpoint and the one before it in the list.
std::string after_text(const std::vector<Taken>& taken, std::size_t i) {
  const auto now = created_at(taken[i].stored);
  const auto before = i == 0 ? std::nullopt : created_at(taken[i - 1].stored);
  return now && before && *now >= *before ? ago_text(*now - *before) : "-";
}

std::string note_of(const Taken& taken) {
  std::string note = taken.shown ? "this one" : "";
  const auto add = [&](bool holds, const char* text) {
    if (holds) note += (note.empty() ? "" : ", ") + std::string(text);
  };
  add(taken.stored.complete && !taken.manifest, "its manifest cannot be read");
  add(!taken.stored.complete, "incomplete: cut short, or being taken");
  add(taken.stored.pinned, "pinned");
  add(taken.manifest && !taken.manifest->leave_running, "stopped the container");
  return note;
}

HtmlTable timeline_table(const std::vector<Taken>& taken) {
  HtmlTable table{.caption = "Checkpoints of this container in the store",
                  .columns = {{"Checkpoint"},
                              {"Taken (UTC)"},
                              {"After the one before", true},
                              {"Size", true},
                              {"Frozen", true},
                              {"Runtime's dump", true},
                              {"Pre-copy", true},
                              {""}},
                  .rows = {}};
  for (std::size_t i = taken.size() - std::min(taken.size(), kMostRows); i < taken.size(); ++i) {
    const Taken& one = taken[i];
    if (one.shown) table.marked = table.rows.size();
    table.rows.push_back({{one.stored.name},
                          {dash(one.stored.created)},
                          {after_text(taken, i)},
                          bytes_cell(one.stored.bytes),
                          seconds_cell(seconds_of(one, "frozen")),
                          seconds_cell(seconds_of(one, "runtime")),
                          seconds_cell(pre_copy_of(one)),
                          {note_of(one)}});
  }
  return table;
}

HtmlBar bar_of(const Taken& taken, double value, std::string text) {
  const std::string title = fmt::format("{}, {}: {}", taken.stored.name, taken.stored.created, text);
  return {.text = std::move(text), .title = title, .value = value, .marked = taken.shown};
}

HtmlBars bars_of(const char* caption, const std::vector<const Taken*>& taken) {
  return {.caption = caption,
          .bars = {},
          .first = taken.front()->stored.created,
          .last = taken.size() < 2 ? "" : taken.back()->stored.created};
}

/// Of the newest of those that are complete.
std::vector<HtmlBars> timeline_bars(const std::vector<Taken>& taken) {
  std::vector<const Taken*> complete;
  for (const Taken& one : taken)
    if (one.manifest) complete.push_back(&one);
  if (complete.size() < 2) return {};
  if (complete.size() > kMostBars) complete.erase(complete.begin(), complete.end() - kMostBars);
  HtmlBars sizes = bars_of("Size", complete), frozen = bars_of("Time frozen", complete);
  for (const Taken* one : complete) {
    sizes.bars.push_back(bar_of(*one, static_cast<double>(one->stored.bytes), human(one->stored.bytes)));
    const double seconds = seconds_of(*one, "frozen").value_or(0);
    frozen.bars.push_back(bar_of(*one, seconds, seconds_text(seconds)));
  }
  return {sizes, frozen};
}

HtmlTable failure_table(const std::vector<FailureLog>& failures) {
  HtmlTable table{.caption = "Failures",
                  .columns = {{"What failed"}, {"When (UTC)"}, {"Cause"}, {"Meaning"}, {"Log"}},
                  .rows = {}};
  for (const FailureLog& one : failures)
    table.rows.push_back({{one.what},
                          {one.written},
                          {one.cause.empty() ? "no line of the log is a known cause" : one.cause},
                          {dash(one.meaning)},
                          {one.path}});
  return table;
}

// ---- changes

struct Change {
  std::string what, before, now, difference;
};

struct Changes {
  std::vector<Change> changed;
  std::vector<std::string> same;
};

void compare(Changes& changes, const std::string& what, const std::string& before, const std::string& now) {
  if (before == now)
    changes.same.push_back(what);
  else
    changes.changed.push_back({what, dash(before), dash(now), "changed"});
}

std::string signed_size(std::uint64_t before, std::uint64_t now) {
  return now < before ? "\u2212" + human(before - now) : "+" + human(now - before);
}

void compare_bytes(Changes& changes, const std::string& what, std::uint64_t before, std::uint64_t now) {
  if (before == now)
    changes.same.push_back(what);
  else
    changes.changed.push_back({what, human(before), human(now), signed_size(before, now)});
}

/// Things by name, and what there is to say of each.
using Named = std::map<std::string, std::string>;

/// Those that came, went or are described otherwise.
std::vector<Change> differences(const char* what, const Named& before, const Named& now) {
  std::vector<Change> found;
  for (const auto& [name, text] : now) {
    const auto old = before.find(name);
    if (old == before.end())
      found.push_back({fmt::format("{} {}", what, name), "-", text, "new"});
    else if (old->second != text)
      found.push_back({fmt::format("{} {}", what, name), old->second, text, "changed"});
  }
  for (const auto& [name, text] : before)
    if (!now.contains(name)) found.push_back({fmt::format("{} {}", what, name), text, "-", "gone"});
  return found;
}

void add(Changes& changes, const char* all, std::vector<Change> found) {
  const std::size_t count = found.size();
  if (count > kMostChanges) found.resize(kMostChanges);
  changes.changed.insert(changes.changed.end(), found.begin(), found.end());
  if (count > kMostChanges)
    changes.changed.push_back({fmt::format("{}: {} more", all, count - kMostChanges), "", "", ""});
}

void compare_named(Changes& changes, const char* what, const char* all, const Named& before,
                   const Named& now) {
  std::vector<Change> found = differences(what, before, now);
  if (found.empty() && !now.empty()) changes.same.push_back(fmt::format("{} {}", now.size(), all));
  add(changes, all, std::move(found));
}

Named files_of(const Inspection& inspection) {
  Named files;
  for (const ImageOpenFile& file : inspection.contents->files)
    if (inspection.holders.contains(file.id))
      files[file.path + (file.ghost ? " (deleted)" : "")] = file.size ? human(*file.size) : "open";
  return files;
}

std::string socket_name(const ImageSocket& socket) {
  return fmt::format("{} {} {} {}", socket.family, socket.protocol.empty() ? socket.type : socket.protocol,
                     dash(socket.local), dash(socket.remote));
}

Named sockets_of(const Inspection& inspection) {
  Named sockets;
  for (const ImageSocket& socket : inspection.contents->sockets)
    sockets[socket_name(socket)] = socket.state.empty() ? "open" : socket.state;
  return sockets;
}

Named mounts_of(const Manifest& manifest) {
  Named mounts;
  for (const MountFact& mount : manifest.mounts)
    mounts[mount.destination] = fmt::format("{} {}{}{}", dash(mount.type), dash(mount.source),
                                            mount.kind.empty() ? "" : ", ", mount.kind);
  return mounts;
}

/// What the image holds of each process, by pid and name.
std::map<std::pair<int, std::string>, std::uint64_t> memory_of(const Contents& contents) {
  std::map<std::pair<int, std::string>, std::uint64_t> memory;
  for (const InspectedProcess& one : contents.processes)
    memory[{one.process.pid, one.process.comm}] = one.memory.in_image + one.memory.in_parent;
  return memory;
}

void compare_memory(Changes& changes, const Contents& before, const Contents& now) {
  const auto old = memory_of(before), current = memory_of(now);
  std::vector<Change> found;
  const auto name = [](const auto& key) {
    return fmt::format("memory of process {} {}", key.first, key.second);
  };
  std::size_t same = 0;
  for (const auto& [key, bytes] : current)
    if (const auto one = old.find(key); one == old.end())
      found.push_back({name(key), "-", human(bytes), "new"});
    else if (one->second != bytes)
      found.push_back({name(key), human(one->second), human(bytes), signed_size(one->second, bytes)});
    else
      ++same;
  for (const auto& [key, bytes] : old)
    if (!current.contains(key)) found.push_back({name(key), human(bytes), "-", "gone"});
  if (same > 0) changes.same.push_back(fmt::format("memory of {} processes", same));
  add(changes, "memory of processes", std::move(found));
  if (before.shared_memory + now.shared_memory > 0)
    compare_bytes(changes, "memory shared without a file", before.shared_memory, now.shared_memory);
}

void compare_manifests(Changes& changes, const Manifest& before, const Manifest& now) {
  compare(changes, "runtime and CRIU", versions_text(before), versions_text(now));
  compare(changes, "runtime's program", before.target.path, now.target.path);
  compare(changes, "kernel", before.machine.kernel, now.machine.kernel);
  compare(changes, "bundle", before.bundle, now.bundle);
  compare(changes, "digest of config.json", before.config_digest, now.config_digest);
  compare(changes, "options", manifest_to_json(before)["options"].dump(),
          manifest_to_json(now)["options"].dump());
  compare(changes, "gpu", gpu_text(before.gpu), gpu_text(now.gpu));
  compare_named(changes, "mount", "mounts", mounts_of(before), mounts_of(now));
}

Changes changes_between(const Inspection& before, const Inspection& now) {
  Changes changes;
  compare_bytes(changes, "size", before.bytes, now.bytes);
  if (before.contents && now.contents) compare_memory(changes, *before.contents, *now.contents);
  if (before.image.manifest && now.image.manifest)
    compare_manifests(changes, *before.image.manifest, *now.image.manifest);
  if (!before.contents || !now.contents) return changes;
  compare_named(changes, "open file", "open files", files_of(before), files_of(now));
  compare_named(changes, "socket", "sockets", sockets_of(before), sockets_of(now));
  return changes;
}

HtmlTable change_table(const Changes& changes, const std::string& before, const std::string& now) {
  HtmlTable table{.caption = fmt::format("From {} to {}", before, now),
                  .columns = {{"What"}, {"Before", true}, {"Now", true}, {"Difference", true}},
                  .rows = {}};
  for (const Change& one : changes.changed)
    table.rows.push_back({{one.what}, {one.before}, {one.now}, {one.difference}});
  return table;
}

// ---- contents

/// With what was cut off told in the caption.
void cut(HtmlTable& table) {
  if (table.rows.size() <= kMostRows) return;
  table.caption += fmt::format(" (the first {} of {})", kMostRows, table.rows.size());
  table.rows.resize(kMostRows);
}

HtmlTable open_file_table(const Inspection& inspection) {
  HtmlTable table{.caption = "Files that were open, mapped, or a directory of a process",
                  .columns = {{"Path"}, {"Size to have at a restore", true}, {"Flags"}, {"Open as pid:fd"}},
                  .rows = {}};
  std::vector<ImageOpenFile> files = inspection.contents->files;
  std::stable_partition(files.begin(), files.end(),
                        [&](const ImageOpenFile& file) { return inspection.holders.contains(file.id); });
  for (const ImageOpenFile& file : files)
    table.rows.push_back({{file.path + (file.ghost ? " (deleted, in the image)" : "")},
                          file.size ? bytes_cell(*file.size) : HtmlCell{"-"},
                          {open_flags(file.flags)},
                          {holders_text(inspection, file.id, 8, ", ")}});
  return table;
}

HtmlTable socket_table(const Inspection& inspection) {
  HtmlTable table{.caption = "Sockets",
                  .columns = {{"Family"}, {"Protocol"}, {"State"}, {"Local"}, {"Remote"}, {"Open as pid:fd"}},
                  .rows = {}};
  for (const ImageSocket& socket : inspection.contents->sockets)
    table.rows.push_back({{socket.family},
                          {dash(socket.protocol.empty() ? socket.type : socket.protocol)},
                          {dash(socket.state)},
                          {dash(socket.local)},
                          {dash(socket.remote)},
                          {holders_text(inspection, socket.id, 8, ", ")}});
  return table;
}

HtmlTable mount_table(const Contents& contents) {
  HtmlTable table{.caption = "Mounts",
                  .columns = {{"Mount point"}, {"Type"}, {"Source"}, {"Root"}, {"Given again as"}},
                  .rows = {}};
  for (const ImageMount& mount : contents.mounts)
    table.rows.push_back({{mount.mountpoint},
                          {dash(mount.type)},
                          {dash(mount.source)},
                          {dash(mount.root)},
                          {dash(mount.external)}});
  return table;
}

HtmlTable manifest_mount_table(const Manifest& manifest) {
  HtmlTable table{.caption = "Mounts of the configuration",
                  .columns = {{"Mount point"}, {"Type"}, {"Source"}},
                  .rows = {}};
  for (const MountFact& mount : manifest.mounts)
    table.rows.push_back({{mount.destination}, {dash(mount.type)}, {dash(mount.source)}});
  return table;
}

HtmlTable file_table(const Inspection& inspection) {
  HtmlTable table{.caption = "Files of the checkpoint", .columns = {{"File"}, {"Size", true}}, .rows = {}};
  for (const ImageFile& file : inspection.files) table.rows.push_back({{file.path}, bytes_cell(file.size)});
  return table;
}

}  // namespace

HtmlSection timeline_section(const History& history) {
  HtmlSection section{.heading = "Checkpoints", .notes = {}};
  section.notes.push_back(
      "ckpt.json records how long the processes were frozen and how long the runtime's dump took; the whole "
      "command's time is not recorded.");
  section.bars = timeline_bars(history.taken);
  if (!history.taken.empty()) section.tables.push_back(timeline_table(history.taken));
  section.notes.push_back(fmt::format(
      "Failures: ckpt keeps the log of the last checkpoint and of the last restore of a container that "
      "failed "
      "in '{}', until the host is started again, and no list of them.{}",
      history.failures_directory, history.failures.empty() ? " There is none of this container." : ""));
  if (!history.failures.empty()) section.tables.push_back(failure_table(history.failures));
  return section;
}

HtmlSection changes_section(const Before& before, const Inspection& now) {
  HtmlSection section{.heading = "What changed since the one before", .notes = {}};
  if (!before.inspection) {
    section.notes.push_back(before.unread.empty()
                                ? "The store has no earlier checkpoint of this container."
                                : "The checkpoint before it cannot be read: " + before.unread);
    return section;
  }
  const Changes changes = changes_between(*before.inspection, now);
  if (!changes.changed.empty())
    section.tables.push_back(change_table(changes, before.inspection->name, now.name));
  if (!changes.same.empty())
    section.notes.push_back(
        fmt::format("The same as in {}: {}.", before.inspection->name, fmt::join(changes.same, ", ")));
  if (!before.inspection->contents || !now.contents)
    section.notes.push_back(std::string(kOpaque) +
                            "; memory, open files and sockets of processes are not compared.");
  return section;
}

HtmlSection contents_section(const Inspection& inspection) {
  HtmlSection section{.heading = "Contents", .notes = {}};
  if (inspection.contents)
    section.tables = {open_file_table(inspection), socket_table(inspection),
                      mount_table(*inspection.contents)};
  else if (inspection.image.manifest)
    section.tables = {manifest_mount_table(*inspection.image.manifest)};
  section.tables.push_back(file_table(inspection));
  std::erase_if(section.tables, [](const HtmlTable& table) { return table.rows.empty(); });
  for (HtmlTable& table : section.tables) cut(table);
  if (inspection.contents && !inspection.contents->processes.empty())
    section.tables.push_back(mapping_table(inspection));
  return section;
}

}  // namespace ckpt
