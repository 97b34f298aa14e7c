// ckpt restore: check the image, the host and the bundle, bring the container up from it, prove that it
// lives.
#include <fmt/ranges.h>

#include "commands/container_state.h"
#include "commands/criu.h"
#include "commands/engine_names.h"
#include "commands/engine_restore.h"
#include "commands/gathered.h"
#include "commands/guarding.h"
#include "commands/left_behind.h"
#include "commands/options.h"
#include "commands/privileges.h"
#include "commands/progress.h"
#include "commands/recovery.h"
#include "commands/restore_verify.h"
#include "commands/several.h"
#include "commands/verbs.h"
#include "gpu/tools.h"
#include "images/compressed_image.h"
#include "images/imported.h"
#include "images/layer.h"
#include "images/mapped_root.h"
#include "runtimes/criu_log.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/program.h"
#include "runtimes/roots.h"
#include "runtimes/uts.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

Launch launch_of(const Context& context, const RestorePlan& plan) {
  Launch launch;
  launch.steps = {{"restore", plan.delivery.args, plan.cedana ? plan.cedana->path : ""}};
  launch.pid_file = plan.files.pid_file.string();
  if (plan.files.own_console) launch.console_socket = plan.files.console_socket;
  launch.runtime_log = plan.files.runtime_log.string();
  if (plan.driver.table().uses_criu)
    launch.criu_log =
        criu_log_of(plan.driver.table().kind, text_at(plan.spec, {"annotations", "org.criu.config"}),
                    plan.work_dir / "restore.log")
            .string();
  if (plan.cedana) launch.criu_log = *plan.opts.image_path + "/criu-restore.log";
  if (!plan.delivery.criu_config.empty())
    launch.env["CRIU_CONFIG_FILE"] = (plan.files.home / "criu.conf").string();
  if (const auto tool = plan.gpu.strategy == "plugin"
                            ? cuda_checkpoint_program(context.globals.cuda_checkpoint)
                            : std::nullopt)
    launch.env["PATH"] = fs::path(*tool).parent_path().string() + ":" + search_path();
  launch.timeout_ms = static_cast<int>(
      std::chrono::milliseconds(context.timeout_or(seconds(600)).value_or(seconds(0))).count());
  launch.is_restore = true;
  launch.log_max = context.globals.log_max;
  return launch;
}

std::vector<Argv> planned_commands(const RestorePlan& plan, const RestoreOptions& o) {
  std::vector<Argv> commands;
  if (o.replace.value_or(false) && holds(plan.driver.target(), plan.record.id))
    commands.push_back(plan.driver.command("delete", {"--force", plan.record.id}).argv());
  commands.push_back(plan.cedana
                         ? cedana_command(plan.cedana->path, plan.delivery.args).argv()
                         : plan.driver.logged("restore", plan.delivery.args, plan.files.runtime_log).argv());
  return commands;
}

/// The id must be free; with --replace whoever has it is removed, as late as possible.
void free_the_id(const Context& context, const RestorePlan& plan, bool replace) {
  const std::string& id = plan.record.id;
  const auto state = plan.driver.state(id);
  if (!state) return;
  if (!replace)
    throw Error(ErrorCode::conflict,
                fmt::format("container '{}' exists already and is {}", id, state->status))
        .with_runtime(std::string(plan.driver.table().name))
        .with_hint("--replace removes it first; another id restores beside it");
  if (state->status == "paused") kill_frozen(plan.driver, *state);
  remove_by_force(context, plan.driver, id);
}

/// Before anything else is changed: a damaged image is found here.
std::unique_ptr<ScopedTree> unpack(const Context& context, const RestorePlan& plan) {
  auto unpacked = std::make_unique<ScopedTree>(plan.unpacked);
  if (plan.unpacked.empty()) return unpacked;
  const Progress progress(
      context, "unpacking", plan.record.id, [&] { return bytes_below(plan.image.directory); }, bytes_read);
  unpack_image(plan.image, plan.unpacked);
  check_pages(plan.image, plan.unpacked);
  return unpacked;
}

void lay_down(const RestorePlan& plan) {
  const Layer layer{plan.record.layer};
  const auto& imported = plan.image.manifest->imported;
  const bool ours = !imported || imported->by == "ckpt";
  const Devices devices = from_elsewhere(plan.image) ? Devices::refused : Devices::made;
  make_layer(layer);
  if (ours) unpack_layer(plan.image.directory, layer, devices);
  mount_layer(layer, plan.lower);
  if (!ours) lay_over_layer(plan.image.directory, layer, devices);
}

/// Cedana has CRIU write its log among the images: it gets a directory of links to them.
void link_images(const RestorePlan& plan) {
  const fs::path links = *plan.opts.image_path;
  make_private_dirs(links);
  for (const fs::directory_entry& entry : fs::directory_iterator(plan.images))
    fs::create_symlink(entry.path(), links / entry.path().filename());
}

/// CRIU has become the container's root when it reads them.
void let_mapped_root_read(const RestorePlan& plan) {
  const auto group = mapped_root_group(plan.images);
  if (!group) return;
  let_group_read(plan.images, *group);
  if (!plan.image.manifest || plan.image.manifest->pre_dumps.empty()) return;
  const fs::path home = plan.unpacked.empty() ? plan.image.directory : plan.unpacked;
  let_group_pass(home, *group);
  for (const PreDump& one : plan.image.manifest->pre_dumps) let_group_read(home / one.directory, *group);
}

void prepare_files(const RestorePlan& plan) {
  if (plan.driver.table().uses_criu) let_mapped_root_read(plan);
  write_bundle(plan.files, plan.spec);
  if (plan.cedana) link_images(plan);
  if (!plan.lower.empty()) lay_down(plan);
  make_private_dirs(plan.work_dir);
  write_criu_config(plan.files.home / "criu.conf", plan.delivery);
  give_addresses_back(plan);
  note_addresses(plan.driver, plan.spec, plan.files.home);
}

void name_attached(const RestorePlan& plan) {
  if (plan.hostname.empty()) return;
  if (const auto state = plan.driver.state(plan.record.id)) set_hostname_of(state->pid, plan.hostname);
}

/// One from elsewhere that is not what it should be does not run on.
void verify(const Context& context, const RestorePlan& plan, const RestoreOptions& o) {
  const bool distrusted = from_elsewhere(plan.image) && !o.force.value_or(false);
  if (o.no_verify && !distrusted) return;
  try {
    verify_restored(context, plan);
  } catch (Error& error) {
    if (!distrusted || error.code != ErrorCode::verify_failed) throw;
    const HoldInterrupts hold;
    error.message += "; the container was ended, its image came from elsewhere";
    remove_by_force(context, plan.driver, plan.record.id);
    context.records.remove(plan.record);
    throw;
  }
}

int restore_detached(const Context& context, const RestoreOptions& o, const RestorePlan& plan,
                     Clock::time_point begin, std::unique_ptr<ScopedTree> unpacked) {
  const Launch launch = launch_of(context, plan);
  const auto launching = Clock::now();
  const pid_t pid = [&] {
    const Progress progress(
        context, "restore", plan.record.id, [&] { return bytes_below(plan.image.directory); },
        [] { return std::uint64_t{0}; });
    return launch_detached(context, plan.driver, plan.record, launch, o.pid_file);
  }();
  const double runtime = std::chrono::duration<double>(Clock::now() - launching).count();
  unpacked.reset();
  if (!plan.hostname.empty()) set_hostname_of(pid, plan.hostname);
  bring_state_back(context, plan, !o.no_verify);
  verify(context, plan, o);
  const auto thawing = Clock::now();
  const std::vector<CudaStep> steps = bring_gpu_back(context, plan);
  const double thaw = std::chrono::duration<double>(Clock::now() - thawing).count();
  if (o.probe) probe_restored(plan, *o.probe, o.probe_timeout);
  if (!context.globals.json) {
    context.out.line(plan.record.id);
    return 0;
  }
  context.out.document({{"id", plan.record.id},
                        {"runtime", plan.driver.table().name},
                        {"pid", pid},
                        {"image", plan.image.named().string()},
                        {"verified", !o.no_verify.has_value()},
                        {"gpu", {{"strategy", plan.gpu.strategy}, {"steps", steps_json(steps)}}},
                        {"seconds",
                         {{"total", std::chrono::duration<double>(Clock::now() - begin).count()},
                          {"runtime", runtime},
                          {"thaw_gpu", thaw}}}});
  return 0;
}

/// --check: the table, and status 11 when something fails.
int tell_check(const Context& context, const RestorePlan& plan) {
  const bool fits = std::none_of(plan.host.begin(), plan.host.end(), [](const CheckedItem& one) {
    return one.verdict == CheckedItem::Verdict::fails;
  });
  if (context.globals.json)
    context.out.document(
        {{"image", plan.image.named().string()}, {"compatible", fits}, {"items", to_json(plan.host)}});
  else
    context.out.table({"ITEM", "IMAGE", "HOST", "RESULT"}, to_rows(plan.host));
  require_compatible(plan.host, false);
  return 0;
}

void require_far_source(const RestoreOptions& o) {
  const bool far = o.from && is_far(*o.from);
  if (!far && (o.trust_spec || o.far.any()))
    throw Error(ErrorCode::usage,
                "--trust-spec, --authfile, --rclone-config and --tls-verify go with --from of a far store")
        .with_hint("that is oci:DIR[:TAG], docker://REGISTRY/NAME:TAG or rclone:REMOTE:PATH");
  if (far && o.check.value_or(false))
    throw Error(ErrorCode::usage, "--check changes nothing, and --from would bring an image into the store")
        .with_hint("'ckpt images pull' first, then --check --from its name");
}

/// What is pulled stays in the store, so that the restore can be tried again from there.
RestoreOptions with_near_image(const Context& context, RestoreOptions o) {
  const Brought brought =
      pull_image(context, o.far, {.trust_spec = o.trust_spec, .reuse = true}, *o.from, std::nullopt);
  context.out.detail(fmt::format("pulled '{}' as '{}'", *o.from, brought.name));
  o.from = brought.name;
  return o;
}

int restore_near(const Context& context, const RestoreOptions& o);

int restore_container(const Context& context, RestoreOptions o) {
  require_far_source(o);
  const bool names_checkpoint = o.image_path || o.from || o.id.empty() || o.id.find('@') != std::string::npos;
  if (!names_checkpoint) o.id = id_in_store(context, o.id);
  if (!o.from || !is_far(*o.from)) return restore_near(context, o);
  if (context.globals.dry_run) {
    context.print_plan(planned_pull(context, o.far, *o.from));
    return 0;
  }
  return restore_near(context, with_near_image(context, o));
}

/// The newest checkpoint may be one that a ckpt that is gone could not publish.
void publish_first(const Context& context, const RestoreOptions& o) {
  const std::string name = o.from.value_or(o.id), id = name.substr(0, name.rfind('@'));
  if (!o.check && !context.globals.dry_run && valid_id(id)) recover_left_behind(context, id);
}

int restore_near(const Context& context, const RestoreOptions& o) {
  const auto begin = Clock::now();
  publish_first(context, o);
  RestorePlan plan = plan_restore(context, o);
  const std::string& id = plan.record.id;
  if (o.check) return tell_check(context, plan);
  if (!plan.kept.empty())
    context.out.warn(fmt::format("the image has fixed what '{}' has otherwise: {}; --check shows what",
                                 *o.spec, fmt::join(plan.kept, ", ")));
  refuse_abbreviation(plan.driver, id);
  if (context.globals.dry_run) {
    if (!o.replace.value_or(false)) free_the_id(context, plan, false);
    context.print_plan(planned_commands(plan, o));
    return 0;
  }
  for (const CheckedItem& item : plan.host)
    if (item.item == kEngineItem) context.out.warn(fmt::format("container '{}': {}", id, item.reason));
  auto lock =
      std::make_unique<ContainerLock>(context.lock_file(plan.driver.target(), id), "restore", seconds(0));
  recover(context, plan.driver, id, *lock);
  const bool replace = o.replace.value_or(false);
  if (plan.unpacked.empty() || !replace) free_the_id(context, plan, replace);
  lock->note(note_text("restore", {.staging = {},
                                   .scratch = {},
                                   .unpacked = plan.unpacked.string(),
                                   .work = plan.work_dir.string(),
                                   .cuda = plan.gpu.strategy == "manual"}));
  std::optional<Guard> guard;
  if (plan.gpu.strategy == "manual") guard.emplace(guard_argv(context.globals, plan.driver.target(), id));
  auto unpacked = unpack(context, plan);
  if (!plan.unpacked.empty() && replace) free_the_id(context, plan, replace);
  try {
    prepare_files(plan);
    if (plan.record.attached)
      return run_to_its_end(context, plan.driver, plan.record, launch_of(context, plan), o.pid_file,
                            std::move(lock), [&] {
                              unpacked.reset();
                              if (from_elsewhere(plan.image)) verify(context, plan, o);
                              name_attached(plan);
                              bring_state_back(context, plan, !o.no_verify);
                              plan.copied.reset();
                              bring_gpu_back(context, plan);
                              guard.reset();
                              if (o.probe) probe_restored(plan, *o.probe, o.probe_timeout);
                            });
    return restore_detached(context, o, plan, begin, std::move(unpacked));
  } catch (Error& error) {
    keep_log(context, error, id + ".restore.log");
    if (error.code != ErrorCode::verify_failed && !holds(plan.driver.target(), id))
      context.records.remove(plan.record);
    throw;
  }
}

/// What belongs to one container alone.
void require_for_several(const RestoreOptions& o) {
  if (!o.detach.value_or(false) && !o.check.value_or(false))
    throw Error(ErrorCode::usage,
                "several containers are restored with --detach; ckpt can stay with one only");
  if (o.from || o.image_path || o.bundle || o.spec || o.work_path || o.hostname || o.pid_file || o.log_path ||
      o.console_socket)
    throw Error(ErrorCode::usage,
                "--from, --image-path, --bundle, --spec, --work-path, --hostname, --pid-file, --log-path and "
                "--console-socket are for one container");
}

std::vector<std::string> stopped_by_checkpoints(const Context& context, ListFilter filter) {
  filter.all = true;
  std::vector<std::string> ids;
  for (const Listed& one : listed(context, filter))
    if (one.status == "checkpointed" && (ids.empty() || ids.back() != one.id)) ids.push_back(one.id);
  return ids;
}

/// Each on its own; the first failure decides the exit status, after all were tried.
int restore_several(const Context& context, const RestoreOptions& o) {
  require_for_several(o);
  Gathered out(context.out);
  const Context each = {context.globals, context.runner, context.prober, context.records, out};
  const auto tell = [&] {
    if (context.globals.json && !context.globals.dry_run) context.out.document(out.documents());
  };
  try {
    each_on_its_own(o.all ? stopped_by_checkpoints(context, o.filter) : o.ids, [&](const std::string& name) {
      RestoreOptions one = o;
      one.id = name;
      restore_container(each, one);
    });
  } catch (const Error&) {
    if (!out.documents().empty()) tell();
    throw;
  }
  if (context.globals.json) context.out.document(out.documents());
  return 0;
}

int restore(const Context& context, RestoreOptions o) {
  if (o.all && !o.ids.empty())
    throw Error(ErrorCode::usage, "--all and containers by name exclude each other");
  if (!o.all && (o.filter.manager || !o.filter.filters.empty()))
    throw Error(ErrorCode::usage, "--manager and --filter go with --all");
  if (o.all || o.ids.size() > 1) return restore_several(context, o);
  if (!o.ids.empty()) o.id = o.ids.front();
  return restore_container(context, std::move(o));
}

}  // namespace

Action declare_restore(CLI::App& app) {
  auto o = std::make_shared<RestoreOptions>();
  app.add_option("--image-path", o->image_path, "directory with the images")->type_name("DIR");
  app.add_option(
         "--from", o->from,
         "checkpoint in the store: ID@latest, ID@TIMESTAMP; or pulled from oci:, docker:// or rclone:")
      ->type_name("NAME");
  declare_far(app, o->far, "with --from of a far store: ");
  app.add_flag("--trust-spec", o->trust_spec,
               "with --from of a far store: its configuration may be used, with mounts, devices and hooks");
  for (const char* name : {"--authfile", "--rclone-config", "--tls-verify", "--trust-spec"})
    app.get_option(name)->group("Far stores");
  app.add_option("-b,--bundle", o->bundle, "bundle to restore into (default: the one of the checkpoint)")
      ->type_name("DIR");
  app.add_option("--spec", o->spec, "restore into the specification of a new container")
      ->type_name("FILE|DIR");
  app.add_option(
         "--map-mount", o->map_mounts,
         "another source: OLD=NEW, OLD a mount's destination or the beginning of its source; repeatable")
      ->type_name("OLD=NEW")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--hostname", o->hostname, "another hostname, when it runs again")
      ->type_name("NAME")
      ->check(CLI::Validator([](std::string& name) { return no_hostname(name); }, "NAME"));
  app.add_option("--work-path,--work-dir", o->work_path, "directory for CRIU's logs")->type_name("DIR");
  add_switch(app, "-d,--detach", o->detach, "return when it runs again");
  declare_launch_options(app, *o, " (default: its log goes on)");
  add_switch(app, "--tcp-established,--allow-open-tcp", o->opts.allow_open_tcp,
             "restore established TCP connections");
  add_switch(app, "--tcp-close", o->opts.tcp_close, "restore TCP sockets closed");
  app.add_option("--tcp", o->tcp, "what becomes of TCP connections (default: as the checkpoint did)")
      ->check(one_of({"keep", "close", "auto"}));
  add_switch(app, "--link-remap", o->opts.link_remap, "the image has deleted files that had another name");
  add_switch(app, "--file-locks", o->opts.file_locks, "restore file locks");
  add_switch(app, "--ext-unix-sk", o->opts.ext_unix_sk, "the image has unix sockets connected outside");
  add_switch(app, "--shell-job", o->opts.shell_job, "the image has a terminal of the host");
  app.add_option("--manage-cgroups-mode", o->opts.manage_cgroups, "what CRIU does with cgroups")
      ->check(one_of({"soft", "full", "strict", "ignore"}));
  app.add_option("--network-lock", o->opts.network_lock, "how the checkpoint kept packets out")
      ->check(one_of({"iptables", "nftables", "skip"}));
  app.add_option("--empty-ns", o->opts.empty_ns, "the checkpoint left out what was in the namespace")
      ->check(one_of({"network"}));
  app.add_option("--lsm-profile", o->opts.lsm_profile, "another security profile than the image's")
      ->type_name("TYPE:NAME");
  app.add_option("--lsm-mount-context", o->opts.lsm_mount_context, "another SELinux context of its mounts")
      ->type_name("CONTEXT");
  add_switch(app, "--no-pivot", o->opts.no_pivot, "without pivot_root, for a root on a ramdisk");
  declare_engine(app, o->engine, "who restores: the one that made the image (the default)");
  declare_cuda(app, o->cuda, "how CUDA processes are thawed (default: as they were frozen)");
  app.add_option("--gpu-map", o->gpu_map, "onto another GPU: OLD=NEW, each an index or a UUID; repeatable")
      ->type_name("OLD=NEW")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_switch(app, "--replace", o->replace, "remove a container of that id first");
  add_switch(app, "--verify-image", o->verify_image, "read the whole image first and compare its digests");
  add_switch(app, "--check", o->check, "compare image and host, print the result, change nothing");
  app.add_flag_callback(
      "--verify", [o] { o->no_verify.reset(); }, "prove afterwards that it lives (the default)");
  add_switch(app, "--no-verify", o->no_verify, "do not look at it afterwards");
  app.add_option("--probe", o->probe, "command that must succeed inside, repeated until it does")
      ->type_name("COMMAND")
      ->check(words());
  app.add_option_function<std::string>(
         "--probe-timeout", [o](const std::string& value) { o->probe_timeout = *parse_duration(value); },
         "for how long (default: 30s)")
      ->check(duration());
  add_switch(app, "--force", o->force, "restore although config.json, processor or open files are others");
  for (const char* name :
       {"--engine", "--tcp", "--tcp-established", "--tcp-close", "--link-remap", "--file-locks",
        "--ext-unix-sk", "--shell-job", "--manage-cgroups-mode", "--network-lock", "--empty-ns",
        "--lsm-profile", "--lsm-mount-context", "--no-pivot"})
    app.get_option(name)->group("CRIU");
  for (const char* name : {"--cuda", "--gpu-map"}) app.get_option(name)->group("GPU");
  app.add_flag("--all", o->all, "every container that a checkpoint stopped, as 'ckpt list --all' shows them");
  declare_filter(app, o->filter);
  for (const char* name : {"--all", "--manager", "--filter"}) app.get_option(name)->group("Containers");
  app.add_option("ID", o->ids,
                 "container; its newest checkpoint, or the new name with --from and --image-path");
  return launching_action(o, [o](Context& context) { return restore(context, *o); });
}

}  // namespace ckpt
