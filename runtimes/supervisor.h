// Bringing a container up and staying with it: owns its pipes or its terminal, is the subreaper, learns how
// it ended. Used by the monitor of a detached container and by an attached run or restore itself.
#pragma once
#include <sys/types.h>

#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtimes/capped_log.h"
#include "runtimes/driver.h"
#include "runtimes/fs.h"
#include "runtimes/record.h"
#include "runtimes/restore_watch.h"

namespace ckpt {

/// How to bring one container up: plain data, so that it can be handed to the monitor as JSON.
struct Launch {
  struct Step {
    std::string verb;  ///< create, start, restore
    Argv args;
    std::string program =
        {};  ///< what `args` are for instead of the runtime's verb: Cedana; empty: the runtime
  };
  std::vector<Step> steps;
  std::map<std::string, std::string> env;  ///< CRIU_CONFIG_FILE
  std::string pid_file;                    ///< ours; given to the runtime among the arguments
  bool inherit_stdio = false;              ///< the container's streams are ckpt's own; no pipes, no terminal
  std::string console_socket;              ///< ours, on which the runtime sends the terminal; empty: none
  std::string runtime_log;                 ///< where the runtime writes its JSON log
  std::string criu_log;                    ///< restore.log, watched for a runaway; empty: none
  int timeout_ms = 0;                      ///< for each step; 0: none
  bool is_restore = false;
  std::uint64_t log_max = kDefaultLogMax;  ///< bytes that the container's log takes at most; 0: any number
};
/// What `step` runs, without streams and deadline.
Command command_of(const Driver& driver, const Launch& launch, const Launch::Step& step);
nlohmann::json launch_to_json(const Launch& launch);
Launch launch_from_json(const nlohmann::json& in);

class Supervisor {
 public:
  /// Makes the calling process a subreaper. `record` says who the container is and where its output goes.
  Supervisor(const Driver& driver, const Records& records, Record record, Launch launch);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Creates and starts, or restores; saves the record with the pid. On any failure what was made is deleted
  /// again before the error is thrown. The pid is the container's first process (runsc: the sandbox).
  pid_t bring_up();
  /// Relays until the container has ended; writes and returns its exit record. An attached one also relays
  /// ckpt's own stdin and forwards signals and the terminal's size.
  ExitRecord serve();

 private:
  struct Streams;
  void open_streams();
  Command step_command(const Launch::Step& step);
  void run_step(const Launch::Step& step);
  void accept_terminal();
  void undo();
  void end_strays();
  void unlock_network();
  pid_t read_pid() const;
  void pump(int fd, int stream);
  void deliver(int stream, std::string_view data);
  void flush_early();
  void keep(int stream, std::string_view data);
  void relay_stdin();
  void forward(int signal);
  void remove_remains();
  void reap_others();
  static void reap_helpers();
  std::optional<int> exit_status();

  const Driver& driver_;
  const Records& records_;
  Record record_;
  Launch launch_;
  RestoreWatch restoring_;
  std::unique_ptr<Streams> streams_;
  /// Output while `running_` is false, of stdout and stderr: the runtime's words, in a restore perhaps the
  /// container's.
  std::array<std::string, 2> early_;
  bool lost_output_ = false;  ///< the log could not be written, and that is on record
  bool running_ = false;      ///< created, or restored: what arrives now is the container's
  std::set<pid_t> before_;    ///< tasks below us that are not of this restore
  std::optional<int> wait_status_;
};

/// Starts `PROGRAM __monitor DIRECTORY` in a session of its own and waits until the container runs.
/// Returns the container's pid. Throws what the monitor reports. `record` and `launch` are written to its
/// directory.
pid_t start_monitor(const Records& records, const Record& record, const Launch& launch);
/// The monitor's whole life; `ready_fd` gets one JSON object, {"pid"} or {"error"}. The exit status of the
/// process.
int monitor_main(const std::filesystem::path& directory, int ready_fd);

}  // namespace ckpt
