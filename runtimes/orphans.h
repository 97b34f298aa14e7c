// What a ckpt that was killed had started and what goes on without it.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>

#include "runtimes/record.h"
#include "runtimes/runtime.h"

namespace ckpt {

/// A process that still changes the container `id`, by its command line: the runtime with --root and a verb
/// such as checkpoint, or a monitor that brings up what is recorded in `record_dir`. Not `create`: crun's
/// container is called so until it is started. `record`: its monitor and process are no orphans.
std::optional<pid_t> orphan_at_work(const Target& target, const std::string& id,
                                    const std::string& record_dir, const std::optional<Record>& record);

}  // namespace ckpt
