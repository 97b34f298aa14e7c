// What may be said of a process that joins a container, and how a runtime is told.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtimes/spelling.h"

namespace ckpt {

struct ExecOpts {
  std::optional<std::string> cwd;   ///< absolute, inside the container
  std::optional<std::string> user;  ///< UID or UID:GID
  std::vector<std::string> env;     ///< NAME=VALUE, on top of the container's
  bool tty = false;                 ///< runsc gives one by itself when the standard input is a terminal
  bool detach = false;
  std::optional<std::string> pid_file;
  unsigned preserve_fds = 0;  ///< descriptors from 3 on that are handed down
  bool operator==(const ExecOpts&) const = default;
};

/// The arguments behind `exec`. Throws Error(unsupported) for what `dialect` has no way to take.
Argv exec_args(const Dialect& dialect, const ExecOpts& opts, const std::string& id,
               const std::vector<std::string>& payload);

}  // namespace ckpt
