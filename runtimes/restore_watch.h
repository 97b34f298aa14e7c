// A restore by CRIU that would neither end nor fail by itself.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

namespace ckpt {

class RestoreWatch {
 public:
  explicit RestoreWatch(std::string criu_log) : criu_log_(std::move(criu_log)) {}
  void started(pid_t runtime) { runtime_ = runtime; }
  /// Why it will never end; nullopt: it may. To be asked several times a second.
  std::optional<std::string> look();
  /// Whether that is a process that died, and not the image.
  bool process_died() const { return process_died_; }

 private:
  std::string criu_log_;
  pid_t runtime_ = -1;
  std::optional<std::chrono::steady_clock::time_point> dead_since_;
  bool process_died_ = false;
};

/// Ends it: the tasks first, so that CRIU sees it, fails and cleans up; a CRIU that does not see it, within a
/// second. runc does not react to SIGTERM then, and a killed crun leaves its CRIU running.
void stop_restore(pid_t runtime);

}  // namespace ckpt
