// A process that outlives this one: whatever death it dies, the guard then runs a command that puts right
// what was begun.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "runtimes/fs.h"

namespace ckpt {

/// Forked, not executed, so that it costs a fraction of a millisecond and shares its memory. It has a session
/// of its own, no descriptor of ours, no signal that it heeds, and its own name (thaw-guard): what is done to
/// ckpt, to its terminal or to its process group does not reach it.
class Guard {
 public:
  /// Stands by when it returns. On our death it becomes this program with `argv`, argv[0] being a name; its
  /// environment is that of now. Throws Error(runtime_failed).
  explicit Guard(const std::vector<std::string>& argv);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  /// All is well: it ends, and has ended.
  ~Guard();

 private:
  Fd line_;
  pid_t pid_ = -1;
};

}  // namespace ckpt
