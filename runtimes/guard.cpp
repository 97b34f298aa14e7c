// fork, and a line of which the other end is closed by the kernel when ckpt dies.
#include "runtimes/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtimes/error.h"

namespace ckpt {
namespace {

constexpr char kName[] = "thaw-guard";
constexpr char kReady = 'r', kWell = 'w';

/// Everything that the child needs, made before the fork: behind it only system calls are safe.
struct Prepared {
  std::vector<char*> argv;
  char** environment;
  int line;         ///< its end
  int program;      ///< this program, open
  std::size_t own;  ///< bytes of our own command line
};

void close_all_but(int one, int other) {
  const unsigned low = static_cast<unsigned>(std::min(one, other));
  const unsigned high = static_cast<unsigned>(std::max(one, other));
  if (low > 3) ::syscall(SYS_close_range, 3U, low - 1, 0U);
  if (high > low + 1) ::syscall(SYS_close_range, low + 1, high - 1, 0U);
  ::syscall(SYS_close_range, high + 1, ~0U, 0U);
}

/// Who looks for ckpt by its command line does not mean its guard.
void rename_self(std::size_t own) {
  ::prctl(PR_SET_NAME, kName);
  if (own <= sizeof kName) return;
  ::memset(program_invocation_name, 0, own);
  ::memcpy(program_invocation_name, kName, sizeof kName);
}

char read_byte(int fd) {
  char byte = 0;
  ssize_t n = 0;
  while ((n = ::read(fd, &byte, 1)) < 0 && errno == EINTR) {
  }
  return n == 1 ? byte : '\0';
}

/// Where memory is short it is the last to be needed.
void spare_from_oom() {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t n = ::write(fd, "-900", 4);
  ::close(fd);
}

[[noreturn]] void stand_by(const Prepared& prepared) {
  ::setsid();
  rename_self(prepared.own);
  close_all_but(prepared.line, prepared.program);
  spare_from_oom();
  const int null = ::open("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2}) ::dup2(null, fd);
  if (null > 2) ::close(null);
  if (::write(prepared.line, &kReady, 1) != 1 || read_byte(prepared.line) == kWell) ::_exit(0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::fexecve(prepared.program, prepared.argv.data(), prepared.environment);
  ::_exit(127);
}

Error cannot(const char* what) {
  return {ErrorCode::runtime_failed,
          fmt::format("cannot start the process that guards the container: {}: {}", what, errno_text(errno))};
}

}  // namespace

Guard::Guard(const std::vector<std::string>& argv) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw cannot("socketpair");
  line_ = Fd(ends[0]);
  Fd theirs(ends[1]);
  const Fd program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!program) throw cannot("/proc/self/exe");
  std::vector<std::string> words = argv;
  Prepared prepared{.argv = {},
                    .environment = environ,
                    .line = theirs.get(),
                    .program = program.get(),
                    .own = read_file("/proc/self/cmdline").value_or("").size()};
  for (std::string& word : words) prepared.argv.push_back(word.data());
  prepared.argv.push_back(nullptr);
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_ = ::fork();
  if (pid_ == 0) stand_by(prepared);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  if (pid_ < 0) throw cannot("fork");
  theirs.reset();
  if (read_byte(line_.get()) == kReady) return;
  ::waitpid(pid_, nullptr, 0);
  throw cannot("it ended");
}

Guard::~Guard() {
  ::send(line_.get(), &kWell, 1, MSG_NOSIGNAL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace ckpt
