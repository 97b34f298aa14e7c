// Who else is in a sandbox of gVisor.
#pragma once
#include <string>
#include <vector>

#include "runtimes/state_facts.h"

namespace ckpt {

/// The other containers in the sandbox of `id`, by runsc's state files in `root`
/// (ROOT/ID_sandbox:SANDBOX.state), sorted.
std::vector<std::string> sandbox_neighbours(const std::string& root, const std::string& id);

/// Its processes but the first, by `runsc ps --format table`; the columns are found by their heading. None
/// without them.
std::vector<SandboxedFact> sandbox_processes(const std::string& ps_table);

}  // namespace ckpt
