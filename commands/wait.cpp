// ckpt wait ID: until the container ends; exits with its status. One that a checkpoint stopped has none.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands/engine_names.h"
#include "commands/verbs.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// Until the process is gone. Throws on a signal and when --timeout passed.
void wait_for_process(const Context& context, pid_t pid, const std::string& id) {
  const Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!ended) return;
  const auto limit = context.timeout_or(std::chrono::milliseconds(0));
  pollfd polled[] = {{ended.get(), POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
  const int ready = ::poll(polled, 2, limit ? static_cast<int>(limit->count()) : -1);
  throw_if_interrupted();
  if (ready == 0)
    throw Error(ErrorCode::timeout,
                fmt::format("container '{}' did not end within {} ms", id, limit->count()));
}

int report(Context& context, const std::string& id, const ExitRecord& exit) {
  if (!exit.checkpointed_to.empty())
    throw Error(ErrorCode::conflict, fmt::format("container '{}' did not end: the checkpoint '{}' stopped it",
                                                 id, exit.checkpointed_to))
        .with_hint(fmt::format("'ckpt restore {}' lets it go on", id));
  if (!exit.status)
    throw Error(ErrorCode::runtime_failed, fmt::format("the exit status of '{}' is not known", id));
  if (context.globals.json)
    context.out.document({{"id", id}, {"exit_status", *exit.status}, {"finished", exit.finished}});
  return *exit.status;
}

/// Not started by us: only its parent can learn the status; gVisor's sandbox tells it to who asks while it
/// lives.
int wait_foreign(Context& context, const Found& found, const ContainerState& state) {
  if (found.driver.target().kind == RuntimeKind::runsc && state.status != "stopped") {
    Command command = found.driver.command("wait", {state.id});
    command.timeout = context.timeout_or(std::chrono::milliseconds(0));
    const Result result = found.driver.runner().run(command);
    if (!result.ok())
      throw found.driver.failure(fmt::format("wait for '{}' failed", state.id), command, result);
    const json answer = parse_json(result.out);
    if (answer.is_object() && answer.contains("exitStatus"))
      return report(
          context, state.id,
          {.status = answer["exitStatus"].get<int>(), .finished = now_rfc3339(), .checkpointed_to = {}});
  }
  if (state.pid > 0) wait_for_process(context, state.pid, state.id);
  throw Error(ErrorCode::runtime_failed,
              fmt::format("container '{}' has ended; ckpt did not start it and cannot know its exit status",
                          state.id));
}

int wait_for_container(Context& context, const std::string& id) {
  const Found found = context.find(id);
  if (!found.record) {
    const auto state = found.driver.state(id);
    if (!state) throw context.no_container(id);
    return wait_foreign(context, found, *state);
  }
  if (monitor_alive(*found.record)) wait_for_process(context, found.record->monitor, id);
  if (const auto exit = context.records.exit(*found.record)) return report(context, id, *exit);
  throw Error(ErrorCode::runtime_failed,
              fmt::format("the monitor of '{}' was killed; the exit status is lost", id));
}

}  // namespace

Action declare_wait(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("ID", *id, "container")->required();
  return [id](Context& context) { return wait_for_container(context, id_of(context, *id)); };
}

}  // namespace ckpt
