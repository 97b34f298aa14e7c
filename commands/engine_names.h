// Containers of engines by what their engines know of them.
#pragma once
#include <string>

#include "commands/context.h"

namespace ckpt {

/// The program that the engine of a container calls, seen through NVIDIA's wrapper; empty: no engine's, or
/// not known.
std::string engine_program(Prober& prober, RuntimeKind kind, const std::string& root, const std::string& id);

/// The id of the container that an engine calls `name` (docker's and podman's names), when none has that for
/// its id; else `name`. Throws Error(conflict) for two of that name.
std::string id_of(const Context& context, const std::string& name);

}  // namespace ckpt
