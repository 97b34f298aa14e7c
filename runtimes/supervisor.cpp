// One container's companion: streams, subreaper, exit status. Single-threaded, one poll loop.
#include "runtimes/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtimes/cedana.h"
#include "runtimes/cgroup_names.h"
#include "runtimes/diagnosis.h"
#include "runtimes/error_json.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/network_lock.h"
#include "runtimes/procfs.h"
#include "runtimes/remains.h"
#include "runtimes/roots.h"
#include "runtimes/spec.h"
#include "runtimes/terminal.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::size_t kEarlyLimit = 1U << 20U;
constexpr int kForwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH, SIGCHLD};

/// Signals into a descriptor while it lives.
class SignalQueue {
 public:
  SignalQueue() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : kForwarded) sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, &saved_);
    fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~SignalQueue() { ::sigprocmask(SIG_SETMASK, &saved_, nullptr); }
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;
  int fd() const { return fd_.get(); }
  std::optional<int> next() const {
    signalfd_siginfo info = {};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
  }

 private:
  sigset_t saved_ = {};
  Fd fd_;
};

/// A restore that fails leaves crun's cgroups behind, `.proxy-crun` in them. The kernel refuses to remove one
/// in use.
void remove_empty_cgroups(const fs::path& bundle, const std::string& id) {
  const json spec = parse_json(read_file(bundle / "config.json").value_or(""));
  const json path =
      spec.is_object() ? spec.value(json::json_pointer("/linux/cgroupsPath"), json(id)) : json(id);
  const fs::path relative =
      path.is_string() ? fs::path(path.get<std::string>()).relative_path() : fs::path(id);
  if (relative.empty() || relative.lexically_normal().string().find("..") != std::string::npos) return;
  std::error_code error;
  for (fs::directory_iterator mount("/sys/fs/cgroup", error), end; !error && mount != end;
       mount.increment(error)) {
    const fs::path cgroup = mount->path() / relative;
    ::rmdir((cgroup / ".proxy-crun").c_str());
    ::rmdir(cgroup.c_str());
  }
  ::rmdir((fs::path("/sys/fs/cgroup") / relative).c_str());
}

void set_nonblocking(const Fd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

}  // namespace

/// The container's three streams, either pipes or one terminal.
struct Supervisor::Streams {
  Pipe in, out, err;
  Fd terminal;
  Fd listener;
  Fd runtime_errors;  ///< the runtime's stderr when the container has a terminal
  CappedLog log;
  bool stdin_open = false;
  std::string stdin_waiting;
};

Command command_of(const Driver& driver, const Launch& launch, const Launch::Step& step) {
  if (!step.program.empty()) return cedana_command(step.program, step.args);
  return driver.logged(step.verb, step.args, launch.runtime_log);
}

json launch_to_json(const Launch& launch) {
  json steps = json::array();
  for (const Launch::Step& step : launch.steps)
    steps.push_back({{"verb", step.verb}, {"args", step.args}, {"program", step.program}});
  return {{"steps", steps},
          {"env", launch.env},
          {"pid_file", launch.pid_file},
          {"console_socket", launch.console_socket},
          {"runtime_log", launch.runtime_log},
          {"criu_log", launch.criu_log},
          {"timeout_ms", launch.timeout_ms},
          {"inherit_stdio", launch.inherit_stdio},
          {"is_restore", launch.is_restore},
          {"log_max", launch.log_max}};
}

Launch launch_from_json(const json& in) {
  Launch launch;
  for (const json& step : in.at("steps"))
    launch.steps.push_back({step.at("verb"), step.at("args").get<Argv>(), step.at("program")});
  launch.env = in.at("env").get<std::map<std::string, std::string>>();
  launch.pid_file = in.at("pid_file");
  launch.console_socket = in.at("console_socket");
  launch.runtime_log = in.at("runtime_log");
  launch.criu_log = in.at("criu_log");
  launch.timeout_ms = in.at("timeout_ms");
  launch.inherit_stdio = in.at("inherit_stdio");
  launch.is_restore = in.at("is_restore");
  launch.log_max = in.value("log_max", kDefaultLogMax);
  return launch;
}

Supervisor::Supervisor(const Driver& driver, const Records& records, Record record, Launch launch)
    : driver_(driver),
      records_(records),
      record_(std::move(record)),
      launch_(std::move(launch)),
      restoring_(launch_.criu_log),
      streams_(std::make_unique<Streams>()) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Supervisor::~Supervisor() = default;

void Supervisor::open_streams() {
  Streams& s = *streams_;
  if (!record_.log_path.empty()) s.log = CappedLog(record_.log_path, launch_.log_max);
  if (!record_.stdio_pipes) {
    const fs::path errors = records_.directory(record_) / "runtime.err";
    s.runtime_errors = Fd(::open(errors.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!launch_.console_socket.empty()) s.listener = listen_on(launch_.console_socket);
    return;
  }
  s.in = make_pipe();
  s.out = make_pipe();
  s.err = make_pipe();
  set_nonblocking(s.out.read);
  set_nonblocking(s.err.read);
  if (record_.attached) {
    set_nonblocking(s.in.write);
    s.stdin_open = true;
  } else {
    s.in.write.reset();
  }
}

Command Supervisor::step_command(const Launch::Step& step) {
  Command command = command_of(driver_, launch_, step);
  for (const auto& [name, value] : launch_.env) command.env[name] = value;
  command.timeout = launch_.timeout_ms > 0 ? std::optional(milliseconds(launch_.timeout_ms)) : std::nullopt;
  Streams& s = *streams_;
  const bool makes_it = step.verb != "start";
  if (makes_it && record_.stdio_pipes) {
    command.in = ToFd{s.in.read.get()};
    command.out = ToFd{s.out.write.get()};
    command.err = ToFd{s.err.write.get()};
  } else if (makes_it && launch_.inherit_stdio) {
    command.in = Inherit{};
    command.out = Inherit{};
    command.err = Inherit{};
  } else if (makes_it) {
    command.out = Null{};
    command.err = ToFd{s.runtime_errors.get()};
  }
  if (record_.stdio_pipes)
    command.also = {{s.out.read.get(), [this] { pump(streams_->out.read.get(), 1); }},
                    {s.err.read.get(), [this] { pump(streams_->err.read.get(), 2); }}};
  if (!launch_.criu_log.empty()) {
    command.started = [this](pid_t runtime) { restoring_.started(runtime); };
    command.watch = [this] { return restoring_.look(); };
    command.stop_with = stop_restore;
  }
  return command;
}

void Supervisor::run_step(const Launch::Step& step) {
  const Command command = step_command(step);
  Result result = driver_.runner().run(command);
  if (record_.stdio_pipes) {
    pump(streams_->out.read.get(), 1);
    pump(streams_->err.read.get(), 2);
  }
  if (result.ok() && !result.interrupted) return;
  if (result.err.empty()) result.err = early_[0] + early_[1];
  if (!record_.stdio_pipes) result.err += read_tail(records_.directory(record_) / "runtime.err", 64U << 10U);
  const std::string failed = fmt::format("{} of '{}' failed", step.verb, record_.id);
  Error error = step.program.empty()
                    ? driver_.failure(failed, command, result, launch_.runtime_log)
                    : command_failure("cedana", failed, command, result, last_error("", result.err));
  if (!launch_.criu_log.empty()) explain_by_log(error, launch_.criu_log, result.seconds);
  if (restoring_.process_died())
    error.with_hint("see who killed it: the kernel's log tells of the out-of-memory killer");
  else if (result.stopped_because)
    error.code = ErrorCode::image_invalid;
  throw error;
}

pid_t Supervisor::bring_up() {
  open_streams();
  // What is there already is somebody else's: it must not be undone.
  if (holds(driver_.target(), record_.id))
    throw Error(ErrorCode::conflict, fmt::format("container '{}' exists already", record_.id));
  throw_if_interrupted();
  if (launch_.is_restore) {
    const std::vector<pid_t> there = nested_tasks(::getpid());
    before_.insert(there.begin(), there.end());
  }
  try {
    for (const Launch::Step& step : launch_.steps) {
      throw_if_interrupted();
      run_step(step);
      if (step.verb != "start") accept_terminal();
      if (step.verb == "create") {
        running_ = true;
        early_ = {};
      }
    }
    record_.pid = read_pid();
    record_.monitor = ::getpid();
    record_.monitor_start = process_stat(record_.monitor).value_or(ProcessStat{}).start_time;
    records_.save(record_);
  } catch (...) {
    undo();
    throw;
  }
  streams_->in.read.reset();
  streams_->out.write.reset();
  streams_->err.write.reset();
  running_ = true;
  flush_early();
  return record_.pid;
}

void Supervisor::accept_terminal() {
  if (!streams_->listener) return;
  auto terminal = receive_terminal(streams_->listener, 10'000);
  streams_->listener.reset();
  ::unlink(launch_.console_socket.c_str());
  if (!terminal)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("{} did not send the terminal of '{}'", driver_.table().name, record_.id));
  streams_->terminal = std::move(*terminal);
  set_nonblocking(streams_->terminal);
  if (record_.attached) copy_window_size(0, streams_->terminal.get());
}

/// Deletes what the runtime made so far. A container that is not there is fine: `delete --force` says so with
/// 0.
void Supervisor::undo() {
  const HoldInterrupts hold;
  if (!launch_.console_socket.empty()) ::unlink(launch_.console_socket.c_str());
  // criu-root in the bundle (crun) or beside the state (runc) would make every later restore fail
  // (facts 2.3).
  unmount_below(records_.directory(record_));
  unmount_below(fs::path(driver_.target().root) / record_.id);
  remove_remains();
  if (launch_.is_restore) {
    end_strays();
    unlock_network();
    if (!launch_.criu_log.empty()) remove_cgyard(fs::path(launch_.criu_log).parent_path());
    remove_empty_cgroups(records_.directory(record_) / "bundle", record_.id);
  }
  reap_others();
  if (streams_->log) streams_->log.remove_if_unused();
}

/// A CRIU that was killed leaves the tasks that it had made so far, of which the runtime knows nothing; they
/// are ours by now. What was there before is somebody else's.
void Supervisor::end_strays() {
  for (int tries = 0; tries < 200; ++tries) {
    reap_others();
    std::vector<pid_t> strays = nested_tasks(::getpid());
    std::erase_if(strays, [this](pid_t pid) { return before_.contains(pid) || !alive(pid); });
    if (strays.empty()) return;
    for (const pid_t pid : strays) ::kill(pid, SIGKILL);
    ::poll(nullptr, 0, 5);
  }
}

/// The network namespace that config.json names outlives the restore.
void Supervisor::unlock_network() {
  const json spec = parse_json(read_file(records_.directory(record_) / "bundle/config.json").value_or(""));
  if (!driver_.table().uses_criu || !spec.is_object()) return;
  const auto namespaces = spec_namespaces(spec);
  const auto network = namespaces.find("network");
  if (network != namespaces.end() && !network->second.empty())
    remove_network_lock(driver_.runner(), network->second);
}

/// What the runtime has of it. runsc is asked only about an id that it has, or it would take it for an
/// abbreviation of another; and it waits until the pids of the sandbox and its gofers vanish, which are our
/// orphans to reap.
void Supervisor::remove_remains() {
  const Target& target = driver_.target();
  if (!driver_.table().shares_host_kernel && !holds(target, record_.id)) return;
  if (target.kind == RuntimeKind::crun && ends_the_host(target.root, record_.id)) {
    remove_tree(fs::path(target.root) / record_.id);
    return;
  }
  Command command = driver_.command("delete", {"--force", record_.id});
  command.watch = [this]() -> std::optional<std::string> {
    reap_others();
    return std::nullopt;
  };
  driver_.runner().run(command);
  if (driver_.table().shares_host_kernel) remove_half_made(target.root, record_.id);
}

pid_t Supervisor::read_pid() const {
  const auto text = read_file(launch_.pid_file, 64);
  const pid_t pid = text ? static_cast<pid_t>(std::atol(text->c_str())) : 0;
  if (pid <= 0)
    throw Error(ErrorCode::runtime_failed, fmt::format("{} wrote no pid for '{}' into '{}'",
                                                       driver_.table().name, record_.id, launch_.pid_file));
  return pid;
}

void Supervisor::pump(int fd, int stream) {
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    deliver(stream, {buffer, static_cast<std::size_t>(n)});
  }
}

/// Before a created container is started, what arrives are the runtime's own words; in a restore they cannot
/// be told from the container's, which must not be lost.
void Supervisor::deliver(int stream, std::string_view data) {
  if (!running_) {
    std::string& early = early_.at(static_cast<std::size_t>(stream) - 1);
    if (early.size() < kEarlyLimit || launch_.is_restore) early += data;
    if (launch_.is_restore && early.size() > kEarlyLimit) flush_early();
    return;
  }
  keep(stream, data);
}

/// A log that cannot be written must not stop the container; who reads the log is told of the gap.
void Supervisor::keep(int stream, std::string_view data) {
  if (streams_->log && !streams_->log.write(data) && !std::exchange(lost_output_, true))
    records_.note_lost_output(record_, errno_text(errno));
  if (record_.attached) write_all(stream, data);
}

void Supervisor::flush_early() {
  for (const int stream : {1, 2}) {
    keep(stream, std::exchange(early_.at(static_cast<std::size_t>(stream) - 1), {}));
  }
}

void Supervisor::relay_stdin() {
  Streams& s = *streams_;
  const int to = record_.stdio_pipes ? s.in.write.get() : s.terminal.get();
  if (s.stdin_waiting.empty()) {
    char buffer[16384];
    const ssize_t n = ::read(0, buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
      s.stdin_open = false;
      s.in.write.reset();
      return;
    }
    s.stdin_waiting.assign(buffer, static_cast<std::size_t>(n));
  }
  const ssize_t n = ::write(to, s.stdin_waiting.data(), s.stdin_waiting.size());
  if (n > 0) {
    s.stdin_waiting.erase(0, static_cast<std::size_t>(n));
  } else if (errno != EAGAIN && errno != EINTR) {
    s.stdin_open = false;
    s.in.write.reset();
  }
}

void Supervisor::forward(int signal) {
  if (signal == SIGCHLD) return reap_others();
  if (!record_.attached) return;
  if (signal == SIGWINCH) return copy_window_size(0, streams_->terminal.get());
  const HoldInterrupts hold;
  driver_.runner().run(driver_.command("kill", {record_.id, sigabbrev_np(signal)}));
}

/// Orphans of the runtime (gofers, helpers) become ours; the container's own status is kept when it comes by.
void Supervisor::reap_others() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == record_.pid) wait_status_ = status;
}

/// A sandbox's gofers end with it. `runsc delete` waits for their pids to vanish, seconds when a slow init
/// reaps them.
void Supervisor::reap_helpers() {
  for (int tries = 0; tries < 200 && ::waitpid(-1, nullptr, WNOHANG) >= 0; ++tries) ::poll(nullptr, 0, 5);
}

std::optional<int> Supervisor::exit_status() {
  reap_others();
  if (!wait_status_) {
    int status = 0;
    if (::waitpid(record_.pid, &status, 0) == record_.pid) wait_status_ = status;
  }
  if (!wait_status_) return std::nullopt;
  return WIFSIGNALED(*wait_status_) ? 128 + WTERMSIG(*wait_status_) : WEXITSTATUS(*wait_status_);
}

ExitRecord Supervisor::serve() {
  Streams& s = *streams_;
  const SignalQueue signals;
  const std::optional<RawMode> raw(record_.attached && s.terminal ? std::make_optional<RawMode>()
                                                                  : std::nullopt);
  if (const auto early_signal = interrupted()) forward(*early_signal);
  const Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, record_.pid, 0)));
  s.stdin_open = s.stdin_open || (record_.attached && s.terminal);
  for (bool running = static_cast<bool>(ended) && !wait_status_; running;) {
    const int in_target = record_.stdio_pipes ? s.in.write.get() : s.terminal.get();
    const bool waiting = !s.stdin_waiting.empty();
    pollfd polled[] = {{ended.get(), POLLIN, 0},
                       {signals.fd(), POLLIN, 0},
                       {s.out.read.get(), POLLIN, 0},
                       {s.err.read.get(), POLLIN, 0},
                       {s.terminal.get(), POLLIN, 0},
                       {s.stdin_open && !waiting ? 0 : -1, POLLIN, 0},
                       {s.stdin_open && waiting ? in_target : -1, POLLOUT, 0}};
    ::poll(polled, std::size(polled), -1);
    if (polled[2].revents != 0) pump(s.out.read.get(), 1);
    if (polled[3].revents != 0) pump(s.err.read.get(), 2);
    if (polled[4].revents != 0) pump(s.terminal.get(), 1);
    if ((polled[2].revents & POLLHUP) != 0) s.out.read.reset();
    if ((polled[3].revents & POLLHUP) != 0) s.err.read.reset();
    if ((polled[4].revents & POLLHUP) != 0 && (polled[4].revents & POLLIN) == 0) s.terminal.reset();
    if ((polled[5].revents | polled[6].revents) != 0) relay_stdin();
    while (const auto signal = signals.next()) forward(*signal);
    running = polled[0].revents == 0;
  }
  if (s.out.read) pump(s.out.read.get(), 1);
  if (s.err.read) pump(s.err.read.get(), 2);
  if (s.terminal) pump(s.terminal.get(), 1);
  const ExitRecord exit{.status = exit_status(), .finished = now_rfc3339(), .checkpointed_to = {}};
  records_.save_exit(record_, exit);
  if (!driver_.table().shares_host_kernel) reap_helpers();
  return records_.exit(record_).value_or(exit);
}

}  // namespace ckpt
