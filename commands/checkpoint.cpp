// ckpt checkpoint: look first, dump into a staged image, publish it, and only then stop the container.
#include "commands/checkpoint_check.h"
#include "commands/checkpoint_dump.h"
#include "commands/checkpoint_plan.h"
#include "commands/engine_names.h"
#include "commands/images_far.h"
#include "commands/listing.h"
#include "commands/metrics.h"
#include "commands/options.h"
#include "commands/pre_copy.h"
#include "commands/recovery.h"
#include "commands/retention.h"
#include "commands/schedule.h"
#include "commands/verbs.h"
#include "images/compressed_image.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

CLI::Validator compression() {
  const std::vector<std::string> methods = {"none", "flate-best-speed", "zstd", "auto"};
  return CLI::Validator(
      [methods](std::string& value) {
        if (!value.starts_with("zstd:")) return not_one_of(value, methods);
        return zstd_level(value) ? ""
                                 : fmt::format("'{}' has no level of zstd's; write zstd:1 to zstd:19", value);
      },
      fmt::format("{}", fmt::join(methods, "|")));
}

struct CheckpointOptions {
  std::vector<std::string> ids;
  bool all = false;  ///< every one that runs, after `filter`
  ListFilter filter;
  std::optional<std::string> image_path, work_path;
  CheckpointOpts opts;
  CudaOptions cuda;
  std::string pre_copy;  ///< empty: none
  Retention keep;
  std::string if_busy = "fail", if_not_running = "fail";
  std::size_t retries = 0;
  std::optional<std::chrono::milliseconds> splay;
  std::optional<std::string> metrics_file;
  std::optional<std::string> push;
  FarOptions far;
  bool check = false, explain_flags = false, force = false;
};

CLI::Validator pre_copy_rounds() {
  return CLI::Validator(
      [](std::string& value) {
        return parse_pre_copy(value) ? ""
                                     : "'" + value + "' is neither auto nor a number of rounds from 1 to 99";
      },
      "");
}

std::chrono::milliseconds patience(const Context& context, const CheckpointOptions& o) {
  return o.if_busy == "wait" ? context.timeout_or(seconds(600)).value_or(std::chrono::hours(24)) : seconds(0);
}

/// One try, with an image of its own; for a dry run the commands.
json attempt(const Context& context, const CheckpointOptions& o, const Found& found, const std::string& id,
             ContainerLock* lock) {
  CheckpointPlan plan = plan_checkpoint(context, o.opts, o.cuda, found, id, o.force);
  StagedImage image = o.image_path ? StagedImage::at(absolute_path(*o.image_path))
                                   : StagedImage::in_store(context.globals.store, id);
  const fs::path work_dir = o.work_path ? absolute_path(*o.work_path) : image.directory();
  const bool uses_criu = plan.driver().table().uses_criu;
  plan.opts.image_path = image.runtime_images().string();
  if ((uses_criu && !plan.cedana) || o.work_path) plan.opts.work_dir = work_dir.string();
  if (o.work_path && !uses_criu) context.out.warn("runsc accepts a work path and writes nothing there");
  deliver(plan);
  if (o.explain_flags) explain_choices(context, plan);
  if (!o.pre_copy.empty()) require_pre_copy(context, plan);
  if (!o.pre_copy.empty() && plan.state.status == "running") plan.pre_copy = parse_pre_copy(o.pre_copy);
  if (lock == nullptr) return planned_commands(context, plan, image);
  try {
    return Dump(context, plan, image, work_dir).take(*lock);
  } catch (const Error& error) {
    if (image.kept() || fs::exists(image.final_directory() / kManifestName)) throw NoRetryError(error);
    throw;
  }
}

Error gone(const Context& context, const Found& found, const std::string& id) {
  const auto exit = found.record ? context.records.exit(*found.record) : std::nullopt;
  if (exit && !exit->checkpointed_to.empty())
    return Error(ErrorCode::not_found,
                 fmt::format("container '{}' was stopped by its checkpoint '{}'", id, exit->checkpointed_to))
        .with_hint(fmt::format("'ckpt restore {}' brings it back", id));
  return {ErrorCode::not_found,
          fmt::format("container '{}' is gone: {} has it no more", id, found.driver.table().name)};
}

json checkpoint_found(const Context& context, const CheckpointOptions& o, const Found& found,
                      const std::string& id) {
  if (!found.held) throw gone(context, found, id);
  if (context.globals.dry_run) return attempt(context, o, found, id, nullptr);
  ContainerLock lock(context.lock_file(found.driver.target(), id), "checkpoint", patience(context, o));
  recover(context, found.driver, id, lock);
  json result = with_retries(context, o.retries, [&] { return attempt(context, o, found, id, &lock); });
  if (o.keep.any()) result["removed"] = prune(context, id, o.keep, result["name"]);
  return result;
}

json checkpoint_one(const Context& context, const CheckpointOptions& o, const std::string& name) {
  const auto begin = Clock::now();
  const std::string id = id_of(context, name);
  const Found found = context.find(id);
  try {
    json result = checkpoint_found(context, o, found, id);
    if (!context.globals.dry_run)
      result["seconds"]["total"] = std::chrono::duration<double>(Clock::now() - begin).count();
    return result;
  } catch (Error& error) {
    if (error.runtime.empty()) error.with_runtime(std::string(found.driver.table().name));
    throw;
  }
}

/// Of one that is published: what fails here leaves it in the store.
void push_result(const Context& context, const CheckpointOptions& o, json& result) {
  const std::string name = result["name"];
  try {
    result["pushed"] = push_image(context, o.far, find_image(context.globals.store, name), {}, *o.push).to;
  } catch (Error& error) {
    error.within(fmt::format("checkpoint '{}' is in the store, but was not pushed", name));
    if (error.hint.empty()) error.with_hint(fmt::format("'ckpt images push {} DEST' sends it", name));
    throw;
  }
}

/// Whether it is one of the failures that the user wants to hear nothing of.
bool to_be_skipped(const CheckpointOptions& o, const Error& error) {
  if (error.code == ErrorCode::busy) return o.if_busy == "skip";
  return o.if_not_running == "skip" &&
         (error.code == ErrorCode::not_found || dynamic_cast<const NotRunningError*>(&error) != nullptr);
}

/// A checkpoint that is taken is taken, whether its metrics can be written or not.
void count(const Context& context, const CheckpointOptions& o,
           const std::function<void(const MetricsFile&)>& what) {
  if (!o.metrics_file || context.globals.dry_run) return;
  try {
    what(MetricsFile(*o.metrics_file));
  } catch (const Error& error) {
    context.out.warn(error.message);
  }
}

/// CRIU follows links: whoever can put one there has it write where it leads.
void require_own_places(const CheckpointOptions& o) {
  if (o.image_path)
    if (const auto why = why_not_trusted(absolute_path(*o.image_path)))
      throw Error(ErrorCode::conflict,
                  fmt::format("the image directory '{}' is not used: {}, who could put links there",
                              *o.image_path, *why))
          .with_hint("name one below directories that only root can write, or leave --image-path out");
  if (o.work_path) require_trusted("the work path", absolute_path(*o.work_path) / "dump.log");
}

void check(const Context& context, const CheckpointOptions& o) {
  if ((o.all || o.ids.size() > 1) && o.image_path)
    throw Error(ErrorCode::usage,
                "--image-path takes one container; without it each gets its place in the store");
  if (o.keep.any() && o.image_path)
    throw Error(ErrorCode::usage,
                fmt::format("{} are for the store, --image-path is outside of it", kRetentionOptions));
  if (o.image_path && compressed_by_ckpt(o.opts.compression))
    throw Error(
        ErrorCode::usage,
        fmt::format("--compression {} is for the store; with --image-path the runtime's own files are wanted",
                    *o.opts.compression))
        .with_hint("leave one of the two out");
  if (o.push && o.image_path)
    throw Error(ErrorCode::usage, "--push sends from the store, --image-path is outside of it");
  if (o.push) require_destination(*o.push, o.all || o.ids.size() > 1);
  if (!o.push && o.far.any())
    throw Error(ErrorCode::usage, "--authfile, --rclone-config and --tls-verify go with --push");
  if (o.opts.tcp && o.opts.allow_open_tcp) throw Error(ErrorCode::usage, "--tcp excludes --tcp-established");
  if (o.image_path && o.opts.engine == "cedana")
    throw Error(ErrorCode::usage,
                "--engine cedana is for the store; Cedana makes the directory of its image itself")
        .with_hint("leave --image-path out");
  require_own_places(o);
  for (const std::string& name : o.ids)
    if (!valid_id(name)) id_of(context, name);
  if (o.metrics_file) MetricsFile{*o.metrics_file};
}

/// One container of the call; with --all, of which runtime and root it is.
struct Chosen {
  std::string id;
  std::optional<Globals> its_own;
};

std::vector<Chosen> chosen(const Context& context, const CheckpointOptions& o) {
  std::vector<Chosen> all;
  for (const std::string& id : o.ids) all.push_back({id, std::nullopt});
  if (!o.all) return all;
  for (const Listed& one : listed(context, o.filter))
    if (one.status == "running" || one.status == "paused")
      all.push_back({one.id, globals_for(context, one)});
    else
      context.out.detail(fmt::format("container '{}' is {} and left out", one.id, one.status));
  return all;
}

json checkpoint_chosen(const Context& context, const CheckpointOptions& o, const Chosen& one) {
  if (!one.its_own) return checkpoint_one(context, o, one.id);
  Context its = {*one.its_own, context.runner, context.prober, context.records, context.out};
  return checkpoint_one(its, o, one.id);
}

void require_choice(const CheckpointOptions& o) {
  if (o.ids.empty() && !o.all)
    throw Error(ErrorCode::usage, "no container is named: ID is required, or --all")
        .with_hint("'ckpt checkpoint --help' shows how it is used");
  if (!o.ids.empty() && o.all)
    throw Error(ErrorCode::usage, "--all and containers by name exclude each other");
  if (!o.all && (o.filter.manager || !o.filter.filters.empty()))
    throw Error(ErrorCode::usage, "--manager and --filter go with --all");
}

void wait_splay(const Context& context, const CheckpointOptions& o) {
  if (!o.splay || context.globals.dry_run) return;
  const auto delay = random_below(*o.splay);
  context.out.detail(
      fmt::format("--splay: beginning in {:.1f} s", static_cast<double>(delay.count()) / 1000));
  sleep_or_throw(delay);
}

/// Each id on its own; the first failure decides the exit status, after all were tried.
int checkpoint_all(Context& context, const CheckpointOptions& o) {
  require_choice(o);
  check(context, o);
  if (o.check) {
    const fs::path place = o.image_path ? absolute_path(*o.image_path) : fs::path(context.globals.store);
    std::vector<std::string> ids;
    for (const Chosen& one : chosen(context, o)) ids.push_back(one.id);
    check_containers(context, {o.opts, o.cuda, !o.pre_copy.empty(), o.explain_flags, o.force, place}, ids);
    return 0;
  }
  wait_splay(context, o);
  json results = json::array();
  std::optional<Error> failed;
  const std::vector<Chosen> all = chosen(context, o);
  for (const Chosen& one : all) {
    const std::string& id = one.id;
    try {
      results.push_back(checkpoint_chosen(context, o, one));
      if (!context.globals.json && !context.globals.dry_run)
        context.out.line(o.image_path ? results.back()["image"] : results.back()["name"]);
      count(context, o, [&](const MetricsFile& metrics) { metrics.succeeded(results.back()); });
      if (o.push && !context.globals.dry_run) push_result(context, o, results.back());
    } catch (const Error& error) {
      if (to_be_skipped(o, error)) {
        context.out.detail(error.message);
        if (!context.globals.dry_run) results.push_back({{"id", id}, {"skipped", error.message}});
        continue;
      }
      count(context, o, [&](const MetricsFile& metrics) { metrics.failed(id, error); });
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
    if (o.push)
      for (const Chosen& one : all)
        commands.push_back({"ckpt", "images", "push", one.id + "@latest", *o.push});
    if (!failed) context.print_plan(commands);
  } else if (context.globals.json && (o.ids.size() != 1 || !results.empty())) {
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
  app.add_option("--tcp", o->opts.tcp, "what shall become of TCP connections at a restore")
      ->check(one_of({"keep", "close", "auto"}));
  add_switch(app, "--skip-in-flight,--tcp-skip-in-flight", o->opts.skip_in_flight,
             "leave out TCP connections not yet accepted");
  add_switch(app, "--link-remap", o->opts.link_remap, "save deleted files that have another name");
  add_switch(app, "--file-locks", o->opts.file_locks,
             "save file locks (chosen by itself when there are any)");
  add_switch(app, "--ext-unix-sk", o->opts.ext_unix_sk, "allow unix sockets connected outside");
  add_switch(app, "--shell-job", o->opts.shell_job, "allow a terminal of the host as stdio");
  declare_engine(app, o->opts.engine,
                 "who dumps: the runtime with CRIU, or Cedana (runc only; default: criu)");
  app.add_option("--manage-cgroups-mode", o->opts.manage_cgroups, "what CRIU does with cgroups")
      ->check(one_of({"soft", "full", "strict", "ignore"}));
  app.add_option("--network-lock", o->opts.network_lock, "how CRIU keeps packets out meanwhile")
      ->check(one_of({"iptables", "nftables", "skip"}));
  app.add_option("--empty-ns", o->opts.empty_ns, "save the namespace without what is in it")
      ->check(one_of({"network"}));
  app.add_option("--compression", o->opts.compression, "of the image; zstd:LEVEL with a level of 1 to 19")
      ->check(compression());
  app.add_flag("--pre-copy{auto}", o->pre_copy, "=N: dump memory while it runs, then only what changed")
      ->check(pre_copy_rounds());
  declare_cuda(app, o->cuda, "how CUDA processes are frozen (default: auto)");
  declare_cuda_timeout(app, o->cuda);
  for (const char* name : {"--cuda", "--cuda-timeout"}) app.get_option(name)->group("GPU");
  declare_retention(app, o->keep);
  app.add_option("--if-busy", o->if_busy, "when another ckpt works on it")
      ->check(one_of({"fail", "wait", "skip"}));
  app.add_option("--if-not-running", o->if_not_running, "when it does not exist or does not run")
      ->check(one_of({"fail", "skip"}));
  app.add_option("--retries", o->retries, "try again up to N times when the runtime or CRIU fails")
      ->check(CLI::Validator(
          [](std::string& value) {
            const bool good = !value.empty() && value.size() < 3 &&
                              value.find_first_not_of("0123456789") == std::string::npos;
            return good ? "" : "'" + value + "' is not a number from 0 to 99";
          },
          "N"));
  app.add_option_function<std::string>(
         "--splay", [o](const std::string& value) { o->splay = parse_duration(value); },
         "begin after a random part of it")
      ->check(duration());
  app.add_option("--push", o->push,
                 "then send it to oci:DIR, docker://REGISTRY/NAME:TAG or rclone:REMOTE:PATH")
      ->type_name("DEST");
  declare_far(app, o->far, "with --push: ");
  for (const char* name : {"--push", "--authfile", "--rclone-config", "--tls-verify"})
    app.get_option(name)->group("Far stores");
  app.add_option("--metrics-file", o->metrics_file, "write metrics there, for Prometheus' node exporter")
      ->type_name("FILE");
  app.add_flag("--check", o->check, "say all that would fail, and change nothing");
  app.add_flag("--force", o->force, "take it although it could not be saved, or restored on this host");
  app.add_flag("--explain-flags", o->explain_flags, "say what ckpt chose by itself, and why");
  for (const char* name :
       {"--engine", "--tcp", "--tcp-established", "--skip-in-flight", "--link-remap", "--file-locks",
        "--ext-unix-sk", "--shell-job", "--manage-cgroups-mode", "--network-lock", "--empty-ns"})
    app.get_option(name)->group("CRIU");
  for (const char* name : {"--if-busy", "--if-not-running", "--retries", "--splay", "--metrics-file"})
    app.get_option(name)->group("Unattended");
  app.add_flag("--all", o->all, "every container that runs, as 'ckpt list' shows them");
  declare_filter(app, o->filter);
  for (const char* name : {"--all", "--manager", "--filter"}) app.get_option(name)->group("Containers");
  app.add_option("ID", o->ids, "containers to checkpoint");
  return [o](Context& context) { return checkpoint_all(context, *o); };
}

}  // namespace ckpt
