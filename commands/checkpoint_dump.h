// Taking one checkpoint: each step with its undo beside it; publish first, stop later.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "commands/checkpoint_plan.h"
#include "commands/container_state.h"
#include "commands/pre_copy.h"
#include "images/store.h"
#include "runtimes/error.h"
#include "runtimes/lock.h"

namespace ckpt {

/// The steps back, in reverse order of the steps forth.
class Undo {
 public:
  void add(std::string name, std::function<void()> step) {
    steps_.emplace_back(std::move(name), std::move(step));
  }
  void forget() { steps_.clear(); }
  /// Runs all; what could not be undone is added to the error.
  void run(Error& error);

 private:
  std::vector<std::pair<std::string, std::function<void()>>> steps_;
};

class Dump {
 public:
  /// `work_dir` is where CRIU's logs go. All are kept by reference until take() is done.
  Dump(const Context& context, const CheckpointPlan& plan, StagedImage& image, std::filesystem::path work_dir)
      : context_(context), plan_(plan), image_(image), work_dir_(std::move(work_dir)) {}

  /// Takes the checkpoint and stops the container if that was asked; the contract's document. On any failure
  /// the container goes on as before, and what could not be undone is part of the error.
  nlohmann::json take(ContainerLock& lock);

 private:
  using Clock = std::chrono::steady_clock;

  void note(ContainerLock& lock, pid_t group) const;
  void note_group(ContainerLock& lock, pid_t group) const;
  void prepare();
  void undo_for_criu();
  void pre_copy();
  Delivery final_delivery() const;
  void freeze_gpu();
  void thaw_gpu();
  std::optional<Error> thawed();
  void pause();
  void mark_stopping();
  void dump(ContainerLock& lock);
  void save_layer();
  bool is_judged() const { return plan_.stop && plan_.publish_first; }
  void judge();
  void resume();
  void compress();
  void optional(const std::string& fact, const std::function<void()>& step);
  void publish();
  void leave(ContainerLock& lock, Error& error) const;
  void stop_container();
  void delete_published();
  nlohmann::json result() const;

  const Context& context_;
  const CheckpointPlan& plan_;
  StagedImage& image_;
  const std::filesystem::path work_dir_;
  std::filesystem::path scratch_;
  Undo undo_;
  Manifest manifest_;
  std::vector<PreDump> pre_dumps_;
  Clock::time_point paused_;
  double freeze_gpu_ = 0, frozen_ = 0, runtime_ = 0, publish_ = 0;  ///< seconds
};

/// One dump of the runtime's, `what` in an error: "checkpoint", "pre-dump 2". Seconds that it took. `started`
/// is told its process group. Throws what the runtime's failure and the dump.log in `work_dir` tell; the log
/// is kept, and nobody of the dump is alive.
double run_dump(const Context& context, const CheckpointPlan& plan, const Delivery& delivery,
                const std::filesystem::path& scratch, const std::filesystem::path& work_dir,
                const std::string& what, const std::function<void(pid_t)>& started = {});

}  // namespace ckpt
