// What an installed binary can do: asked from itself, once per binary (path, size, mtime), and remembered.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "runtimes/help.h"
#include "runtimes/json.h"
#include "runtimes/runtime.h"
#include "runtimes/spawn.h"

namespace ckpt {

class Prober {
 public:
  /// `cache` is a directory of ckpt's own; when it cannot be written, answers are not remembered.
  Prober(Runner& runner, std::filesystem::path cache) : runner_(runner), cache_(std::move(cache)) {}

  /// The flags of `verb`; an empty verb means the global ones.
  /// Throws Error(unsupported) when the binary has no such verb or its answer shows no flag.
  Advertised flags(const RuntimeTable& table, const std::string& path, const std::string& verb);
  /// The word behind "version" (or "Version:") in `PATH --version`. Throws Error(unsupported) when
  /// unreadable.
  std::string version(const std::string& path);

 private:
  std::string answer(const std::string& path, const Argv& args);

  Runner& runner_;
  std::filesystem::path cache_;
  std::map<std::string, nlohmann::json> known_;  ///< by path of the binary: read once in a process
};

/// The word behind "version" (or "Version:") in the first line; empty when there is none.
std::string version_in(std::string_view text);

/// "4.1.1" >= 4.1: compares the leading numbers. False for a text without numbers.
bool version_at_least(std::string_view version, int major, int minor);

}  // namespace ckpt
