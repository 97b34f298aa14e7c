// Freezing and thawing CUDA processes with cuda-checkpoint: who is one, in what state, all of them or none.
//
// A process goes running -> locked -> checkpointed and back the same way (NVIDIA's cuda-checkpoint; drivers
// 555 and newer have the single actions, 550 only the toggle).
#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtimes/preflight.h"
#include "runtimes/spawn.h"

namespace ckpt {

enum class CudaState { running, locked, checkpointed, failed };
std::string_view name_of(CudaState state);
/// What --get-state prints; nullopt for anything else.
std::optional<CudaState> cuda_state_named(std::string_view text);

/// Makes the command of a cuda-checkpoint with these arguments: on the host, or inside a sandbox. Its pids
/// are those of the GpuHolders.
using CudaCommand = std::function<Command(const Argv&)>;

/// What a cuda-checkpoint's -h tells of it.
struct CudaDialect {
  std::set<std::string> options;  ///< "--action", "--get-state", "--device-map", …
  bool many_pids = false;         ///< ckpt's own: `--pid 1,2,3` acts on all of them at once
  bool action_words = false;      ///< takes `checkpoint PID` in place of `--action checkpoint --pid PID`
  bool locks = false;             ///< lock and unlock are actions of their own
  bool has(const char* option) const { return options.contains(option); }
};
CudaDialect parse_cuda_help(const std::string& text);

/// The arguments for get-state, toggle, lock, checkpoint, restore or unlock of `pids` (one, or several with
/// commas between them). `lock` waits at most `timeout` for work on the GPU where the tool can be told so;
/// the device map goes with `restore`. Pure.
Argv cuda_args(const CudaDialect& dialect, std::string_view action, const std::string& pids,
               std::optional<std::chrono::milliseconds> timeout = {}, const std::string& device_map = {});

/// One action on one process, for --json and -v.
struct CudaStep {
  pid_t pid = 0;
  std::string action;  ///< lock, checkpoint, restore, unlock, toggle
  double seconds = 0;
};

struct CudaLimits {
  std::chrono::milliseconds lock{10'000};   ///< for the work on the GPU to end
  std::chrono::milliseconds step{600'000};  ///< for any one call: memory is copied over PCIe
};

class CudaFreezer {
 public:
  CudaFreezer(Runner& runner, CudaCommand command, CudaLimits limits)
      : runner_(runner), command_(std::move(command)), limits_(limits) {}

  /// Asks `-h`. Throws Error(unsupported), with the tool's own words, when it does not work here.
  void probe();
  const CudaDialect& dialect() const { return dialect_; }

  /// Of those that hold a device, the CUDA processes; the others (NVML only, as nvidia-smi) go into `others`.
  /// Without --get-state all of them count. Throws Error(conflict) for a process that somebody else froze,
  /// Error(gpu_failed) when the tool does not tell of one: it may be one.
  std::vector<GpuHolder> cuda_processes(const std::vector<GpuHolder>& holders,
                                        std::vector<GpuHolder>& others) const;
  /// Locks all at once, then checkpoints all at once. When one fails, all are brought back to running before
  /// Error(gpu_failed), which names each outcome, is thrown. SIGINT and SIGTERM do the same.
  void freeze(const std::vector<GpuHolder>& processes);
  /// Restores and unlocks all, whatever state each is in. Tries every one before it throws Error(gpu_failed)
  /// with those that are not running.
  void thaw(const std::vector<GpuHolder>& processes, const std::string& device_map = {});
  /// The commands of these actions on all of them, for --dry-run.
  std::vector<Argv> commands(const std::vector<GpuHolder>& processes,
                             const std::vector<std::string>& actions) const;
  /// What freeze() does: lock and checkpoint, or toggle, or checkpoint alone.
  std::vector<std::string> freezing_actions() const;
  /// What thaw() does: restore and unlock, or toggle, or restore alone.
  std::vector<std::string> thawing_actions() const;
  /// By pid; nullopt for one that is no CUDA process. With a driver that cannot tell states, what our own
  /// actions made of them. A state of no known name is `failed`. When the tool does not tell, that is nullopt
  /// too, or with `must_tell` Error(gpu_failed).
  std::map<pid_t, std::optional<CudaState>> states(const std::vector<GpuHolder>& processes,
                                                   bool must_tell = false) const;

  const std::vector<CudaStep>& steps() const { return steps_; }

 private:
  struct Answer {
    bool ok = false;
    /// By the tool itself; false when it could not run or was killed, and for a state that it could not get
    /// of what may be a CUDA process.
    bool told = false;
    std::string text;
    double seconds = 0;
  };
  using Answers = std::map<pid_t, Answer>;
  Answers ask(const std::vector<pid_t>& pids, const std::string& action,
              const std::string& device_map = {}) const;
  Answer ask_one(pid_t pid, const std::string& action, const std::string& device_map) const;
  Answers ask_together(const std::vector<pid_t>& pids, const std::string& action,
                       const std::string& device_map) const;
  Result call(const std::string& action, const std::string& pids, const std::string& device_map) const;
  std::vector<std::string> act(const std::vector<pid_t>& pids, const std::string& action,
                               const std::string& device_map = {});
  std::vector<std::string> bring_back(const std::vector<GpuHolder>& processes, const std::string& device_map);
  std::vector<pid_t> those_in(const std::vector<GpuHolder>& processes, CudaState state) const;

  Runner& runner_;
  CudaCommand command_;
  CudaLimits limits_;
  CudaDialect dialect_;
  /// What our own actions made of them: for a driver that cannot tell states.
  std::map<pid_t, CudaState> believed_;
  std::vector<CudaStep> steps_;
};

}  // namespace ckpt
