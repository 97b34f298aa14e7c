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
  const auto saved = context.records.load(record.target.kind, record.target.root, record.id);
  if (!holders(driver.target().root, record.id).contains(driver.target().kind)) return;
  try {
    driver.remove(record.id, true);
  } catch (const Error& error) {
    context.out.warn(error.message);
  }
  if (saved) wait_for_monitor(*saved, 10'000);
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
  write_file_atomic(files.bundle / "config.json", spec.dump(1));
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
                   const std::optional<std::string>& pid_file, std::unique_ptr<ContainerLock> lock) {
  Supervisor supervisor(driver, context.records, record, launch);
  try {
    context.records.save(record);
    write_pid_file(pid_file, supervisor.bring_up());
  } catch (const Error&) {
    take_down(context, driver, record);
    throw;
  }
  lock.reset();
  return stay_with(context, driver, record, supervisor);
}

void say_steps(const Context& context, const Driver& driver, const Launch& launch) {
  for (const Launch::Step& step : launch.steps)
    context.out.detail("run: " + shell_quote(driver.logged(step.verb, step.args, launch.runtime_log).argv()));
}

}  // namespace ckpt
