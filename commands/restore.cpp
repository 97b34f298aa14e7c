// ckpt restore: check the image and the bundle, bring the container up from it, prove that it lives.
#include "commands/criu.h"
#include "commands/gpu.h"
#include "commands/launching.h"
#include "commands/options.h"
#include "commands/recovery.h"
#include "commands/verbs.h"
#include "gpu/spec_gpus.h"
#include "gpu/tools.h"
#include "images/criu_images.h"
#include "images/digest.h"
#include "images/layer.h"
#include "images/store.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/program.h"
#include "runtimes/roots.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

struct RestoreOptions : LaunchOptions {
  std::optional<std::string> image_path, from, bundle, work_path;
  std::vector<std::string> gpu_map;
  CudaOptions cuda;
  std::optional<bool> replace, force, verify_image;
  RestoreOpts opts;
};

/// Everything that is known before anything is changed.
struct Plan {
  Image image;
  Driver driver;
  Record record;
  json spec;
  LaunchFiles files;
  RestoreOpts opts;
  Delivery delivery;
  std::filesystem::path work_dir;
  std::filesystem::path lower;  ///< below the image's writable layer; empty: it has none
  GpuImage gpu;                 ///< as it is to be brought back: strategy none for nothing
  std::string device_map;
};

Image choose_image(const Context& context, const RestoreOptions& o) {
  if (o.image_path && o.from) throw Error(ErrorCode::usage, "--image-path and --from exclude each other");
  if (o.image_path) return image_at(*o.image_path);
  if (o.from) return find_image(context.globals.store, *o.from);
  if (o.id.empty())
    throw Error(ErrorCode::usage, "nothing to restore: name a container, --from or --image-path")
        .with_hint("'ckpt restore ID' takes the newest checkpoint of ID");
  validate_id(o.id);
  return find_image(context.globals.store, o.id + "@latest");
}

/// An image that a runtime made without us: only its files tell whose it is.
RuntimeKind kind_of_image(const Context& context, const fs::path& images) {
  if (fs::exists(images / "checkpoint.img")) return RuntimeKind::runsc;
  if (!fs::exists(images / "inventory.img"))
    throw Error(ErrorCode::image_invalid,
                fmt::format("'{}' holds no complete image: neither inventory.img nor checkpoint.img",
                            images.string()))
        .with_hint("a dump that failed leaves such a directory; take the checkpoint again");
  const RuntimeTable* asked = context.globals.runtime ? runtime_named(*context.globals.runtime) : nullptr;
  return asked != nullptr ? asked->kind : RuntimeKind::runc;
}

void check_image(const Image& image, bool content) {
  if (content && !image.manifest)
    throw Error(ErrorCode::unsupported,
                fmt::format("'{}' has no manifest of ckpt's to verify it by", image.directory.string()))
        .with_hint("leave --verify-image out");
  if (content)
    check_content(image.directory, *image.manifest);
  else if (image.manifest)
    check_sizes(image.directory, *image.manifest);
  if (fs::exists(image.runtime_images() / "inventory.img")) check_page_sizes(image.runtime_images());
}

Driver choose_driver(const Context& context, const Image& image) {
  const RuntimeKind kind =
      image.manifest ? image.manifest->target.kind : kind_of_image(context, image.runtime_images());
  const RuntimeTable& table = table_of(kind);
  if (context.globals.runtime && table.name != *context.globals.runtime)
    throw Error(ErrorCode::host_incompatible,
                fmt::format("the image in '{}' was made by {}; {} cannot restore it",
                            image.directory.string(), table.name, *context.globals.runtime))
        .with_runtime(std::string(table.name))
        .with_hint(fmt::format("leave --runtime out, or say --runtime {}", table.name));
  return context.driver_for_new(kind, image.manifest ? std::optional(image.manifest->target) : std::nullopt);
}

/// gVisor reads only images of its own version (gVisor's documentation; "header error" and worse otherwise).
void check_version(const Context& context, const Image& image, const Driver& driver) {
  if (!image.manifest || driver.target().kind != RuntimeKind::runsc) return;
  const std::string now = driver.version();
  if (now == image.manifest->runtime_version) return;
  throw Error(ErrorCode::host_incompatible,
              fmt::format("the image was made by runsc {}, '{}' is {}", image.manifest->runtime_version,
                          driver.target().path, now))
      .with_runtime("runsc")
      .with_hint(context.globals.runtime_path ? "name that version with --runtime-path"
                                              : "install that version, or name it with --runtime-path");
}

/// The configuration to restore with: what the container ran with, in the bundle that the user has (now).
/// Another config.json than the one of the checkpoint restores "successfully" and wrongly (facts 2.4), so it
/// is refused.
json choose_spec(const RestoreOptions& o, const Image& image, RuntimeKind kind, Record& record) {
  const bool forced = o.force.value_or(false);
  const std::string directory = o.bundle ? *o.bundle : image.manifest ? image.manifest->bundle : ".";
  const Bundle bundle = read_bundle(directory);
  record.bundle = bundle.directory.string();
  record.config_digest = digest_of(bundle.text);
  const std::string name = (bundle.directory / "config.json").string();
  json spec = prepare_spec(parse_spec(bundle.text, name), bundle.directory, kind, {});
  if (!image.manifest) return spec;
  if (record.config_digest != image.manifest->config_digest) {
    if (forced) return spec;
    throw Error(ErrorCode::host_incompatible,
                fmt::format("'{}' is not the configuration that '{}' was checkpointed with", name,
                            image.manifest->id))
        .with_hint("name the bundle of the checkpoint with --bundle, or --force to restore into this one");
  }
  const auto kept = read_file(image.directory / "spec.dump");
  if (!kept) return spec;
  json then = parse_spec(*kept, (image.directory / "spec.dump").string());
  then["root"]["path"] = spec["root"]["path"];
  return then;
}

/// By default the container's own log goes on, when it keeps its name.
Record new_record(const Context& context, RestoreOptions o, const Image& image, const Driver& driver) {
  if (o.id.empty() && image.manifest) o.id = image.manifest->id;
  if (o.id.empty())
    throw Error(ErrorCode::usage, "the image does not say whose it is; name the container")
        .with_hint("ckpt restore --image-path DIR ID");
  validate_id(o.id);
  Record record = launch_record(context, o, driver.target());
  const bool same_id = image.manifest && image.manifest->id == o.id;
  if (!o.log_path && same_id && !image.manifest->log_path.empty()) record.log_path = image.manifest->log_path;
  return record;
}

/// What the checkpoint was made with, overridden by what the user says now.
RestoreOpts replayed(const RestoreOptions& o, const Image& image) {
  RestoreOpts opts = o.opts;
  if (!image.manifest) return opts;
  const CheckpointOpts& then = image.manifest->options;
  const auto replay = [](auto& now, const auto& before) {
    if (!now) now = before;
  };
  if (!opts.tcp_close.value_or(false)) replay(opts.allow_open_tcp, then.allow_open_tcp);
  replay(opts.link_remap, then.link_remap);
  replay(opts.file_locks, then.file_locks);
  replay(opts.ext_unix_sk, then.ext_unix_sk);
  replay(opts.shell_job, then.shell_job);
  replay(opts.manage_cgroups, then.manage_cgroups);
  replay(opts.ghost_limit, then.ghost_limit);
  return opts;
}

/// As it was frozen, unless the user says otherwise.
GpuImage chosen_gpu(const RestoreOptions& o, const Image& image) {
  GpuImage gpu = image.manifest ? image.manifest->gpu : GpuImage{};
  if (o.cuda.strategy != "auto" && !gpu.processes.empty())
    gpu.strategy = o.cuda.strategy == "off" ? "none" : o.cuda.strategy;
  return gpu;
}

/// Without the tool the container would be restored and, as it cannot be thawed, removed again.
void require_cuda_tool(const Context& context, const Driver& driver, const GpuImage& gpu) {
  if (gpu.strategy == "none" || !driver.table().shares_host_kernel ||
      cuda_checkpoint_program(context.globals.cuda_checkpoint))
    return;
  throw Error(ErrorCode::unsupported,
              "the image has CUDA processes, and there is no cuda-checkpoint on this host")
      .with_hint("install NVIDIA's or ckpt's own; looked in " + search_path());
}

/// The image's writable layer gets a place of the new container's.
fs::path put_layer_over(const Context& context, const Image& image, Record& record, json& spec) {
  if (!image.manifest || !image.manifest->layer) return {};
  const Layer layer = layer_of(context.globals.store, record.target, record.id);
  fs::path lower = spec["root"]["path"].get<std::string>();
  record.layer = layer.home.string();
  spec["root"]["path"] = layer.merged().string();
  return lower;
}

Plan make_plan(const Context& context, const RestoreOptions& o) {
  Image image = choose_image(context, o);
  check_image(image, o.verify_image.value_or(false));
  const Driver chosen = choose_driver(context, image);
  check_version(context, image, chosen);
  if (chosen.table().uses_criu) require_criu();
  const GpuImage gpu = chosen_gpu(o, image);
  require_cuda_tool(context, chosen, gpu);
  const std::string device_map = check_gpus(gpu, o.gpu_map);
  Record record = new_record(context, o, image, chosen);
  json spec = choose_spec(o, image, chosen.target().kind, record);
  Driver driver = fitted_to_gpus(chosen, spec);
  record.target = driver.target();
  record.gpus = named_gpus(gpu_reasons(spec));
  require_bind_sources(spec);
  const fs::path lower = put_layer_over(context, image, record, spec);
  record.terminal = wants_terminal(spec);
  record.stdio_pipes = !record.terminal;
  LaunchFiles files = launch_files(context, record, o.console_socket);
  RestoreOpts opts = replayed(o, image);
  const fs::path work_dir = o.work_path ? absolute_path(*o.work_path) : files.home / "work";
  opts.image_path = image.runtime_images().string();
  if (driver.table().uses_criu || o.work_path) opts.work_dir = work_dir.string();
  opts.bundle_path = files.bundle.string();
  opts.pid_file = files.pid_file.string();
  opts.detach = true;
  if (!files.console_socket.empty()) opts.console_socket = files.console_socket;
  Delivery delivery = restore_delivery(driver.dialect("restore"), opts, record.id);
  return {std::move(image), std::move(driver),   std::move(record), std::move(spec), std::move(files),
          std::move(opts),  std::move(delivery), work_dir,          lower,           gpu,
          device_map};
}

Launch launch_of(const Context& context, const Plan& plan) {
  Launch launch;
  launch.steps = {{"restore", plan.delivery.args}};
  launch.pid_file = plan.files.pid_file.string();
  if (plan.files.own_console) launch.console_socket = plan.files.console_socket;
  launch.runtime_log = plan.files.runtime_log.string();
  if (plan.driver.table().uses_criu) launch.criu_log = (plan.work_dir / "restore.log").string();
  if (!plan.delivery.criu_config.empty())
    launch.env["CRIU_CONFIG_FILE"] = (plan.files.home / "criu.conf").string();
  if (const auto tool = plan.gpu.strategy == "plugin"
                            ? cuda_checkpoint_program(context.globals.cuda_checkpoint)
                            : std::nullopt)
    launch.env["PATH"] = fs::path(*tool).parent_path().string() + ":" + search_path();
  launch.timeout_ms = static_cast<int>(
      std::chrono::milliseconds(context.timeout_or(seconds(600)).value_or(seconds(0))).count());
  launch.is_restore = true;
  return launch;
}

std::vector<Argv> planned_commands(const Plan& plan, const RestoreOptions& o) {
  std::vector<Argv> commands;
  if (o.replace.value_or(false) && holds(plan.driver.target(), plan.record.id))
    commands.push_back(plan.driver.command("delete", {"--force", plan.record.id}).argv());
  commands.push_back(plan.driver.logged("restore", plan.delivery.args, plan.files.runtime_log).argv());
  return commands;
}

/// The id must be free; with --replace whoever has it is removed, as late as possible.
void free_the_id(const Context& context, const Plan& plan, bool replace) {
  const std::string& id = plan.record.id;
  const auto state = plan.driver.state(id);
  if (!state) return;
  if (!replace)
    throw Error(ErrorCode::conflict,
                fmt::format("container '{}' exists already and is {}", id, state->status))
        .with_runtime(std::string(plan.driver.table().name))
        .with_hint("--replace removes it first; another id restores beside it");
  remove_by_force(context, plan.driver, id);
}

void prepare_files(const Plan& plan) {
  write_bundle(plan.files, plan.spec);
  if (!plan.lower.empty()) {
    const Layer layer{plan.record.layer};
    make_layer(layer);
    unpack_layer(plan.image.directory, layer);
    mount_layer(layer, plan.lower);
  }
  make_private_dirs(plan.work_dir);
  write_criu_config(plan.files.home / "criu.conf", plan.delivery);
}

/// A restore can report success of a process that is dead already: the container is asked, and so is /proc.
void verify(const Context& context, const Plan& plan) {
  const auto state = plan.driver.state(plan.record.id);
  if (state && (state->status == "running" || state->status == "paused") && alive(state->pid)) return;
  const auto exit = context.records.exit(plan.record);
  if (exit && exit->status && *exit->status < 128) {
    context.out.warn(
        fmt::format("'{}' ran on and ended at once with status {}", plan.record.id, *exit->status));
    return;
  }
  throw Error(ErrorCode::verify_failed,
              fmt::format("{} reported the restore of '{}' done, but the container is {}",
                          plan.driver.table().name, plan.record.id, state ? state->status : "gone"))
      .with_runtime(std::string(plan.driver.table().name))
      .with_hint("'ckpt logs' may tell why it ended");
}

/// A container whose GPU state did not come back is taken away again; its image is as good as before.
std::vector<CudaStep> bring_gpu_back(const Context& context, const Plan& plan) {
  if (plan.gpu.strategy == "none") return {};
  const auto state = plan.driver.state(plan.record.id);
  if (!state) return {};
  try {
    auto steps = thaw_restored(context, plan.driver, *state,
                               {.spec = plan.spec,
                                .image = plan.gpu,
                                .device_map = plan.device_map,
                                .restore_log = (plan.work_dir / "restore.log").string()});
    say_steps(context, steps);
    return steps;
  } catch (Error& error) {
    const HoldInterrupts hold;
    error.message += "; the container was removed again, its checkpoint is kept";
    remove_by_force(context, plan.driver, plan.record.id);
    throw;
  }
}

int restore_detached(const Context& context, const RestoreOptions& o, const Plan& plan,
                     Clock::time_point begin) {
  const Launch launch = launch_of(context, plan);
  const auto launching = Clock::now();
  const pid_t pid = launch_detached(context, plan.driver, plan.record, launch, o.pid_file);
  const double runtime = std::chrono::duration<double>(Clock::now() - launching).count();
  verify(context, plan);
  const auto thawing = Clock::now();
  const std::vector<CudaStep> steps = bring_gpu_back(context, plan);
  const double thaw = std::chrono::duration<double>(Clock::now() - thawing).count();
  if (!context.globals.json) {
    context.out.line(plan.record.id);
    return 0;
  }
  context.out.document({{"id", plan.record.id},
                        {"runtime", plan.driver.table().name},
                        {"pid", pid},
                        {"image", plan.image.directory.string()},
                        {"verified", true},
                        {"gpu", {{"strategy", plan.gpu.strategy}, {"steps", steps_json(steps)}}},
                        {"seconds",
                         {{"total", std::chrono::duration<double>(Clock::now() - begin).count()},
                          {"runtime", runtime},
                          {"thaw_gpu", thaw}}}});
  return 0;
}

int restore_container(const Context& context, const RestoreOptions& o) {
  const auto begin = Clock::now();
  const Plan plan = make_plan(context, o);
  const std::string& id = plan.record.id;
  refuse_abbreviation(plan.driver, id);
  if (context.globals.dry_run) {
    if (!o.replace.value_or(false)) free_the_id(context, plan, false);
    context.print_plan(planned_commands(plan, o));
    return 0;
  }
  auto lock =
      std::make_unique<ContainerLock>(context.lock_file(plan.driver.target(), id), "restore", seconds(0));
  recover(context, plan.driver, id, *lock);
  free_the_id(context, plan, o.replace.value_or(false));
  if (plan.gpu.strategy == "manual")
    lock->note(note_text("restore", {.staging = {}, .scratch = {}, .cuda = true}));
  try {
    prepare_files(plan);
    if (plan.record.attached)
      return run_to_its_end(context, plan.driver, plan.record, launch_of(context, plan), o.pid_file,
                            std::move(lock), [&] { bring_gpu_back(context, plan); });
    return restore_detached(context, o, plan, begin);
  } catch (Error& error) {
    keep_log(context, error, id + ".restore.log");
    if (error.code != ErrorCode::verify_failed && !holds(plan.driver.target(), id))
      context.records.remove(plan.record);
    throw;
  }
}

}  // namespace

Action declare_restore(CLI::App& app) {
  auto o = std::make_shared<RestoreOptions>();
  app.add_option("--image-path", o->image_path, "directory with the images")->type_name("DIR");
  app.add_option("--from", o->from, "checkpoint in the store: ID@latest, ID@TIMESTAMP")->type_name("NAME");
  app.add_option("-b,--bundle", o->bundle, "bundle to restore into (default: the one of the checkpoint)")
      ->type_name("DIR");
  app.add_option("--work-path,--work-dir", o->work_path, "directory for CRIU's logs")->type_name("DIR");
  add_switch(app, "-d,--detach", o->detach, "return when it runs again");
  declare_launch_options(app, *o, " (default: its log goes on)");
  add_switch(app, "--tcp-established,--allow-open-tcp", o->opts.allow_open_tcp,
             "restore established TCP connections");
  add_switch(app, "--tcp-close", o->opts.tcp_close, "restore TCP sockets closed");
  add_switch(app, "--link-remap", o->opts.link_remap, "the image has deleted files that had another name");
  add_switch(app, "--file-locks", o->opts.file_locks, "restore file locks");
  add_switch(app, "--ext-unix-sk", o->opts.ext_unix_sk, "the image has unix sockets connected outside");
  add_switch(app, "--shell-job", o->opts.shell_job, "the image has a terminal of the host");
  app.add_option("--manage-cgroups-mode", o->opts.manage_cgroups, "what CRIU does with cgroups")
      ->check(one_of({"soft", "full", "strict", "ignore"}));
  declare_cuda(app, o->cuda, "how CUDA processes are thawed (default: as they were frozen)");
  app.add_option("--gpu-map", o->gpu_map, "onto another GPU: OLD=NEW, each an index or a UUID; repeatable")
      ->type_name("OLD=NEW")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_switch(app, "--replace", o->replace, "remove a container of that id first");
  add_switch(app, "--verify-image", o->verify_image, "read the whole image first and compare its digests");
  add_switch(app, "--force", o->force, "restore although the bundle's config.json is another");
  app.add_option("ID", o->id,
                 "container; its newest checkpoint, or the new name with --from and --image-path");
  return launching_action(o, [o](Context& context) { return restore_container(context, *o); });
}

}  // namespace ckpt
