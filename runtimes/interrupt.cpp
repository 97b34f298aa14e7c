// Signal state: a self-pipe, the first signal, a count, and a hold.
#include "runtimes/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "runtimes/error.h"

namespace ckpt {
namespace {

std::atomic<int> first_signal{0};
std::atomic<int> count{0};
std::atomic<int> holds{0};
int pipe_ends[2] = {-1, -1};

void on_signal(int signal) {
  const int saved = errno;
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
  ++count;
  [[maybe_unused]] const ssize_t n = ::write(pipe_ends[1], "x", 1);
  errno = saved;
}

}  // namespace

void catch_interrupts() {
  if (pipe_ends[0] < 0 && ::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT}) ::sigaction(signal, &action, nullptr);
  struct sigaction hangup = {};
  // What nohup(1) has asked for stays so.
  if (::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
    ::sigaction(SIGHUP, &action, nullptr);
  // Inherited as ignored from a careless parent, it would take our children's exit statuses away.
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &action, nullptr);
  action.sa_handler = SIG_IGN;
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::sigaction(signal, &action, nullptr);
}

int interrupt_fd() {
  return holds > 0 ? -1 : pipe_ends[0];
}

std::optional<int> interrupted() {
  if (holds > 0 || first_signal == 0) return std::nullopt;
  return first_signal.load();
}

int interrupt_count() {
  return holds > 0 ? 0 : count.load();
}

void throw_if_interrupted() {
  if (const auto signal = interrupted()) throw interrupted_error(*signal);
}

HoldInterrupts::HoldInterrupts() {
  ++holds;
}
HoldInterrupts::~HoldInterrupts() {
  --holds;
}

}  // namespace ckpt
