// The one place that starts programs: no shell, three streams apart, a process group, a deadline by pidfd.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ckpt {

using Argv = std::vector<std::string>;

/// Where a stream of the child goes.
struct Null {};     ///< /dev/null
struct Inherit {};  ///< ckpt's own
struct Capture {};  ///< kept in Result, bounded by Command::capture_limit
struct ToFd {       ///< a descriptor that stays the caller's
  int fd;
};
using InputStream = std::variant<Null, Inherit, ToFd>;
using OutputStream = std::variant<Capture, Null, Inherit, ToFd>;

/// What to do with the child when SIGINT or SIGTERM arrives.
enum class OnInterrupt {
  terminate,  ///< SIGTERM to its process group, SIGKILL after the grace time
  finish,     ///< let it end (a dump that is cut off leaves CRIU's parasite in the tasks); a second signal
              ///< terminates
};

/// A descriptor that is served while the child runs.
struct AlsoPoll {
  int fd;
  std::function<void()> readable;
};

struct Command {
  std::string program;                          ///< absolute path
  Argv args;                                    ///< without argv[0]
  std::map<std::string, std::string> env = {};  ///< set on top of ckpt's own environment
  std::string cwd = {};
  InputStream in = Null{};
  OutputStream out = Capture{};
  OutputStream err = Capture{};
  std::optional<std::chrono::milliseconds> timeout = {};  ///< nullopt: none
  std::chrono::milliseconds grace{
      10'000};  ///< between SIGTERM and SIGKILL; runc and CRIU undo a restore in under 1 s
  OnInterrupt on_interrupt = OnInterrupt::terminate;
  std::size_t capture_limit = 2U << 20U;  ///< bytes kept of each captured stream's beginning and of its end
  /// Asked every 100 ms; text means: stop the child, this is why.
  std::function<std::optional<std::string>()> watch = {};
  std::vector<AlsoPoll> also = {};
  /// Told its pid once.
  std::function<void(pid_t)> started = {};
  /// How to make the child stop, given its pid; SIGTERM to its process group unless set. SIGKILL follows in
  /// any case.
  std::function<void(pid_t)> stop_with = {};

  Argv argv() const;
};

struct NotStarted {
  int error;  ///< errno of the spawn
};
struct Exited {
  int status;  ///< 0..255
};
struct Killed {
  int signal;
};
using Outcome = std::variant<NotStarted, Exited, Killed>;

struct Result {
  Outcome outcome = NotStarted{0};
  std::string out = {}, err = {};
  bool truncated = false;  ///< a captured stream exceeded twice its limit; its middle is lost
  bool timed_out = false;  ///< the deadline passed; the child was stopped
  std::optional<std::string> stopped_because = {};  ///< what Command::watch said
  std::optional<int> interrupted = {};              ///< the signal that ckpt received meanwhile
  double seconds = 0;

  bool ok() const;
};

/// The one seam for tests: who runs a command.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual Result run(const Command& command) = 0;
};

/// Runs it for real. Thread-safe: each call is on its own.
class SystemRunner : public Runner {
 public:
  Result run(const Command& command) override;
};

/// "exited with status 1", "was killed by SIGKILL", "could not be started: no such file or directory".
std::string describe(const Outcome& outcome);
/// One line that a POSIX shell reads back as the same argv.
std::string shell_quote(const Argv& argv);
/// Starts `command` with its own session and does not wait; the pid. Only its streams and env are used.
/// `inherit` is handed down as descriptor 3. Throws Error(runtime_failed).
pid_t spawn_detached(const Command& command, int inherit);

}  // namespace ckpt
