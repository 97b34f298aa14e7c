// ckpt checkpoint: look first, dump into a staged image, publish it, and only then stop the container.
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/utsname.h>

#include "commands/options.h"
#include "commands/recovery.h"
#include "commands/verbs.h"
#include "images/criu_images.h"
#include "images/store.h"
#include "runtimes/criu_log.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/preflight.h"
#include "runtimes/procfs.h"
#include "runtimes/program.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

struct CheckpointOptions {
  std::vector<std::string> ids;
  std::optional<std::string> image_path, work_path;
  CheckpointOpts opts;
  std::string if_busy = "fail";
};

/// One container's way to its checkpoint.
struct Work {
  Found found;
  ContainerState state;
  CheckpointOpts opts;
  bool stop = false;           ///< the user wants it gone afterwards
  bool publish_first = false;  ///< pause, dump leaving it, publish, then delete
  bool pause = false;          ///< ckpt pauses it (it was running)
  std::string criu_version;
  Delivery delivery;
  Findings findings;
};

/// The steps back, in reverse order of the steps forth.
class Undo {
 public:
  void add(std::string name, std::function<void()> step) {
    steps_.emplace_back(std::move(name), std::move(step));
  }
  void forget() { steps_.clear(); }
  /// Runs all; what could not be undone is added to the error.
  void run(Error& error) {
    const HoldInterrupts hold;
    for (; !steps_.empty(); steps_.pop_back()) {
      try {
        steps_.back().second();
      } catch (const Error& failed) {
        error.message += fmt::format("; and could not {}: {}", steps_.back().first, failed.message);
      }
    }
  }

 private:
  std::vector<std::pair<std::string, std::function<void()>>> steps_;
};

void require_checkpointable(const ContainerState& state) {
  if (state.status == "running" || state.status == "paused") return;
  throw Error(ErrorCode::conflict, fmt::format("container '{}' is {}; only a running one can be checkpointed",
                                               state.id, state.status))
      .with_hint(state.status == "created" ? "start it first" : "there is no process to save");
}

/// The look before the dump: refuses what would fail or could not be restored, asks for what is needed.
void heed(const Context& context, Work& work) {
  const Findings& f = work.findings;
  const std::string& id = work.state.id;
  const auto refuse = [&](const std::string& why, const std::string& hint) {
    throw Error(ErrorCode::conflict, fmt::format("container '{}' cannot be checkpointed: {}", id, why))
        .with_runtime(std::string(work.found.driver.table().name))
        .with_hint(hint);
  };
  const std::string sessions = fmt::format("{}", fmt::join(f.exec_sessions, ", "));
  if (!f.exec_sessions.empty() && !work.found.driver.table().shares_host_kernel)
    refuse("exec sessions are alive, and an image with them cannot be restored: " + sessions,
           "end them first");
  if (!f.exec_sessions.empty())
    context.out.warn(
        fmt::format("processes of exec sessions are not part of the checkpoint of '{}': {}", id, sessions));
  if (!f.bad_stdio.empty() && !work.opts.shell_job.value_or(false))
    refuse(fmt::format("{}", fmt::join(f.bad_stdio, "; ")),
           "start it with 'ckpt run', or with pipes or /dev/null as its stdio");
  if (!f.linked_deleted.empty() && !work.opts.link_remap.value_or(false))
    refuse(
        fmt::format("deleted files that have another name are open: {}", fmt::join(f.linked_deleted, ", ")),
        "pass --link-remap (without --leave-running)");
  if (!f.linked_deleted.empty() && !work.stop)
    refuse(fmt::format("--link-remap with --leave-running makes an image that cannot be restored: {}",
                       fmt::join(f.linked_deleted, ", ")),
           "leave --leave-running out");
  if (!f.connections.empty() && !work.opts.allow_open_tcp.value_or(false))
    refuse(fmt::format("it has an established TCP connection, {}", fmt::join(f.connections, ", ")),
           "pass --tcp-established, or close it");
  if (f.host_pid_namespace)
    context.out.warn(
        fmt::format("'{}' shares the host's pid namespace; it restores only while its pids are free", id));
  if (!f.lock_holders.empty()) work.opts.file_locks = true;
  constexpr std::uint64_t kDefaultGhostLimit = 1U << 20U;
  if (f.largest_ghost > kDefaultGhostLimit) work.opts.ghost_limit = f.largest_ghost;
}

/// runc restores into a network namespace that it makes itself with lo down (facts 6.3): such an image looks
/// fine and can never be restored with its connections.
void refuse_lost_network(const Work& work) {
  if (work.findings.connections.empty() || work.found.driver.target().kind != RuntimeKind::runc) return;
  const auto text = read_file(fs::path(work.state.bundle) / "config.json");
  if (!text || !makes_network_namespace(parse_spec(*text, work.state.bundle + "/config.json"))) return;
  throw Error(
      ErrorCode::conflict,
      fmt::format(
          "container '{}' cannot be checkpointed: runc cannot restore its TCP connections into a network "
          "namespace of its own making",
          work.state.id))
      .with_runtime("runc")
      .with_hint("give it a network namespace by path with lo up, or use crun");
}

std::string criu_version(const Context& context) {
  const auto criu = find_program("criu");
  if (!criu)
    throw Error(ErrorCode::unsupported,
                "criu is not installed; runc and crun need it to checkpoint and restore")
        .with_hint("install CRIU (4.2 or newer for kernels from 6.16 on); looked in " + search_path());
  return context.prober.version(*criu);
}

/// A paused container can be dumped since CRIU 4.1; link-remap's files do not outlive a dump that leaves it
/// running.
void choose_strategy(const Context& context, Work& work) {
  const bool criu = work.found.driver.table().uses_criu;
  if (criu) work.criu_version = criu_version(context);
  work.publish_first = work.stop && !work.opts.link_remap.value_or(false) &&
                       (!criu || version_at_least(work.criu_version, 4, 1));
  work.pause = work.publish_first && work.state.status == "running";
  if (!work.stop || work.publish_first)
    work.opts.leave_running = true;
  else
    work.opts.leave_running = std::nullopt;
}

Work examine_container(const Context& context, const CheckpointOptions& o, Found found,
                       const std::string& id) {
  auto state = found.driver.state(id);
  if (!state)
    throw Error(ErrorCode::not_found,
                fmt::format("container '{}' is gone; its last checkpoint is '{}@latest'", id, id));
  require_checkpointable(*state);
  Work work{.found = std::move(found),
            .state = std::move(*state),
            .opts = o.opts,
            .criu_version = {},
            .delivery = {},
            .findings = {}};
  work.stop = !o.opts.leave_running.value_or(false);
  work.findings = examine(work.found.driver, work.state);
  heed(context, work);
  refuse_lost_network(work);
  choose_strategy(context, work);
  return work;
}

Command dump_command(const Context& context, const Work& work, const fs::path& scratch) {
  Command command = work.found.driver.logged("checkpoint", work.delivery.args, scratch / "runtime.log");
  command.timeout = context.timeout_or(seconds(600));
  command.on_interrupt = OnInterrupt::finish;
  // Not its CRIU: a dump cut off in the middle leaves CRIU's parasite in the tasks.
  command.stop_with = [](pid_t runtime) { ::kill(runtime, SIGTERM); };
  if (!work.delivery.criu_config.empty()) command.env["CRIU_CONFIG_FILE"] = (scratch / "criu.conf").string();
  return command;
}

std::vector<Argv> plan(const Context& context, const Work& work) {
  const Driver& driver = work.found.driver;
  std::vector<Argv> commands;
  if (work.pause) commands.push_back(driver.command("pause", {work.state.id}).argv());
  commands.push_back(dump_command(context, work, context.scratch()).argv());
  if (work.publish_first) commands.push_back(driver.command("delete", {"--force", work.state.id}).argv());
  return commands;
}

/// What a complete dump has: CRIU writes inventory.img last of all, runsc checkpoint.img.
void require_complete(const Work& work, const fs::path& images) {
  const char* last = work.found.driver.table().uses_criu ? "inventory.img" : "checkpoint.img";
  std::error_code error;
  if (fs::file_size(images / last, error) > 0 && !error) return;
  throw Error(ErrorCode::runtime_failed, fmt::format("{} reported success, but the image of '{}' has no {}",
                                                     work.found.driver.table().name, work.state.id, last));
}

[[noreturn]] void dump_failed(const Context& context, const Work& work, const Command& command,
                              const Result& result, const fs::path& work_dir, const fs::path& scratch) {
  Error error = work.found.driver.failure(fmt::format("checkpoint of '{}' failed", work.state.id), command,
                                          result, scratch / "runtime.log");
  explain_by_log(error, work_dir / "dump.log");
  keep_log(context, error, work.state.id + ".dump.log");
  throw error;
}

Manifest describe_image(const Work& work, const StagedImage& image, const fs::path& spec_bundle) {
  utsname names = {};
  ::uname(&names);
  const Driver& driver = work.found.driver;
  Manifest m;
  m.id = work.state.id;
  m.target = driver.target();
  m.runtime_version = driver.version();
  m.criu_version = work.criu_version;
  m.bundle = work.found.record ? work.found.record->bundle : work.state.bundle;
  m.log_path = work.found.record ? work.found.record->log_path : "";
  m.created = now_rfc3339();
  m.kernel = names.release;
  m.arch = names.machine;
  m.images = image.images();
  m.leave_running = !work.stop;
  m.guarantee = work.stop && !work.publish_first ? "stopped-by-dump" : "published-first";
  m.options = work.opts;
  if (work.found.record) {
    m.config_digest = work.found.record->config_digest;
    m.terminal = work.found.record->terminal;
    if (work.found.record->stdio_pipes) m.stdio = {"pipe", "pipe", "pipe"};
  } else {
    m.config_digest = digest_of(read_file(spec_bundle / "config.json").value_or(""));
    m.terminal = work.findings.stdio[0] == "tty";
    if (driver.table().shares_host_kernel)
      m.stdio = {work.findings.stdio[0], work.findings.stdio[1], work.findings.stdio[2]};
  }
  return m;
}

/// The configuration that the container runs with, beside its images (checkpointctl reads this name too).
void keep_spec(const Work& work, const StagedImage& image) {
  const fs::path config = fs::path(work.state.bundle) / "config.json";
  if (const auto text = read_file(config)) write_file_atomic(image.directory() / "spec.dump", *text);
}

/// A pause that failed or was cut off may have taken effect or not.
void resume_if_paused(const Driver& driver, const std::string& id) {
  const auto state = driver.state(id);
  if (state && state->status == "paused") driver.resume(id);
}

struct Timings {
  double total = 0, frozen = 0, runtime = 0, publish = 0;
};

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The checkpoint is safe; when the container cannot be removed it goes on, and the user is told.
void delete_published(const Work& work, const std::string& name) {
  const Driver& driver = work.found.driver;
  try {
    driver.remove(work.state.id, true);
  } catch (Error& error) {
    error.message =
        fmt::format("'{}' is taken, but the container could not be stopped: {}", name, error.message);
    try {
      if (work.pause) driver.resume(work.state.id);
    } catch (const Error& left) {
      error.message += "; it is still paused: " + left.message;
    }
    throw error;
  }
}

/// Its monitor must have drained the output and gone, before a restore may write the same log.
void stop_container(const Work& work, const Context& context, const std::string& name) {
  const HoldInterrupts hold;
  if (work.publish_first) delete_published(work, name);
  if (!work.found.record) return;
  wait_for_monitor(*work.found.record, 10'000);
  const Record& record = *work.found.record;
  if (!context.records.exit(record))
    context.records.save_exit(record,
                              {.status = std::nullopt, .finished = now_rfc3339(), .checkpointed_to = {}});
}

json result_json(const Work& work, const StagedImage& image, const Manifest& manifest, const Timings& t) {
  std::uint64_t bytes = 0;
  for (const ImageFile& file : manifest.files) bytes += file.size;
  return {{"id", work.state.id},
          {"runtime", work.found.driver.table().name},
          {"image", image.final_directory().string()},
          {"bytes", bytes},
          {"leave_running", !work.stop},
          {"gpu", {{"strategy", "none"}, {"pids", json::array()}}},
          {"seconds",
           {{"total", t.total},
            {"frozen", t.frozen},
            {"freeze_gpu", 0.0},
            {"runtime", t.runtime},
            {"publish", t.publish}}}};
}

/// Frozen: from the pause to the container's end, else what CRIU says, else (runsc) the whole dump.
json dump_and_publish(const Context& context, Work& work, StagedImage& image, ContainerLock& lock,
                      const fs::path& work_dir) {
  const auto begin = Clock::now();
  const ScopedTree scratch(context.scratch());
  lock.note(note_text("checkpoint", {.staging = image.directory().string(),
                                     .scratch = scratch.path().string(),
                                     .paused = work.pause,
                                     .stops = work.stop && !work.publish_first}));
  make_private_dirs(scratch.path());
  if (!work.delivery.criu_config.empty())
    write_file_atomic(scratch.path() / "criu.conf",
                      fmt::format("{}\n", fmt::join(work.delivery.criu_config, "\n")));
  const Driver& driver = work.found.driver;
  const std::string& id = work.state.id;
  Undo undo;
  Timings t;
  Clock::time_point paused = begin;
  Manifest manifest;
  try {
    image.create();
    make_private_dirs(work_dir);
    keep_spec(work, image);
    if (work.pause) {
      undo.add(fmt::format("resume '{}'", id), [&] { resume_if_paused(driver, id); });
      paused = Clock::now();
      driver.pause(id);
    }
    throw_if_interrupted();
    if (work.stop && work.found.record) {
      undo.add("clear the stop mark", [&] { context.records.mark_stopping(*work.found.record, ""); });
      context.records.mark_stopping(*work.found.record, image.name());
    }
    const Command command = dump_command(context, work, scratch.path());
    const Result result = driver.runner().run(command);
    t.runtime = result.seconds;
    if (!result.ok()) dump_failed(context, work, command, result, work_dir, scratch.path());
    // A dump that has stopped the container is published whatever signal came: it is all that is left of it.
    if (!work.stop || work.publish_first)
      throw_if_interrupted();
    else
      image.keep();
    require_complete(work, image.runtime_images());
    t.frozen = frozen_seconds(work_dir / "stats-dump").value_or(t.runtime);
    const auto publishing = Clock::now();
    manifest = describe_image(work, image, work.state.bundle);
    manifest.files = files_below(image.directory());
    manifest.seconds = {{"runtime", t.runtime}};
    image.publish(manifest, true);
    t.publish = since(publishing);
    undo.forget();
  } catch (Error& error) {
    undo.run(error);
    if (image.kept())
      error.message += fmt::format("; what was dumped is kept in '{}'", image.directory().string());
    throw;
  } catch (const std::exception& error) {
    Error wrapped(ErrorCode::runtime_failed, fmt::format("checkpoint of '{}' failed: {}", id, error.what()));
    undo.run(wrapped);
    throw wrapped;
  }
  if (work.stop) stop_container(work, context, image.name());
  t.total = since(begin);
  if (work.pause) t.frozen = since(paused);
  return result_json(work, image, manifest, t);
}

std::chrono::milliseconds patience(const Context& context, const CheckpointOptions& o) {
  return o.if_busy == "wait" ? context.timeout_or(seconds(600)).value_or(std::chrono::hours(24)) : seconds(0);
}

json checkpoint_one(const Context& context, const CheckpointOptions& o, const std::string& id) {
  const auto begin = Clock::now();
  Found found = context.find(id);
  if (!found.held)
    throw Error(ErrorCode::not_found,
                fmt::format("container '{}' is gone: {} has it no more", id, found.driver.table().name));
  std::unique_ptr<ContainerLock> lock;
  if (!context.globals.dry_run) {
    lock = std::make_unique<ContainerLock>(context.lock_file(found.driver.target(), id), "checkpoint",
                                           patience(context, o));
    recover(context, found.driver, id, *lock);
  }
  Work work = examine_container(context, o, std::move(found), id);
  StagedImage image = o.image_path ? StagedImage::at(absolute_path(*o.image_path))
                                   : StagedImage::in_store(context.globals.store, id);
  const fs::path work_dir = o.work_path ? absolute_path(*o.work_path) : image.directory();
  work.opts.image_path = image.runtime_images().string();
  if (work.found.driver.table().uses_criu || o.work_path) work.opts.work_dir = work_dir.string();
  if (o.work_path && !work.found.driver.table().uses_criu)
    context.out.warn("runsc accepts a work path and writes nothing there");
  work.delivery = checkpoint_delivery(work.found.driver.dialect("checkpoint"), work.opts, id);
  if (context.globals.dry_run) return plan(context, work);
  json result = dump_and_publish(context, work, image, *lock, work_dir);
  result["name"] = image.name();
  result["seconds"]["total"] = since(begin);
  return result;
}

/// Each id on its own; the first failure decides the exit status, after all were tried.
int checkpoint_all(Context& context, const CheckpointOptions& o) {
  if (o.ids.size() > 1 && o.image_path)
    throw Error(ErrorCode::usage,
                "--image-path takes one container; without it each gets its place in the store");
  for (const std::string& id : o.ids) validate_id(id);
  json results = json::array();
  std::optional<Error> failed;
  for (const std::string& id : o.ids) {
    try {
      results.push_back(checkpoint_one(context, o, id));
      if (!context.globals.json && !context.globals.dry_run)
        context.out.line(o.image_path ? results.back()["image"] : results.back()["name"]);
    } catch (const Error& error) {
      if (error.code == ErrorCode::busy && o.if_busy == "skip") {
        context.out.detail(error.message);
        if (!context.globals.dry_run) results.push_back({{"id", id}, {"skipped", error.message}});
        continue;
      }
      if (failed)
        failed->message += "; " + error.message;
      else
        failed = error;
      if (error.code == ErrorCode::interrupted) break;
    }
  }
  if (context.globals.dry_run) {
    std::vector<Argv> commands;
    for (const json& one : results)
      for (const json& argv : one) commands.push_back(argv.get<Argv>());
    if (!failed) context.print_plan(commands);
  } else if (context.globals.json && (o.ids.size() > 1 || !results.empty())) {
    context.out.document(o.ids.size() == 1 ? results[0] : results);
  }
  if (failed) throw *failed;
  return 0;
}

}  // namespace

Action declare_checkpoint(CLI::App& app) {
  auto o = std::make_shared<CheckpointOptions>();
  app.add_option("--image-path", o->image_path,
                 "directory for the images, absent or empty (default: a new one in the store)")
      ->type_name("DIR");
  app.add_option("--work-path,--work-dir", o->work_path,
                 "directory for CRIU's logs (default: the checkpoint's)")
      ->type_name("DIR");
  add_switch(app, "--leave-running", o->opts.leave_running, "let the container go on afterwards");
  add_switch(app, "--tcp-established,--allow-open-tcp", o->opts.allow_open_tcp,
             "save established TCP connections");
  add_switch(app, "--skip-in-flight,--tcp-skip-in-flight", o->opts.skip_in_flight,
             "leave out TCP connections not yet accepted");
  add_switch(app, "--link-remap", o->opts.link_remap, "save deleted files that have another name");
  add_switch(app, "--file-locks", o->opts.file_locks,
             "save file locks (chosen by itself when there are any)");
  add_switch(app, "--ext-unix-sk", o->opts.ext_unix_sk, "allow unix sockets connected outside");
  add_switch(app, "--shell-job", o->opts.shell_job, "allow a terminal of the host as stdio");
  app.add_option("--manage-cgroups-mode", o->opts.manage_cgroups, "what CRIU does with cgroups")
      ->check(one_of({"soft", "full", "strict", "ignore"}));
  app.add_option("--compression", o->opts.compression, "of runsc's image")
      ->check(one_of({"none", "flate-best-speed"}));
  app.add_option("--if-busy", o->if_busy, "when another ckpt works on it")
      ->check(one_of({"fail", "wait", "skip"}));
  app.add_option("ID", o->ids, "containers to checkpoint")->required();
  return [o](Context& context) { return checkpoint_all(context, *o); };
}

}  // namespace ckpt
