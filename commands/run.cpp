// ckpt run: create, read the pid, start, and stay (attached) or leave a monitor behind (-d).
#include "commands/container_state.h"
#include "commands/gpu.h"
#include "commands/launching.h"
#include "commands/options.h"
#include "commands/recovery.h"
#include "commands/verbs.h"
#include "gpu/cdi.h"
#include "gpu/spec_gpus.h"
#include "images/layer.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/roots.h"
#include "runtimes/spec.h"
#include "runtimes/spec_links.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::seconds;

struct RunOptions : LaunchOptions {
  std::string bundle = ".", stdio = "log";
  std::vector<std::string> devices, cdi_dirs;
  std::optional<bool> overlay, no_pivot;
};

Record new_record(const Context& context, const RunOptions& o, const Target& target, const Bundle& bundle,
                  bool terminal) {
  Record record = launch_record(context, o, target);
  record.bundle = bundle.place();
  record.config_digest = digest_of(bundle.text);
  record.terminal = terminal;
  record.stdio_pipes = !terminal && o.stdio == "log";
  if (o.stdio == "inherit") record.log_path.clear();
  return record;
}

Launch plan_launch(const Context& context, const RunOptions& o, const Record& record,
                   const LaunchFiles& files) {
  RunOpts opts{.bundle_path = files.bundle.string(),
               .pid_file = files.pid_file.string(),
               .console_socket = {},
               .no_pivot = o.no_pivot};
  if (!files.console_socket.empty()) opts.console_socket = files.console_socket;
  Launch launch;
  launch.steps = {{"create", create_args(opts, record.id)}, {"start", {record.id}}};
  launch.pid_file = files.pid_file.string();
  launch.inherit_stdio = o.stdio == "inherit";
  if (files.own_console) launch.console_socket = files.console_socket;
  launch.runtime_log = files.runtime_log.string();
  launch.timeout_ms = static_cast<int>(context.timeout_or(seconds(120)).value_or(seconds(0)).count());
  launch.log_max = context.globals.log_max;
  return launch;
}

/// runsc destroys the metadata of a running container when it is asked to create its id again (facts 2.1), so
/// no runtime is ever asked.
void refuse_existing(const Driver& driver, const std::string& id) {
  refuse_abbreviation(driver, id);
  if (!holds(driver.target(), id)) return;
  throw Error(ErrorCode::conflict,
              fmt::format("container '{}' exists already in '{}'", id, driver.target().root))
      .with_runtime(std::string(driver.table().name))
      .with_hint(fmt::format("'ckpt delete --force {}' removes it", id));
}

void run_detached(const Context& context, const RunOptions& o, const Driver& driver, const Record& record,
                  const Launch& launch) {
  const pid_t pid = launch_detached(context, driver, record, launch, o.pid_file);
  if (context.globals.json)
    context.out.document(
        {{"id", o.id}, {"runtime", driver.table().name}, {"pid", pid}, {"log", record.log_path}});
  else
    context.out.line(o.id);
}

/// Our copy of the configuration, with the devices that the user asked for.
json prepared_spec(const Context& context, const RunOptions& o, const Driver& driver, const Bundle& bundle) {
  json spec = parse_spec(bundle.text, (bundle.directory / "config.json").string());
  if (!o.devices.empty())
    for (const std::string& warning : apply_cdi(spec, o.devices, cdi_dirs(o.cdi_dirs)))
      context.out.warn(warning);
  spec = prepare_spec(std::move(spec), bundle.directory, driver.target().kind, context.payload);
  follow_destinations(spec, driver.target().kind);
  mount_cuda_tools(context, driver, spec);
  return spec;
}

/// gVisor keeps what the container writes in its own memory and saves it with it, unless it is told
/// otherwise.
void require_own_overlay(const Driver& driver) {
  for (const std::string& arg : driver.target().runtime_args)
    if (arg.find("overlay2=none") != std::string::npos)
      throw Error(ErrorCode::unsupported, "--overlay and runsc's --overlay2=none exclude each other")
          .with_runtime("runsc")
          .with_hint("leave one of them out; runsc overlays the root file system by itself");
}

/// The root file system becomes the lower directory of an overlay that is the container's own.
std::filesystem::path put_layer_over(const Context& context, const Driver& driver, Record& record,
                                     json& spec) {
  if (!driver.table().shares_host_kernel) {
    require_own_overlay(driver);
    return {};
  }
  const Layer layer = layer_of(context.globals.store, driver.target(), record.id);
  record.layer = layer.home.string();
  std::filesystem::path lower = spec["root"]["path"].get<std::string>();
  spec["root"]["path"] = layer.merged().string();
  return lower;
}

void require_options(const Driver& driver, const RunOptions& o) {
  if (!o.no_pivot) return;
  const Dialect dialect = driver.dialect("create");
  if (!dialect.flags.has("--no-pivot")) throw cannot_take(dialect, "--no-pivot", "leave it out");
}

int run_container(const Context& context, const RunOptions& o) {
  validate_id(o.id);
  const Driver chosen = context.driver_for_new();
  require_options(chosen, o);
  const Bundle bundle = read_bundle(o.bundle);
  json spec = prepared_spec(context, o, chosen, bundle);
  const Driver driver = fitted_to_gpus(chosen, spec);
  const bool terminal = wants_terminal(spec);
  if (o.console_socket && !terminal)
    throw Error(ErrorCode::usage, "--console-socket needs process.terminal true in config.json");
  if (o.stdio == "inherit" && (terminal || o.log_path))
    throw Error(ErrorCode::usage, terminal ? "--stdio inherit needs process.terminal false in config.json"
                                           : "--stdio inherit and --log-path exclude each other");
  require_bind_sources(spec);

  Record record = new_record(context, o, driver.target(), bundle, terminal);
  record.gpus = named_gpus(gpu_reasons(spec));
  const auto lower = o.overlay ? put_layer_over(context, driver, record, spec) : std::filesystem::path();
  const LaunchFiles files = launch_files(context, record, o.console_socket);
  const Launch launch = plan_launch(context, o, record, files);
  refuse_existing(driver, o.id);
  if (context.globals.dry_run) {
    std::vector<Argv> plan;
    for (const Launch::Step& step : launch.steps)
      plan.push_back(driver.logged(step.verb, step.args, files.runtime_log).argv());
    context.print_plan(plan);
    return 0;
  }
  auto lock = std::make_unique<ContainerLock>(context.lock_file(driver.target(), o.id), "run",
                                              std::chrono::milliseconds(0));
  wait_for_orphans(context, driver, o.id, *lock);
  refuse_existing(driver, o.id);
  try {
    write_bundle(files, spec);
    note_addresses(driver, spec, files.home);
    if (!lower.empty()) {
      make_layer({record.layer});
      mount_layer({record.layer}, lower);
    }
    if (!o.log_path && !record.log_path.empty()) remove_log(record.log_path);
    if (record.attached) return run_to_its_end(context, driver, record, launch, o.pid_file, std::move(lock));
    run_detached(context, o, driver, record, launch);
  } catch (const Error&) {
    context.records.remove(record);
    throw;
  }
  return 0;
}

}  // namespace

Action declare_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  app.add_option("-b,--bundle", o->bundle, "directory with config.json and the root file system (default: .)")
      ->type_name("DIR");
  add_switch(app, "-d,--detach", o->detach, "return when it runs; its output goes to its log");
  declare_launch_options(app, *o, "");
  app.add_option("--device", o->devices, "device by its CDI name, as nvidia.com/gpu=0; repeatable")
      ->type_name("CDI")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--cdi-spec-dir", o->cdi_dirs,
                 "where CDI specifications are; repeatable (default: /etc/cdi, /var/run/cdi)")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--stdio", o->stdio, "its streams: kept in its log, or the caller's own (default: log)")
      ->check(one_of({"log", "inherit"}));
  add_switch(app, "--overlay", o->overlay,
             "what it writes to its root file system goes to a layer of its own");
  add_switch(app, "--no-pivot", o->no_pivot, "without pivot_root, for a root on a ramdisk");
  app.add_option("ID", o->id, "name of the new container")->required();
  return launching_action(o, [o](Context& context) { return run_container(context, *o); });
}

}  // namespace ckpt
