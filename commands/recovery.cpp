// Reading a dead holder's note and undoing.
#include "commands/recovery.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "commands/gpu.h"
#include "commands/guarding.h"
#include "commands/left_behind.h"
#include "images/compressed_image.h"
#include "images/manifest.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/network_lock.h"
#include "runtimes/orphans.h"
#include "runtimes/process_group.h"
#include "runtimes/procfs.h"
#include "runtimes/remains.h"

namespace ckpt {

using nlohmann::json;

std::string note_text(const std::string& verb, const CheckpointNote& note) {
  return json_text({{"verb", verb},
                    {"pid", ::getpid()},
                    {"since", now_rfc3339()},
                    {"staging", note.staging},
                    {"scratch", note.scratch},
                    {"unpacked", note.unpacked},
                    {"work", note.work},
                    {"paused", note.paused},
                    {"cuda", note.cuda},
                    {"group", note.group},
                    {"stops", note.stops},
                    {"manifest", note.manifest}});
}

namespace {

void thaw_left_frozen(const Context& context, const Driver& driver, const std::string& id) {
  const auto state = driver.state(id);
  if (!state || state->status != "running") return;
  std::vector<CudaStep> steps;
  const std::size_t thawed = thaw_container(context, driver, *state, spec_of_container(*state), steps).size();
  if (thawed > 0)
    context.out.warn(fmt::format(
        "{} CUDA processes of '{}' had been left frozen by a ckpt that was killed; they run again", thawed,
        id));
}

/// What a dead one had begun to write about the container.
void clear_record(const Context& context, const Driver& driver, const std::string& id) {
  const auto record = context.records.load(driver.target().kind, driver.target().root, id);
  if (!record) return;
  std::vector<fs::path> unfinished;
  std::error_code error;
  for (fs::directory_iterator it(context.records.directory(*record), error), end; !error && it != end;
       it.increment(error))
    if (it->path().filename().string().starts_with('.')) unfinished.push_back(it->path());
  for (const fs::path& file : unfinished) fs::remove(file, error);
  const auto state = driver.state(id);
  if (state && state->status != "stopped") context.records.mark_stopping(*record, "");
}

void undo_dead(const Context& context, const Driver& driver, const std::string& id,
               const std::string& left_behind) {
  const json note = parse_json(left_behind);
  if (!note.is_object()) return;
  if (note.value("paused", false) && run_again(driver, id))
    context.out.warn(
        fmt::format("container '{}' had been left paused by a ckpt that was killed; it runs again", id));
  if (note.value("verb", "") == "checkpoint" && driver.table().uses_criu)
    if (const auto state = driver.state(id)) unlock_network(context, state->pid, id);
  if (note.value("cuda", false)) thaw_left_frozen(context, driver, id);
  clear_record(context, driver, id);
  const fs::path scratch = note.value("scratch", "");
  if (scratch.parent_path() == fs::path(context.globals.state_dir) / "tmp") remove_tree(scratch);
  if (const fs::path work = note.value("work", ""); !work.empty()) remove_cgyard(work);
  const fs::path unpacked = note.value("unpacked", "");
  if (is_unpacking_place(unpacked)) remove_tree(unpacked);
  const fs::path staging = note.value("staging", "");
  const bool unpublished =
      staging.filename().string().starts_with('.') || !fs::exists(staging / kManifestName);
  if (staging.empty() || !fs::exists(staging) || !unpublished) return;
  const auto state = driver.state(id);
  const bool all_that_is_left = note.value("stops", false) && (!state || state->status == "stopped");
  const auto published = all_that_is_left ? publish_left_behind(context, staging, note) : std::nullopt;
  if (published) {
    context.out.warn(fmt::format(
        "published '{}': a ckpt that could not had dumped it of '{}', which it had stopped", *published, id));
  } else if (note.value("stops", false) && !state) {
    context.out.warn(fmt::format(
        "'{}' holds what a ckpt that was killed had dumped of '{}', which is gone; nobody removes it",
        staging.string(), id));
  } else {
    remove_tree(staging);
    context.out.warn(
        fmt::format("removed '{}', an unfinished checkpoint of a ckpt that was killed", staging.string()));
  }
}

/// Whether it is the dump that a note calls it: its number may be another's by now, another dump's too.
bool is_dump(pid_t group, const std::string& scratch) {
  const std::vector<pid_t> members = group_members(group);
  const std::string mark = fmt::format("{}={}", kDumpMark, scratch);
  return !scratch.empty() && std::any_of(members.begin(), members.end(), [&](pid_t pid) {
    const std::vector<std::string> variables = zero_terminated(pid, "environ");
    return std::find(variables.begin(), variables.end(), mark) != variables.end();
  });
}

/// A dump that nobody waits for any more keeps the container frozen. The other verbs of a checkpoint are soon
/// over.
void end_dump(const Context& context, const Driver& driver, const std::string& id, const json& note) {
  if (!note.is_object() || note.value("verb", "") != "checkpoint") return;
  const Target& target = driver.target();
  const std::string directory = context.records.directory(target.kind, target.root, id).string();
  const auto record = context.records.load(target.kind, target.root, id);
  if (const pid_t group = note.value("group", 0); group > 1 && is_dump(group, note.value("scratch", "")))
    end_group(group);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (const auto orphan = orphan_at_work(target, id, directory, record)) {
    const Argv words = zero_terminated(*orphan, "cmdline");
    const bool dumps = std::find(words.begin(), words.end(), "checkpoint") != words.end();
    if (!dumps && std::chrono::steady_clock::now() < until) {
      ::poll(nullptr, 0, 10);
      continue;
    }
    if (::getpgid(*orphan) != *orphan || !end_group(*orphan)) return;
  }
}

}  // namespace

void wait_for_orphans(const Context& context, const Driver& driver, const std::string& id,
                      ContainerLock& lock, std::chrono::milliseconds limit) {
  if (lock.left_behind().empty()) return;
  const auto until =
      std::chrono::steady_clock::now() + context.timeout_or(limit).value_or(std::chrono::hours(24));
  const Target& target = driver.target();
  const std::string directory = context.records.directory(target.kind, target.root, id).string();
  for (;;) {
    const auto record = context.records.load(target.kind, target.root, id);
    const auto orphan = orphan_at_work(target, id, directory, record);
    if (!orphan) return;
    if (std::chrono::steady_clock::now() >= until || interrupted()) {
      lock.hand_on();
      throw_if_interrupted();
      throw Error(
          ErrorCode::busy,
          fmt::format("container '{}' is busy with process {}, which a ckpt that was killed had started", id,
                      *orphan))
          .with_hint("try again when it has ended");
    }
    ::poll(nullptr, 0, 20);
  }
}

void recover(const Context& context, const Driver& driver, const std::string& id, ContainerLock& lock,
             std::chrono::milliseconds limit) {
  try {
    end_dump(context, driver, id, parse_json(lock.left_behind()));
  } catch (const json::exception&) {
    // A note of no ckpt: nothing is known of it.
  }
  wait_for_orphans(context, driver, id, lock, limit);
  try {
    undo_dead(context, driver, id, lock.left_behind());
  } catch (const Error&) {
    lock.hand_on();
    throw;
  } catch (const json::exception&) {
    // A note of no ckpt: nothing is known to undo.
  }
  lock.settled();
}

void keep_log(const Context& context, Error& error, const std::string& name) {
  if (error.code == ErrorCode::interrupted) error.log.clear();
  if (error.log.empty()) return;
  constexpr std::size_t kKept = 8U << 20U;
  const auto text = read_file(error.log, kKept);
  if (!text) return;
  const fs::path kept = fs::path(context.globals.state_dir) / "failed" / name;
  make_private_dirs(kept.parent_path());
  write_file_atomic(kept, *text);
  error.with_log(kept.string());
}

void unlock_network(const Context& context, pid_t init, const std::string& id) {
  if (init > 0 && remove_network_lock(context.runner, fmt::format("/proc/{}/ns/net", init)))
    context.out.warn(
        fmt::format("CRIU was stopped while it had the network of '{}' locked; the network works again", id));
}

}  // namespace ckpt
