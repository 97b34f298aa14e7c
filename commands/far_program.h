// Running skopeo and rclone: found, with a deadline for all calls together, what they say made an error or
// progress.
#pragma once
#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "commands/context.h"
#include "images/far_store.h"

namespace ckpt {

class FarProgram {
 public:
  /// `lock` is handed down, so that what works in a staging place has it even when its ckpt was killed.
  /// Throws Error(unsupported) when the program is not installed.
  FarProgram(const Context& context, const FarPlace& place, int lock);
  const std::string& path() const { return path_; }

  /// Its stdout. Throws Error(not_found) for what is not there, Error(timeout), Error(runtime_failed).
  std::string run(const std::string& what, const Argv& args);
  /// As run(); nullopt for what is not there.
  std::optional<std::string> ask(const std::string& what, const Argv& args);
  /// How much the last rclone said to have moved, or skopeo, which says nothing, has read.
  std::uint64_t moved() const;

 private:
  Error failure(const std::string& what, const Command& command, const Result& result,
                const std::string& said) const;
  std::optional<std::chrono::milliseconds> time_left() const;

  const Context& context_;
  const FarPlace& place_;
  const int lock_;
  const std::string path_;
  const std::optional<std::chrono::milliseconds> timeout_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> moved_ = 0;
  std::atomic<pid_t> silent_ = 0;  ///< skopeo, while it runs
};

/// Absolute path. Throws Error(unsupported).
std::string far_program(const std::string& name);

}  // namespace ckpt
