// Driving one runtime: its verbs, its states, its errors, the same for runc, crun and runsc.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtimes/error.h"
#include "runtimes/probe.h"
#include "runtimes/runtime.h"
#include "runtimes/spawn.h"
#include "runtimes/spelling.h"

namespace ckpt {

/// A container as its runtime sees it.
struct ContainerState {
  std::string id;
  std::string status;  ///< created, running, paused, stopped (OCI); a dead sandbox counts as stopped
  pid_t pid = 0;       ///< host pid; 0 when stopped. runsc: the sandbox's
  std::string bundle;
  std::string created;  ///< RFC 3339; empty where the runtime does not say (runsc)
};

class Driver {
 public:
  /// `limit` is the deadline of short verbs; nullopt for none.
  Driver(Runner& runner, Prober& prober, Target target,
         std::optional<std::chrono::milliseconds> limit = std::chrono::seconds(30))
      : runner_(runner),
        prober_(prober),
        target_(std::move(target)),
        table_(table_of(target_.kind)),
        limit_(limit) {}

  /// The same, with --nvproxy=true among the global flags or without it.
  Driver with_nvproxy(bool on) const {
    Target target = target_;
    target.nvproxy = on;
    return {runner_, prober_, std::move(target), limit_};
  }

  const Target& target() const { return target_; }
  const RuntimeTable& table() const { return table_; }
  Runner& runner() const { return runner_; }

  /// `PATH GLOBALS VERB ARGS...` with the search path CRIU needs in its environment. The verbs that undo
  /// (resume, delete) have at least 30 s.
  Command command(const std::string& verb, const Argv& args) const;
  /// The same with the runtime's own log in JSON; for the verbs whose errors are worth reading there.
  Command logged(const std::string& verb, const Argv& args, const std::filesystem::path& log) const;
  /// What the installed binary says of `verb`.
  Dialect dialect(const std::string& verb) const;
  std::string version() const { return prober_.version(target_.path); }

  /// nullopt when the root does not hold the id. Throws Error(runtime_failed) when the runtime cannot tell.
  std::optional<ContainerState> state(const std::string& id) const;
  std::vector<ContainerState> list() const;
  /// Processes as the runtime counts them: host pids, for runsc pids inside the sandbox.
  std::vector<pid_t> processes(const std::string& id) const;
  void pause(const std::string& id) const { do_verb("pause", {id}); }
  void resume(const std::string& id) const { do_verb("resume", {id}); }
  /// After a pause of which it is not known whether it took effect. False when it was not paused.
  bool resume_if_paused(const std::string& id) const;
  void kill(const std::string& id, const std::string& signal) const { do_verb("kill", {id, signal}); }
  /// `force` also removes a running, paused or half-made container, and one that is gone.
  void remove(const std::string& id, bool force) const;
  /// Runs it and throws failure() when it fails.
  Result do_verb(const std::string& verb, const Argv& args) const;

  /// The error for a failed command: the runtime's own last error, its deadline, its signal. `log` as given
  /// to logged().
  Error failure(const std::string& what, const Command& command, const Result& result,
                const std::filesystem::path& log = {}) const;

 private:
  Runner& runner_;
  Prober& prober_;
  Target target_;
  const RuntimeTable& table_;
  std::optional<std::chrono::milliseconds> limit_;
};

/// One runtime's `list --format json` or `state` as states; `null` and an empty list are none.
/// Throws Error(runtime_failed) for text that is not what it should be.
std::vector<ContainerState> parse_states(const std::string& text, const std::string& program);
/// The error for a failed command of the program `name`, whose own words are `said`.
Error command_failure(const std::string& name, const std::string& what, const Command& command,
                      const Result& result, const std::string& said);
/// The last error that the runtime wrote: from its JSON log, else the last line of stderr without logrus'
/// decoration. With `first`, the log's first one: runsc logs the cause before what followed from it.
std::string last_error(const std::string& json_log, const std::string& standard_error, bool first = false);

}  // namespace ckpt
