// Who else is in a sandbox of gVisor.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtimes/state_facts.h"

namespace ckpt {

/// The other containers in the sandbox of `id`, by runsc's state files in `root`
/// (ROOT/ID_sandbox:SANDBOX.state), sorted.
std::vector<std::string> sandbox_neighbours(const std::string& root, const std::string& id);

/// A line of `runsc ps --format table`, as it has it.
struct SandboxRow {
  std::string pid, parent, command;
};
/// The columns are found by their heading, which differs between versions; nullopt without them.
std::optional<std::vector<SandboxRow>> sandbox_rows(const std::string& ps_table);

/// Its processes but the first, by `runsc ps --format table`; none where its columns are not found.
std::vector<SandboxedFact> sandbox_processes(const std::string& ps_table);

}  // namespace ckpt
