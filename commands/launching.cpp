// Preparing a launch and handing it to the monitor.
#include "commands/launching.h"

#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/roots.h"

namespace ckpt {
namespace {

void remove_gently(const Driver& driver, const std::string& id) {
  try {
    driver.remove(id, false);
  } catch (const Error&) {
    driver.remove(id, true);
  }
}

void delete_ended(const Context& context, const Driver& driver, const Record& record) {
  const HoldInterrupts hold;
  try {
    // Its process is gone and reaped; with --force runc would wait 100 ms for it.
    remove_gently(driver, record.id);
    context.records.remove(record);
  } catch (const Error& error) {
    context.out.warn(error.message);
  }
}

void write_pid_file(const std::optional<std::string>& path, pid_t pid) {
  if (path) write_file_atomic(absolute_path(*path), fmt::format("{}", pid));
}

/// For what fails, or is interrupted, when the container runs already.
void take_down(const Context& context, const Driver& driver, const Record& record) {
  const HoldInterrupts hold;
  if (!holds(driver.target(), record.id)) return;
  try {
    remove_by_force(context, driver, record.id);
  } catch (const Error& error) {
    context.out.warn(error.message);
  }
}

/// A container whose process ended is deleted, as `runc run` does; one that a checkpoint stopped has been
/// already.
int stay_with(const Context& context, const Driver& driver, const Record& record, Supervisor& supervisor) {
  const ExitRecord exit = supervisor.serve();
  if (!exit.checkpointed_to.empty()) {
    context.out.warn(
        fmt::format("container '{}' was stopped by the checkpoint '{}'", record.id, exit.checkpointed_to));
    return 137;
  }
  delete_ended(context, driver, record);
  if (!exit.status)
    throw Error(ErrorCode::runtime_failed, fmt::format("the exit status of '{}' was lost", record.id));
  return *exit.status;
}

}  // namespace

void declare_launch_options(CLI::App& app, LaunchOptions& o, const std::string& default_log) {
  app.add_option("--pid-file", o.pid_file, "file to write the container's pid to")->type_name("FILE");
  app.add_option("--log-path", o.log_path, "file for the container's output" + default_log)
      ->type_name("FILE");
  app.add_option("--console-socket", o.console_socket, "unix socket that receives the terminal")
      ->type_name("SOCKET");
}

Action launching_action(std::shared_ptr<const LaunchOptions> o, Action act) {
  return [o = std::move(o), act = std::move(act)](Context& context) {
    try {
      return act(context);
    } catch (const Error& error) {
      if (o->attached() && !context.globals.dry_run) throw AttachedError(error);
      throw;
    }
  };
}

Record launch_record(const Context& context, const LaunchOptions& o, const Target& target) {
  Record record;
  record.id = o.id;
  record.target = target;
  record.created = now_rfc3339();
  record.attached = o.attached();
  if (o.log_path)
    record.log_path = absolute_path(*o.log_path).string();
  else if (!record.attached && !o.console_socket)
    record.log_path = context.default_log(o.id).string();
  return record;
}

void remove_by_force(const Context& context, const Driver& driver, const std::string& id) {
  const auto record = context.records.load(driver.target().kind, driver.target().root, id);
  driver.remove(id, true);
  if (record) wait_for_monitor(*record, 10'000);
}

void refuse_abbreviation(const Driver& driver, const std::string& id) {
  if (driver.table().shares_host_kernel) return;
  const auto other = confusable_sandbox(driver.target().root, id);
  if (!other) return;
  throw Error(ErrorCode::conflict,
              fmt::format("'{}' and the container '{}' cannot both be: runsc takes the shorter id for an "
                          "abbreviation of the longer one",
                          id, *other))
      .with_runtime("runsc")
      .with_hint("choose an id that is not the beginning of the other, or another --root");
}

LaunchFiles launch_files(const Context& context, const Record& record,
                         const std::optional<std::string>& console_socket) {
  const fs::path home = context.records.directory(record);
  LaunchFiles files{.home = home,
                    .bundle = home / "bundle",
                    .pid_file = home / "pid",
                    .runtime_log = home / "runtime.log",
                    .console_socket = console_socket ? absolute_path(*console_socket).string() : ""};
  if (record.terminal && !console_socket) {
    files.own_console = true;
    files.console_socket = context.scratch().string();
  }
  return files;
}

void write_bundle(const LaunchFiles& files, const nlohmann::json& spec) {
  remove_tree(files.home);
  make_private_dirs(files.bundle);
  if (files.own_console) make_private_dirs(fs::path(files.console_socket).parent_path());
  write_file_atomic(files.bundle / "config.json", json_text(spec, 1));
}

pid_t launch_detached(const Context& context, const Driver& driver, const Record& record,
                      const Launch& launch, const std::optional<std::string>& pid_file) {
  say_steps(context, driver, launch);
  try {
    const pid_t pid = start_monitor(context.records, record, launch);
    write_pid_file(pid_file, pid);
    return pid;
  } catch (const Error&) {
    take_down(context, driver, record);
    throw;
  }
}

int run_to_its_end(const Context& context, const Driver& driver, const Record& record, const Launch& launch,
                   const std::optional<std::string>& pid_file, std::unique_ptr<ContainerLock> lock,
                   const std::function<void()>& once_running) {
  Supervisor supervisor(driver, context.records, record, launch);
  try {
    context.records.save(record);
    write_pid_file(pid_file, supervisor.bring_up());
    if (once_running) once_running();
  } catch (const Error&) {
    take_down(context, driver, record);
    throw;
  }
  lock.reset();
  return stay_with(context, driver, record, supervisor);
}

void say_steps(const Context& context, const Driver& driver, const Launch& launch) {
  for (const Launch::Step& step : launch.steps)
    context.out.detail("run: " + shell_quote(command_of(driver, launch, step).argv()));
}

}  // namespace ckpt
