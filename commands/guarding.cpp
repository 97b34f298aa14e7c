// The guard's command line, and `ckpt __guard`, which it runs.
#include "commands/guarding.h"

#include <poll.h>
#include <signal.h>

#include "commands/engine_names.h"
#include "commands/recovery.h"
#include "commands/verbs.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/roots.h"

namespace ckpt {

using nlohmann::json;
using std::chrono::seconds;

Argv guard_argv(const Globals& globals, const Target& target, const std::string& id) {
  Argv argv = {"thaw-guard",     "--runtime", std::string(table_of(target.kind).name),
               "--runtime-path", target.path, "--root",
               target.root,      "--store",   absolute_path(globals.store).string(),
               "--timeout",      "10m"};
  if (target.platform) argv.insert(argv.end(), {"--platform", *target.platform});
  for (const std::string& arg : target.runtime_args) argv.push_back("--runtime-arg=" + arg);
  if (globals.cuda_checkpoint) argv.insert(argv.end(), {"--cuda-checkpoint", *globals.cuda_checkpoint});
  if (globals.log)
    argv.insert(argv.end(),
                {"--log", absolute_path(*globals.log).string(), "--log-format", globals.log_format});
  argv.insert(argv.end(), {"__guard", id});
  return argv;
}

bool run_again(const Driver& driver, const std::string& id) {
  constexpr seconds kLimit(3);
  const auto until = std::chrono::steady_clock::now() + kLimit;
  for (bool was_paused = false;; ::poll(nullptr, 0, 20)) {
    const bool last = std::chrono::steady_clock::now() >= until;
    try {
      const auto now = driver.state(id);
      if (!now || now->status != "paused") return was_paused;
      was_paused = true;
      driver.resume(id);
    } catch (const Error&) {
      if (last) throw;
      continue;
    }
    if (last) throw Error(ErrorCode::runtime_failed, fmt::format("container '{}' stays paused", id));
  }
}

void kill_frozen(const Driver& driver, const ContainerState& state) {
  if (!driver.table().shares_host_kernel || state.pid <= 0 || inner_pid(state.pid) == 1) return;
  const std::vector<pid_t> all = cgroup_processes(state.pid);
  for (const pid_t pid : all) ::kill(pid, SIGKILL);
  if (!all.empty()) driver.resume(state.id);
}

bool left_paused(const Context& context, const Target& target, const std::string& id,
                 const std::string& status) {
  if (status != "paused") return false;
  const json note = parse_json(read_file(context.lock_file(target, id), 64U << 10U).value_or(""));
  if (!note.is_object()) return false;
  const json pid = note.value("pid", json()), paused = note.value("paused", json());
  return paused == true && pid.is_number_integer() && !alive(pid.get<pid_t>());
}

std::string left_paused_text(const std::string& id) {
  return fmt::format(
      "container '{}' was left paused by a ckpt that died; 'ckpt checkpoint' or 'ckpt delete' "
      "of it put that right first",
      id);
}

namespace {

/// `ckpt __guard ID`: after a death of ckpt, by its guard; also for a unit's ExecStopPost.
int put_right(const Context& context, const std::string& name) {
  const HoldInterrupts hold;
  const std::string id = id_of(context, name);
  const auto driver = [&]() -> Driver {
    try {
      return context.find(id).driver;
    } catch (const Error& error) {
      if (error.code != ErrorCode::not_found || !context.globals.root) throw;
      return context.driver_for_new();
    }
  }();
  ContainerLock lock(context.lock_file(driver.target(), id), "guard", std::chrono::minutes(10));
  // What was dumped of one that is gone stays, and the next ckpt tells of it.
  if (!holds(driver.target(), id)) {
    lock.hand_on();
    return 0;
  }
  recover(context, driver, id, lock);
  return 0;
}

}  // namespace

Action declare_guard(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("ID", *id, "container")->required();
  return [id](Context& context) { return put_right(context, *id); };
}

}  // namespace ckpt
