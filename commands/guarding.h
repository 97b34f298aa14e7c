// Standing by for a ckpt that may die while a container is paused, locked or frozen.
#pragma once
#include <string>

#include "commands/context.h"
#include "runtimes/guard.h"

namespace ckpt {

/// What the guard becomes when ckpt dies: `ckpt __guard ID`, with all that it would else read from a
/// configuration. Pure.
Argv guard_argv(const Globals& globals, const Target& target, const std::string& id);

/// Brings the container to run, however often the runtime must be told: until its state is not paused.
/// Whether it was. Throws Error when it is still paused after some seconds.
bool run_again(const Driver& driver, const std::string& id);

/// Before a paused container is deleted: a process in a freezer of version 1 dies only when it is thawed, and
/// runc waits for it in vain where no first process of a pid namespace takes the others along. They are
/// killed first, so that none of them does anything more, and resumed then.
void kill_frozen(const Driver& driver, const ContainerState& state);

/// Whether the note in the container's lock file tells of a ckpt that died and that had paused it.
bool left_paused(const Context& context, const Target& target, const std::string& id,
                 const std::string& status);
/// What `list` and `state` say of it.
std::string left_paused_text(const std::string& id);

}  // namespace ckpt
