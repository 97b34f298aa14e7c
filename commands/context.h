// What every command is given: the global options, who runs programs, where things are; and finding
// containers.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "commands/output.h"
#include "runtimes/capped_log.h"
#include "runtimes/driver.h"
#include "runtimes/lock.h"
#include "runtimes/probe.h"
#include "runtimes/record.h"

namespace ckpt {

struct Globals {
  std::optional<std::string> runtime;  ///< runc, crun, runsc; nullopt: auto
  std::optional<std::string> runtime_path;
  std::optional<std::string> root;
  std::vector<std::string> runtime_args;
  std::optional<std::string> platform;
  std::optional<std::string> cuda_checkpoint;  ///< the program on the host
  std::string store = "/var/lib/ckpt";
  std::string state_dir = "/run/ckpt";
  std::optional<std::string> config;
  std::optional<std::string> log;
  std::string log_format = "text";
  std::uint64_t log_max = kDefaultLogMax;  ///< bytes that a container's log takes at most; 0: any number
  std::optional<std::chrono::milliseconds> timeout;  ///< 0: none
  bool dry_run = false;
  bool json = false;
  bool quiet = false;
  bool no_progress = false;
  std::optional<int> progress_fd;  ///< open for writing, closed at an exec
  int verbose = 0;
};

/// A container that a runtime or our records know.
struct Found {
  Driver driver;
  std::optional<Record> record;
  bool held = false;  ///< the runtime has it (it may be stopped); false: only our record is left
};

struct Context {
  const Globals& globals;
  Runner& runner;
  Prober& prober;
  Records records;
  Output& out;
  std::vector<std::string> payload = {};  ///< what stands behind `--`

  /// The runtime for a container that does not exist yet: `kind`, else --runtime, else the first installed.
  /// What the user did not say (binary, root, flags) is as in `before`.
  Driver driver_for_new(std::optional<RuntimeKind> kind = std::nullopt,
                        const std::optional<Target>& before = std::nullopt) const;
  /// Whoever holds `id`. Throws Error(not_found), or Error(conflict) listing the candidates.
  Found find(const std::string& id) const;
  /// Every id that a record or a directory of a runtime's root tells of: those of --root, if it is given.
  std::set<std::string> known_ids() const;
  /// "there is no container 'id'", with ids that are nearly that.
  Error no_container(const std::string& id) const;
  /// --timeout, else `otherwise`; nullopt for --timeout 0.
  std::optional<std::chrono::milliseconds> timeout_or(std::chrono::milliseconds otherwise) const;
  std::filesystem::path lock_file(const Target& target, const std::string& id) const;
  /// With directory_of_root()'s name of the target.
  std::filesystem::path lock_file(const std::string& root_directory, const std::string& id) const;
  std::filesystem::path default_log(const std::string& id) const;
  /// Prints commands for --dry-run: one per line shell-quoted, or an array of argv arrays.
  void print_plan(const std::vector<Argv>& commands) const;
  /// Where small files of one operation go; unique, not yet made.
  std::filesystem::path scratch() const;
};

using Action = std::function<int(Context&)>;

/// Resolves the binary of a runtime: --runtime-path, else `remembered` when it still exists, else PATH.
/// Throws Error(unsupported) when there is none.
std::string runtime_binary(const Globals& globals, const RuntimeTable& table,
                           const std::string& remembered = "");

/// The status an attached run or restore ends with when ckpt itself failed (the contract's 125).
inline constexpr int kAttachedFailure = 125;

/// The error of an attached verb: its exit status is 125, its code stays.
class AttachedError : public Error {
 public:
  explicit AttachedError(Error error) : Error(std::move(error)) {}
};

}  // namespace ckpt
