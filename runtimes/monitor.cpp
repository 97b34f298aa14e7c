// The monitor of a detached container: started by re-execution, reports readiness through a pipe, stays to
// the end.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtimes/error_json.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/supervisor.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// Reads what the monitor reports; SIGINT and SIGTERM are passed on to it once, and it then undoes.
std::string read_report(const Fd& ready, pid_t monitor) {
  std::string text;
  bool told = false;
  for (;;) {
    pollfd polled[] = {{ready.get(), POLLIN, 0}, {told ? -1 : interrupt_fd(), POLLIN, 0}};
    ::poll(polled, 2, -1);
    if (!told && interrupted()) {
      told = true;
      ::kill(monitor, SIGTERM);
    }
    if (polled[0].revents == 0) continue;
    char buffer[4096];
    const ssize_t n = ::read(ready.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
  }
}

void report(int fd, const json& message) {
  write_all(fd, message.dump(-1, ' ', false, json::error_handler_t::replace));
  ::close(fd);
}

fs::path state_dir_of(const fs::path& directory) {
  return directory.parent_path().parent_path().parent_path();
}

}  // namespace

pid_t start_monitor(const Records& records, const Record& record, const Launch& launch) {
  records.save(record);
  const fs::path directory = records.directory(record);
  write_file_atomic(directory / "launch.json", json_text(launch_to_json(launch)));
  throw_if_interrupted();
  Pipe ready = make_pipe();
  Command command{.program = "/proc/self/exe",
                  .args = {"__monitor", directory.string()},
                  .in = Null{},
                  .out = Null{},
                  .err = Null{}};
  if (launch.inherit_stdio) {
    command.in = Inherit{};
    command.out = Inherit{};
    command.err = Inherit{};
  }
  const pid_t monitor = spawn_detached(command, ready.write.get());
  ready.write.reset();
  const std::string text = read_report(ready.read, monitor);
  const json message = parse_json(text);
  if (message.is_object() && message.contains("pid")) {
    throw_if_interrupted();
    return message["pid"];
  }
  ::waitpid(monitor, nullptr, 0);
  // One that was told before it listened to signals died of it, without a word; it had made nothing.
  throw_if_interrupted();
  if (message.is_object() && message.contains("error")) throw error_from_json(message["error"]);
  throw Error(ErrorCode::runtime_failed, fmt::format("the monitor of '{}' ended without a word", record.id));
}

int monitor_main(const fs::path& directory, int ready_fd) {
  ::fcntl(ready_fd, F_SETFD, FD_CLOEXEC);
  SystemRunner runner;
  const fs::path state_dir = state_dir_of(directory);
  Prober prober(runner, state_dir / "probe");
  const Records records(state_dir);
  try {
    const json launch = parse_json_or_throw(read_file(directory / "launch.json").value_or(""));
    std::optional<Record> record;
    for (Record& candidate : records.of_id(directory.filename().string()))
      if (records.directory(candidate) == directory) record = std::move(candidate);
    if (!record) throw Error(ErrorCode::runtime_failed, fmt::format("no record in '{}'", directory.string()));
    const Driver driver(runner, prober, record->target);
    Supervisor supervisor(driver, records, *record, launch_from_json(launch));
    const pid_t pid = supervisor.bring_up();
    report(ready_fd, {{"pid", pid}});
    [[maybe_unused]] const int moved = ::chdir("/");
    supervisor.serve();
    return 0;
  } catch (const Error& error) {
    json message = error_to_json(error);
    message["signal"] = error.signal;
    report(ready_fd, {{"error", message}});
  } catch (const std::exception& error) {
    report(ready_fd, {{"error", error_to_json(Error(ErrorCode::runtime_failed, error.what()))}});
  }
  return 1;
}

}  // namespace ckpt
