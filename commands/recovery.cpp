// Reading a dead holder's note and undoing.
#include "commands/recovery.h"

#include <poll.h>
#include <unistd.h>

#include "commands/gpu.h"
#include "images/compressed_image.h"
#include "images/manifest.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/network_lock.h"
#include "runtimes/orphans.h"

namespace ckpt {

using nlohmann::json;

std::string note_text(const std::string& verb, const CheckpointNote& note) {
  return json_text({{"verb", verb},
                    {"pid", ::getpid()},
                    {"since", now_rfc3339()},
                    {"staging", note.staging},
                    {"scratch", note.scratch},
                    {"unpacked", note.unpacked},
                    {"paused", note.paused},
                    {"cuda", note.cuda},
                    {"stops", note.stops}});
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
  if (note.value("paused", false) && driver.resume_if_paused(id))
    context.out.warn(
        fmt::format("container '{}' had been left paused by a ckpt that was killed; it runs again", id));
  if (note.value("verb", "") == "checkpoint" && driver.table().uses_criu)
    if (const auto state = driver.state(id)) unlock_network(context, state->pid, id);
  if (note.value("cuda", false)) thaw_left_frozen(context, driver, id);
  clear_record(context, driver, id);
  const fs::path scratch = note.value("scratch", "");
  if (scratch.parent_path() == fs::path(context.globals.state_dir) / "tmp") remove_tree(scratch);
  const fs::path unpacked = note.value("unpacked", "");
  if (is_unpacking_place(unpacked)) remove_tree(unpacked);
  const fs::path staging = note.value("staging", "");
  const bool unpublished =
      staging.filename().string().starts_with('.') || !fs::exists(staging / kManifestName);
  if (staging.empty() || !fs::exists(staging) || !unpublished) return;
  if (note.value("stops", false) && !driver.state(id)) {
    context.out.warn(fmt::format(
        "'{}' holds what a ckpt that was killed had dumped of '{}', which is gone; nobody removes it",
        staging.string(), id));
  } else {
    remove_tree(staging);
    context.out.warn(
        fmt::format("removed '{}', an unfinished checkpoint of a ckpt that was killed", staging.string()));
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
