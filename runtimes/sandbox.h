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

/// The children of its first process and of nobody, by `runsc ps --format table`: what an exec session leaves
/// behind becomes one. None where the columns are not found.
std::vector<SandboxedFact> sandbox_processes(const std::string& ps_table);

/// Those of `before` that are not in `now`. One that began since stands for one of the same command that is
/// gone, as the sleep of a loop does. Pure.
std::vector<SandboxedFact> lost_of_sandbox(const std::vector<SandboxedFact>& before,
                                           const std::vector<SandboxedFact>& now);

}  // namespace ckpt
