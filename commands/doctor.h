// Gathering what `ckpt doctor` judges.
#pragma once
#include <vector>

#include "commands/context.h"
#include "gpu/host.h"
#include "runtimes/checkup.h"

namespace ckpt {

/// Those that --runtime and --runtime-path leave; an empty path for one that is not installed.
std::vector<InstalledRuntime> runtimes_of(const Context& context);
/// Asks programs, all at once and each with a deadline, and reads files; remembers and changes nothing.
/// Throws only Error(interrupted), and Error(unsupported) for a --runtime-path that is no program.
HostState look_at_state(const Context& context);
/// The GPU's part of it; programs are asked only where there is a driver.
HostFacts look_at_gpus(const Context& context);

}  // namespace ckpt
