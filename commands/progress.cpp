// The thread that looks, and what it writes. It never waits for a reader.
#include "commands/progress.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "commands/images.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

double rate_of(const StepState& now) {
  return now.seconds > 0 ? static_cast<double>(now.bytes) / now.seconds : 0;
}

std::optional<double> seconds_left(const StepState& now) {
  const double rate = rate_of(now);
  if (rate <= 0 || now.total <= now.bytes) return std::nullopt;
  return static_cast<double>(now.total - now.bytes) / rate;
}

/// Whole, or not at all when the other side does not read.
void offer(int fd, const std::string& text) {
  pollfd ready = {.fd = fd, .events = POLLOUT, .revents = 0};
  if (::poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0) write_all(fd, text);
}

/// Signals are for the thread that handles them.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

 private:
  sigset_t saved_ = {};
};

}  // namespace

std::string progress_text(const StepState& now) {
  if (now.bytes == 0) return fmt::format("{} of '{}': {:.0f} s", now.step, now.name, now.seconds);
  std::string text = fmt::format("{} of '{}': {}", now.step, now.name, human(now.bytes));
  if (now.total > 0) text += " of " + human(std::max(now.total, now.bytes));
  text += fmt::format(", {}/s", human(static_cast<std::uint64_t>(rate_of(now))));
  if (const auto left = seconds_left(now)) text += fmt::format(", {:.0f} s left", *left);
  return text;
}

json progress_json(const StepState& now) {
  const auto left = seconds_left(now);
  return {{"step", now.step},
          {"name", now.name},
          {"state", now.state},
          {"bytes", now.bytes},
          {"total", now.total > 0 ? json(now.total) : json()},
          {"rate", static_cast<std::uint64_t>(rate_of(now))},
          {"left", left ? json(*left) : json()},
          {"seconds", now.seconds}};
}

Progress::Progress(const Context& context, std::string step, std::string name, const Bytes& total, Bytes done)
    : context_(context), done_(std::move(done)) {
  const Globals& globals = context.globals;
  if (globals.quiet || globals.dry_run) return;
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (terminal && !globals.no_progress && !globals.json) show_ = Show::line;
  if (!terminal && !globals.no_progress && globals.verbose > 0) show_ = Show::detail;
  if (show_ == Show::nothing && !globals.progress_fd) return;
  now_ = {.step = std::move(step), .name = std::move(name), .total = total()};
  at_begin_ = done_();
  const NoSignals blocked;
  try {
    thread_ = std::thread([this] { follow(); });
  } catch (const std::system_error&) {
    // Without a thread to spare the step goes on unseen.
  }
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  ending_.notify_one();
  thread_.join();
  show(std::uncaught_exceptions() > exceptions_ ? "failed" : "done");
}

/// A step that is soon over is not shown on a terminal.
void Progress::follow() {
  std::unique_lock lock(mutex_);
  const milliseconds pause =
      show_ == Show::detail && !context_.globals.progress_fd ? milliseconds(5000) : milliseconds(200);
  while (!ending_.wait_for(lock, pause, [this] { return ended_; })) show("running");
}

void Progress::show(const std::string& state) {
  now_.state = state;
  const std::uint64_t counted = done_();
  now_.bytes = counted - std::min(at_begin_, counted);
  const double before = now_.seconds;
  now_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  if (context_.globals.progress_fd)
    offer(*context_.globals.progress_fd,
          progress_json(now_).dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  if (show_ == Show::line && (shown_ || (state == "running" && now_.seconds > 0.5))) {
    offer(STDERR_FILENO, "\r" + (state == "running" ? progress_text(now_) : "") + "\x1b[K");
    shown_ = true;
  }
  constexpr int kEvery = 5;
  if (show_ == Show::detail && state == "running" &&
      static_cast<int>(before) / kEvery < static_cast<int>(now_.seconds) / kEvery)
    context_.out.detail(progress_text(now_));
}

std::uint64_t bytes_below(const fs::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const std::uint64_t size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

std::uint64_t bytes_read() {
  return bytes_read_by(::getpid());
}

std::uint64_t bytes_read_by(pid_t pid) {
  const std::string io = read_file(fmt::format("/proc/{}/io", pid), 4096).value_or("");
  const std::size_t at = io.find("rchar: ");
  return at == std::string::npos ? 0 : std::strtoull(io.c_str() + at + 7, nullptr, 10);
}

}  // namespace ckpt
