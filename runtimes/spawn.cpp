// posix_spawn, pipes, pidfd and poll: every child of ckpt is started and waited for here.
#include "runtimes/spawn.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/process_group.h"

namespace ckpt {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr milliseconds kWatchEvery{100};
/// How long OnInterrupt::finish lets a child go on.
constexpr milliseconds kFinishWithin{5000};

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

/// Keeps the first and the last `limit` bytes of a stream.
class Bounded {
 public:
  explicit Bounded(std::size_t limit) : limit_(limit) {}
  void add(std::string_view data) {
    const std::size_t room = limit_ > head_.size() ? limit_ - head_.size() : 0;
    head_ += data.substr(0, room);
    if (data.size() <= room) return;
    tail_ += data.substr(room);
    if (tail_.size() > 2 * limit_) {
      tail_.erase(0, tail_.size() - limit_);
      truncated_ = true;
    }
  }
  std::string take() { return std::move(head_) + tail_; }
  bool truncated() const { return truncated_; }

 private:
  std::size_t limit_;
  std::string head_, tail_;
  bool truncated_ = false;
};

/// argv and environment as exec wants them; owns the strings.
class CStrings {
 public:
  explicit CStrings(Argv strings) : strings_(std::move(strings)) {
    for (std::string& s : strings_) pointers_.push_back(s.data());
    pointers_.push_back(nullptr);
  }
  char** data() { return pointers_.data(); }

 private:
  Argv strings_;
  std::vector<char*> pointers_;
};

Argv environment(const std::map<std::string, std::string>& set) {
  Argv result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!set.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [name, value] : set) result.push_back(fmt::format("{}={}", name, value));
  return result;
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void dup(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  void null(int to, int flags) { posix_spawn_file_actions_addopen(&actions_, to, "/dev/null", flags, 0); }
  void chdir(const std::string& dir) { posix_spawn_file_actions_addchdir_np(&actions_, dir.c_str()); }
  void close_from(int fd) { posix_spawn_file_actions_addclosefrom_np(&actions_, fd); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

/// Signals at their defaults and unblocked in the child, in a group or session of its own.
class Attributes {
 public:
  explicit Attributes(short extra) {
    posix_spawnattr_init(&attributes_);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | extra));
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

void add_input(FileActions& actions, const InputStream& stream) {
  std::visit(Overloaded{[&](Null) { actions.null(0, O_RDONLY); }, [&](Inherit) { actions.dup(0, 0); },
                        [&](ToFd to) { actions.dup(to.fd, 0); }},
             stream);
}

/// Returns the read end when the stream is captured; `write_end` must live until the spawn is done.
Fd add_output(FileActions& actions, const OutputStream& stream, int number, Fd& write_end) {
  Fd read_end;
  std::visit(
      Overloaded{[&](Capture) {
                   Pipe pipe = make_pipe();
                   ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
                   actions.dup(pipe.write.get(), number);
                   read_end = std::move(pipe.read);
                   write_end = std::move(pipe.write);
                 },
                 [&](Null) { actions.null(number, O_WRONLY); }, [&](Inherit) { actions.dup(number, number); },
                 [&](ToFd to) { actions.dup(to.fd, number); }},
      stream);
  return read_end;
}

/// Drains what is there; false at end of file.
bool drain(int fd, Bounded& into) {
  char buffer[65536];
  for (int rounds = 0; rounds < 64; ++rounds) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n > 0)
      into.add({buffer, static_cast<std::size_t>(n)});
    else if (n == 0)
      return false;
    else if (errno != EINTR)
      return errno == EAGAIN;
  }
  return true;
}

Outcome outcome_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return Killed{WTERMSIG(wait_status)};
  return Exited{WEXITSTATUS(wait_status)};
}

/// A child whose status someone else took (SIGCHLD ignored) must not pass for one that succeeded.
Outcome wait_for(pid_t pid) {
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
  }
  return ended == pid ? outcome_of(status) : Outcome(NotStarted{ECHILD});
}

/// One running child: its streams, its deadline, its end.
class Child {
 public:
  explicit Child(const Command& command)
      : command_(command), out_(command.capture_limit), err_(command.capture_limit) {}

  Result run() {
    const auto begin = Clock::now();
    if (const int error = start(); error != 0) return {.outcome = NotStarted{error}};
    deadline_ = command_.timeout ? begin + *command_.timeout : Clock::time_point::max();
    while (!ended_) step();
    result_.outcome = wait_for(pid_);
    // Whoever it had started itself, as a runtime does CRIU, may still be at work.
    if (stopping_ || std::holds_alternative<Killed>(result_.outcome)) end_group(pid_);
    if (out_fd_) drain(out_fd_.get(), out_);
    if (err_fd_) drain(err_fd_.get(), err_);
    result_.truncated = out_.truncated() || err_.truncated();
    result_.out = out_.take();
    result_.err = err_.take();
    result_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return std::move(result_);
  }

 private:
  int start() {
    FileActions actions;
    const Attributes attributes(POSIX_SPAWN_SETPGROUP);
    Fd out_write, err_write;
    add_input(actions, command_.in);
    out_fd_ = add_output(actions, command_.out, 1, out_write);
    err_fd_ = add_output(actions, command_.err, 2, err_write);
    actions.close_from(3);
    if (!command_.cwd.empty()) actions.chdir(command_.cwd);
    CStrings argv(command_.argv()), env(environment(command_.env));
    const int error = posix_spawn(&pid_, command_.program.c_str(), actions.get(), attributes.get(),
                                  argv.data(), env.data());
    if (error != 0) return error;
    pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (pidfd_) {
      if (command_.started) command_.started(pid_);
      return 0;
    }
    const int no_pidfd = errno;
    ::kill(-pid_, SIGKILL);
    wait_for(pid_);
    return no_pidfd;
  }

  void step() {
    std::vector<pollfd> polled = {{pidfd_.get(), POLLIN, 0},
                                  {out_fd_.get(), POLLIN, 0},
                                  {err_fd_.get(), POLLIN, 0},
                                  {told_ ? -1 : interrupt_fd(), POLLIN, 0}};
    for (const AlsoPoll& also : command_.also) polled.push_back({also.fd, POLLIN, 0});
    ::poll(polled.data(), polled.size(), wait_ms());
    if (polled[1].revents != 0 && !drain(out_fd_.get(), out_)) out_fd_.reset();
    if (polled[2].revents != 0 && !drain(err_fd_.get(), err_)) err_fd_.reset();
    for (std::size_t i = 0; i < command_.also.size(); ++i)
      if (polled[4 + i].revents != 0) command_.also[i].readable();
    ended_ = polled[0].revents != 0;
    if (!ended_) mind();
  }

  int wait_ms() const {
    const auto now = Clock::now();
    auto until = deadline_ == Clock::time_point::max() ? now + milliseconds(60'000) : deadline_;
    if (command_.watch || told_) until = std::min(until, now + kWatchEvery);
    return static_cast<int>(std::max<long long>(0, std::chrono::ceil<milliseconds>(until - now).count()));
  }

  /// The deadline, the signals and the watchdog.
  void mind() {
    if (const auto signal = interrupted(); signal && !result_.interrupted) {
      result_.interrupted = signal;
      told_ = true;
      finish_by_ = Clock::now() + kFinishWithin;
      if (command_.on_interrupt == OnInterrupt::terminate) stop();
    }
    if (told_ && !stopping_ && (interrupt_count() > 1 || Clock::now() >= finish_by_)) stop();
    if (!stopping_ && command_.watch) {
      if (auto reason = command_.watch()) {
        result_.stopped_because = std::move(reason);
        stop();
      }
    }
    if (Clock::now() < deadline_) return;
    if (stopping_) {
      ::kill(-pid_, SIGKILL);
      deadline_ = Clock::time_point::max();
    } else {
      result_.timed_out = true;
      stop();
    }
  }

  void stop() {
    stopping_ = true;
    if (command_.stop_with)
      command_.stop_with(pid_);
    else
      ::kill(-pid_, SIGTERM);
    deadline_ = Clock::now() + command_.grace;
  }

  const Command& command_;
  Bounded out_, err_;
  Result result_;
  pid_t pid_ = -1;
  Fd pidfd_, out_fd_, err_fd_;
  Clock::time_point deadline_, finish_by_ = Clock::time_point::max();
  bool ended_ = false, stopping_ = false, told_ = false;
};

bool plain(char c) {
  return (std::isalnum(static_cast<unsigned char>(c)) != 0) || strchr("_@%+=:,./-", c) != nullptr;
}

std::string quote_word(const std::string& word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

Argv Command::argv() const {
  Argv all = {program};
  all.insert(all.end(), args.begin(), args.end());
  return all;
}

bool Result::ok() const {
  const auto* exited = std::get_if<Exited>(&outcome);
  return exited != nullptr && exited->status == 0 && !timed_out && !stopped_because;
}

Result SystemRunner::run(const Command& command) {
  return Child(command).run();
}

std::string describe(const Outcome& outcome) {
  return std::visit(Overloaded{[](NotStarted o) { return "could not be started: " + errno_text(o.error); },
                               [](Exited o) { return fmt::format("exited with status {}", o.status); },
                               [](Killed o) {
                                 const char* name = sigabbrev_np(o.signal);
                                 return name != nullptr ? fmt::format("was killed by SIG{}", name)
                                                        : fmt::format("was killed by signal {}", o.signal);
                               }},
                    outcome);
}

std::string shell_quote(const Argv& argv) {
  Argv words;
  for (const std::string& word : argv) words.push_back(quote_word(word));
  return fmt::format("{}", fmt::join(words, " "));
}

pid_t spawn_detached(const Command& command, int inherit) {
  FileActions actions;
  const Attributes attributes(POSIX_SPAWN_SETSID);
  Fd out_write, err_write;
  add_input(actions, command.in);
  add_output(actions, command.out, 1, out_write);
  add_output(actions, command.err, 2, err_write);
  actions.dup(inherit, 3);
  actions.close_from(4);
  CStrings argv(command.argv()), env(environment(command.env));
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, command.program.c_str(), actions.get(), attributes.get(), argv.data(), env.data());
  if (error != 0)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot start '{}': {}", command.program, errno_text(error)));
  return pid;
}

}  // namespace ckpt
