// Long steps, shown while they last: bytes, rate and what is left. A line that is rewritten on a terminal,
// one every five seconds with --verbose elsewhere, JSON on --progress-fd. Nothing of it with --quiet.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "commands/context.h"

namespace ckpt {

/// How far a step is.
struct StepState {
  std::string step;  ///< freeze, dump, compression, publication, verification, copy, unpacking, restore,
                     ///< export, import, push, pull
  std::string name;  ///< of the container or checkpoint
  std::uint64_t bytes = 0;        ///< done so far
  std::uint64_t total = 0;        ///< 0: not known
  double seconds = 0;             ///< since its begin
  std::string state = "running";  ///< then done or failed
};
/// "dump of 'web': 512.0 MB of 2.0 GB, 800.0 MB/s, 2 s left". Pure.
std::string progress_text(const StepState& now);
nlohmann::json progress_json(const StepState& now);

/// From its construction to its end; asks `done` for the bytes from a thread of its own, and does nothing at
/// all when nobody looks.
class Progress {
 public:
  using Bytes = std::function<std::uint64_t()>;
  Progress(const Context& context, std::string step, std::string name, const Bytes& total, Bytes done);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  enum class Show { nothing, line, detail };
  void follow();
  void show(const std::string& state);

  const Context& context_;
  const Bytes done_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  const int exceptions_ = std::uncaught_exceptions();
  Show show_ = Show::nothing;
  StepState now_;
  std::uint64_t at_begin_ = 0;  ///< what `done` said then
  bool shown_ = false;
  std::mutex mutex_;
  std::condition_variable ending_;
  bool ended_ = false;
  std::thread thread_;
};

/// Bytes of the files in `directory`, now.
std::uint64_t bytes_below(const std::filesystem::path& directory);
/// All that this process, or another, has read so far, by /proc/PID/io.
std::uint64_t bytes_read();
std::uint64_t bytes_read_by(pid_t pid);

}  // namespace ckpt
