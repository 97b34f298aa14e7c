// The steps of a checkpoint.
#include "commands/checkpoint_dump.h"

#include "commands/criu.h"
#include "commands/describe.h"
#include "commands/guarding.h"
#include "commands/judgement.h"
#include "commands/progress.h"
#include "commands/recovery.h"
#include "images/compressed_image.h"
#include "images/criu_images.h"
#include "images/criu_mend.h"
#include "images/layer.h"
#include "runtimes/closer_look.h"
#include "runtimes/criu_log.h"
#include "runtimes/diagnosis.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/process_group.h"
#include "runtimes/procfs.h"
#include "runtimes/remains.h"
#include "runtimes/roots.h"

namespace ckpt {
namespace {

using nlohmann::json;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// What a complete dump has: CRIU writes inventory.img last of all, runsc checkpoint.img.
void require_complete(const CheckpointPlan& plan, const fs::path& images) {
  const char* last = plan.driver().table().uses_criu ? "inventory.img" : "checkpoint.img";
  std::error_code error;
  if (fs::file_size(images / last, error) > 0 && !error) return;
  throw Error(ErrorCode::runtime_failed, fmt::format("{} reported success, but the image of '{}' has no {}",
                                                     plan.driver().table().name, plan.id(), last));
}

/// cuda-checkpoint copies a GPU's memory to its process, which grows by it.
std::uint64_t memory_of_cuda_processes(const CheckpointPlan& plan) {
  if (!plan.driver().table().shares_host_kernel) return 0;
  std::vector<pid_t> pids;
  for (const GpuHolder& process : plan.gpu.processes) pids.push_back(process.pid);
  return dumped_memory(pids);
}

std::uint64_t memory_of(const CheckpointPlan& plan) {
  const pid_t init = plan.state.pid;
  return dumped_memory(plan.driver().table().shares_host_kernel ? descendants(init) : std::vector{init});
}

}  // namespace

void Undo::run(Error& error) {
  const HoldInterrupts hold;
  for (; !steps_.empty(); steps_.pop_back()) {
    try {
      steps_.back().second();
    } catch (const Error& failed) {
      error.message += fmt::format("; and could not {}: {}", steps_.back().first, failed.message);
    }
  }
}

/// What the guard and the next holder of the lock must know. CRIU freezes a container that ckpt does not
/// pause.
void Dump::note(ContainerLock& lock, pid_t group) const {
  const bool stops = plan_.stop && !plan_.publish_first;
  lock.note(note_text("checkpoint", {.staging = image_.directory().string(),
                                     .scratch = scratch_.string(),
                                     .work = work_dir_.string(),
                                     .paused = plan_.state.status == "running",
                                     .cuda = plan_.gpu.strategy == CudaStrategy::manual,
                                     .group = group,
                                     .stops = stops,
                                     .manifest = stops ? manifest_to_json(manifest_) : json()}));
}

/// On a full disk the group is still found by its command line.
void Dump::note_group(ContainerLock& lock, pid_t group) const {
  try {
    note(lock, group);
  } catch (const Error& error) {
    context_.out.detail(error.message);
  }
}

void Dump::prepare() {
  make_private_dirs(scratch_);
  write_criu_config(scratch_ / "criu.conf", plan_.delivery);
  image_.create();
  if (plan_.cedana) fs::remove(image_.runtime_images());  // it wants to make that itself
  make_private_dirs(work_dir_);
  // Beside the images; checkpointctl reads this name too.
  if (!plan_.config.empty()) write_file_atomic(image_.directory() / "spec.dump", plan_.config);
  save_state_facts(context_, plan_, image_.directory());
}

/// CUDA calls block from here on. A freeze that fails has brought all back itself.
void Dump::freeze_gpu() {
  paused_ = Clock::now();
  if (plan_.gpu.strategy != CudaStrategy::manual) return;
  {
    const Progress progress(
        context_, "freeze", plan_.id(), [this] { return plan_.gpu.bytes; },
        [this] { return memory_of_cuda_processes(plan_); });
    plan_.gpu.freezer->freeze(plan_.gpu.processes);
  }
  undo_.add(fmt::format("thaw the GPU of '{}'", plan_.id()), [this] {
    if (holds(plan_.driver().target(), plan_.id())) thaw_gpu();
  });
  freeze_gpu_ = seconds_since(paused_);
}

void Dump::thaw_gpu() {
  if (plan_.gpu.strategy == CudaStrategy::manual) plan_.gpu.freezer->thaw(plan_.gpu.processes);
}

/// The dump is good whether its container's GPU comes back or not.
std::optional<Error> Dump::thawed() {
  try {
    thaw_gpu();
  } catch (const Error& error) {
    return error;
  }
  if (freeze_gpu_ > 0) frozen_ = seconds_since(paused_);
  return std::nullopt;
}

void Dump::pause() {
  if (!plan_.pause) return;
  undo_.add(fmt::format("resume '{}'", plan_.id()), [this] { run_again(plan_.driver(), plan_.id()); });
  plan_.driver().pause(plan_.id());
}

/// A CRIU that was killed leaves the network locked and, where it froze the cgroup itself, the container
/// frozen.
void Dump::undo_for_criu() {
  if (!plan_.driver().table().uses_criu) return;
  undo_.add("take CRIU's mounts away", [this] { remove_cgyard(work_dir_); });
  undo_.add("take CRIU's network lock away",
            [this] { unlock_network(context_, plan_.state.pid, plan_.id()); });
  if (!plan_.pause && plan_.state.status == "running")
    undo_.add(fmt::format("resume '{}'", plan_.id()), [this] { run_again(plan_.driver(), plan_.id()); });
}

void Dump::pre_copy() {
  if (plan_.pre_copy) pre_dumps_ = copy_before(context_, plan_, image_, scratch_);
}

/// With the last pre-dump as its parent, if there is one.
Delivery Dump::final_delivery() const {
  if (pre_dumps_.empty()) return plan_.delivery;
  CheckpointOpts opts = plan_.opts;
  opts.parent_path = parent_path(image_, pre_dumps_.back().directory);
  return delivery_of(plan_, opts);
}

/// So that its monitor does not report an exit.
void Dump::mark_stopping() {
  if (!plan_.stop || !plan_.found.record) return;
  undo_.add("clear the stop mark", [this] { context_.records.mark_stopping(*plan_.found.record, ""); });
  context_.records.mark_stopping(*plan_.found.record, image_.name());
}

/// A dump that has stopped the container is published whatever signal came, and kept whatever happens: it is
/// all that is left of it.
void Dump::dump(ContainerLock& lock) {
  throw_if_interrupted();
  {
    const Progress progress(
        context_, "dump", plan_.id(), [this] { return memory_of(plan_); },
        [this] { return bytes_below(image_.runtime_images()); });
    runtime_ = run_dump(context_, plan_, final_delivery(), scratch_, work_dir_, "checkpoint",
                        [&](pid_t group) { note_group(lock, group); });
  }
  const bool goes_on = !plan_.stop || plan_.publish_first;
  if (goes_on) throw_if_interrupted();
  require_complete(plan_, image_.runtime_images());
  if (!goes_on) image_.keep();
  const auto stats = dump_stats(work_dir_ / "stats-dump");
  frozen_ = stats ? stats->frozen : runtime_;
}

/// What it has written, in the same pause as its memory; or after its end.
void Dump::save_layer() {
  if (!plan_.layer.empty()) pack_layer({plan_.layer}, image_.directory());
}

/// What could not be restored is not stopped. A dump that has stopped it already is published in any case.
void Dump::judge() {
  if (!is_judged()) return;
  describe_dump(image_.runtime_images(), manifest_);
  heed_judgement(context_, plan_, judge_image(context_, plan_, image_, manifest_));
}

void Dump::resume() {
  if (!plan_.pause) return;
  plan_.driver().resume(plan_.id());
  frozen_ = seconds_since(paused_);
}

/// What is all that is left of its container is published as it is rather than not at all.
void Dump::compress() {
  if (!compressed_by_ckpt(plan_.opts.compression)) return;
  const Progress progress(
      context_, "compression", plan_.id(), [this] { return bytes_below(image_.directory()); }, bytes_read);
  const std::optional<HoldInterrupts> hold =
      image_.kept() ? std::optional<HoldInterrupts>(std::in_place) : std::nullopt;
  try {
    const CompressionChoice choice = choose_compression(*plan_.opts.compression, image_.runtime_images());
    context_.out.detail(fmt::format("compression: {}{}", choice.text(), choice.why));
    manifest_.options.compression = choice.text();
    if (choice.level) compress_image(image_.directory(), image_.images(), *choice.level, manifest_.files);
  } catch (const std::exception& error) {
    if (!image_.kept()) throw;
    context_.out.warn(fmt::format("'{}' is not compressed: {}", image_.name(), error.what()));
  }
}

/// Facts are optional; an image that is all that is left of its container is not.
void Dump::optional(const std::string& fact, const std::function<void()>& step) {
  try {
    step();
  } catch (const std::exception& error) {
    if (!image_.kept()) throw;
    context_.out.warn(fmt::format("'{}' is published without {}: {}", image_.name(), fact, error.what()));
  }
}

void Dump::publish() {
  const auto begin = Clock::now();
  manifest_.created = now_rfc3339();
  if (!is_judged())
    optional("its processes and open files", [this] { describe_dump(image_.runtime_images(), manifest_); });
  optional("the names of its sockets and the times of its timers put right",
           [this] { mend_files(image_.runtime_images(), plan_.standing.facts.moved_sockets); });
  manifest_.pre_dumps = pre_dumps_;
  manifest_.seconds = {{"runtime", runtime_}, {"frozen", frozen_}, {"freeze_gpu", freeze_gpu_}};
  compress();
  {
    const Progress progress(
        context_, "publication", plan_.id(), [this] { return bytes_below(image_.directory()); }, bytes_read);
    for (const std::string& wrong : image_.publish(manifest_))
      context_.out.warn(fmt::format("'{}' is published, but {}", image_.name(), wrong));
  }
  publish_ = seconds_since(begin);
  undo_.forget();
}

/// What is all that is left of the container is published by the next ckpt that takes its lock.
void Dump::leave(ContainerLock& lock, Error& error) const {
  if (!image_.kept()) return;
  lock.hand_on();
  error.message += fmt::format("; what was dumped is kept in '{}'", image_.directory().string());
  if (error.hint.empty())
    error.with_hint(
        fmt::format("when that is mended, 'ckpt restore {}' publishes it and goes on from it", plan_.id()));
}

json Dump::take(ContainerLock& lock) {
  const ScopedTree scratch(context_.scratch());
  scratch_ = scratch.path();
  std::optional<Error> left_frozen;
  manifest_ = describe_plan(plan_, image_);
  note(lock, 0);
  const Guard guard(guard_argv(context_.globals, plan_.driver().target(), plan_.id()));
  try {
    prepare();
    undo_for_criu();
    pre_copy();
    freeze_gpu();
    pause();
    mark_stopping();
    dump(lock);
    save_layer();
    judge();
    if (!plan_.stop) {
      resume();
      left_frozen = thawed();
    }
    publish();
  } catch (Error& error) {
    undo_.run(error);
    leave(lock, error);
    throw;
  } catch (const std::exception& error) {
    Error wrapped(ErrorCode::runtime_failed,
                  fmt::format("checkpoint of '{}' failed: {}", plan_.id(), error.what()));
    undo_.run(wrapped);
    leave(lock, wrapped);
    throw wrapped;
  }
  if (left_frozen) throw left_frozen->within(fmt::format("'{}' is taken, but", image_.name()));
  if (plan_.stop) stop_container();
  if (plan_.pause && plan_.stop) frozen_ = seconds_since(paused_);
  if (plan_.gpu.freezer) say_steps(context_, plan_.gpu.freezer->steps());
  return result();
}

/// The checkpoint is safe; when the container cannot be removed it goes on, and the user is told.
void Dump::delete_published() {
  try {
    if (plan_.pause) kill_frozen(plan_.driver(), plan_.state);
    plan_.driver().remove(plan_.id(), true);
  } catch (Error& error) {
    error.message = fmt::format("'{}' is taken, but the container could not be stopped: {}", image_.name(),
                                error.message);
    undo_.add("thaw its GPU", [this] { thaw_gpu(); });
    if (plan_.pause) undo_.add("resume it", [this] { run_again(plan_.driver(), plan_.id()); });
    undo_.run(error);
    throw error;
  }
}

/// Its monitor must have drained the output and gone, before a restore may write the same log.
void Dump::stop_container() {
  const HoldInterrupts hold;
  if (plan_.publish_first) delete_published();
  if (!plan_.found.record) return;
  const Record& record = *plan_.found.record;
  wait_for_monitor(record, 10'000);
  if (!plan_.layer.empty()) remove_tree(plan_.layer);
  if (!context_.records.exit(record))
    context_.records.save_exit(record,
                               {.status = std::nullopt, .finished = now_rfc3339(), .checkpointed_to = {}});
}

/// Frozen: from the pause to the container's end, else what CRIU says, else (runsc) the whole dump.
json Dump::result() const {
  json pids = json::array();
  for (const GpuHolder& process : plan_.gpu.processes) pids.push_back(process.pid);
  json gpu = {{"strategy", name_of(plan_.gpu.strategy)}, {"pids", pids}};
  if (plan_.gpu.freezer) gpu["steps"] = steps_json(plan_.gpu.freezer->steps());
  json result = {
      {"id", plan_.id()},
      {"name", image_.name()},
      {"runtime", plan_.driver().table().name},
      {"image", image_.final_directory().string()},
      {"bytes", total_size(manifest_.files)},
      {"leave_running", !plan_.stop},
      {"gpu", gpu},
      {"seconds",
       {{"frozen", frozen_}, {"freeze_gpu", freeze_gpu_}, {"runtime", runtime_}, {"publish", publish_}}}};
  if (!plan_.pre_copy) return result;
  result["pre_dumps"] = to_json(pre_dumps_);
  double seconds = 0;
  for (const PreDump& one : pre_dumps_) seconds += one.seconds;
  result["seconds"]["pre_copy"] = seconds;
  return result;
}

double run_dump(const Context& context, const CheckpointPlan& plan, const Delivery& delivery,
                const fs::path& scratch, const fs::path& work_dir, const std::string& what,
                const std::function<void(pid_t)>& started) {
  Command command = dump_command(context, plan, delivery, scratch);
  pid_t group = 0;
  command.started = [&](pid_t pid) {
    group = pid;
    if (started) started(pid);
  };
  const Result result = plan.driver().runner().run(command);
  if (result.ok()) return result.seconds;
  end_group(group);
  const std::string failed = fmt::format("{} of '{}' failed", what, plan.id());
  Error error = plan.cedana ? command_failure("cedana", failed, command, result, last_error("", result.err))
                            : plan.driver().failure(failed, command, result, scratch / "runtime.log");
  explain_by_log(error,
                 criu_log_of(plan.driver().table().kind,
                             text_at(parse_json(plan.config), {"annotations", "org.criu.config"}),
                             work_dir / "dump.log"),
                 result.seconds);
  keep_log(context, error, plan.id() + ".dump.log");
  throw error;
}

}  // namespace ckpt
