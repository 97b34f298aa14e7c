// What ckpt remembers of a container it started: one directory per container under STATE/containers.
//   record.json  how it was started and by what     exit.json      how it ended, written by its monitor
//   bundle/      our copy of the configuration      stopping.json  a checkpoint is about to stop it
//   lost-output  since when its log has a gap, and why
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtimes/runtime.h"

namespace ckpt {

struct Record {
  std::string id;
  Target target;
  std::string bundle;             ///< the user's
  std::string config_digest;      ///< of the user's config.json
  std::string layer;              ///< directory of its writable layer, removed with the record; empty: none
  std::string log_path;           ///< empty: output is not logged (attached, or --console-socket)
  std::string created;            ///< RFC 3339 UTC
  std::vector<std::string> gpus;  ///< what its configuration names of GPUs: device paths, CDI names
  bool terminal = false;
  bool attached = false;
  bool stdio_pipes = true;  ///< stdin, stdout and stderr are pipes of ckpt's
  pid_t pid = 0;            ///< the container's first process, in the host's pid namespace
  pid_t monitor = 0;
  std::uint64_t monitor_start = 0;
};

struct ExitRecord {
  std::optional<int> status;    ///< 0..255, 128 + signal; nullopt: could not be learned
  std::string finished;         ///< RFC 3339 UTC
  std::string checkpointed_to;  ///< not empty: a checkpoint stopped it, it did not end by itself
};

class Records {
 public:
  explicit Records(const std::filesystem::path& state_dir) : base_(state_dir / "containers") {}

  /// STATE/containers/RUNTIME-<hash of root>/ID
  std::filesystem::path directory(RuntimeKind kind, const std::string& root, const std::string& id) const;
  std::filesystem::path directory(const Record& r) const {
    return directory(r.target.kind, r.target.root, r.id);
  }
  std::optional<Record> load(RuntimeKind kind, const std::string& root, const std::string& id) const;
  void save(const Record& record) const;
  std::vector<Record> all() const;
  /// Those of that id, whatever their runtime and root.
  std::vector<Record> of_id(const std::string& id) const;
  /// Removes the directory and the container's writable layer; nothing happens when there is none.
  void remove(const Record& record) const;

  std::optional<ExitRecord> exit(const Record& record) const;
  void save_exit(const Record& record, const ExitRecord& exit) const;
  /// Set before a checkpoint stops the container, so that its monitor does not report an exit; empty text
  /// clears it.
  void mark_stopping(const Record& record, const std::string& checkpoint) const;

  /// Part of its output could not be written to its log, because of `why`. Never throws: there is nobody to
  /// catch it.
  void note_lost_output(const Record& record, const std::string& why) const;
  /// "since 2026-11-21T20:48:22Z: no space left on device"; empty when nothing was lost.
  std::string lost_output(const Record& record) const;

 private:
  std::filesystem::path base_;
};

/// RUNTIME-<hash of root>: the directory in which ckpt keeps what it has of that root's containers.
std::string directory_of_root(RuntimeKind kind, const std::string& root);
bool monitor_alive(const Record& record);
/// Waits for the monitor to have written the end and gone; not for an attached ckpt that is the caller. False
/// when `milliseconds` passed.
bool wait_for_monitor(const Record& record, int milliseconds);

}  // namespace ckpt
