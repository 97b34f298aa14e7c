// Containers of engines by what their engines know of them.
#pragma once
#include <string>

#include "commands/context.h"
#include "runtimes/engines.h"

namespace ckpt {

/// The program that the engine of a container calls, seen through NVIDIA's wrapper; empty: no engine's, or
/// not known.
std::string engine_program(Prober& prober, RuntimeKind kind, const std::string& root, const std::string& id);

/// What an engine calls one of its containers.
struct EngineName {
  std::string id;
  std::string full;       ///< as `list` prints it: web, default/web, shop/web-0/nginx
  std::string container;  ///< the last part alone; empty: of a pod, where many have the same
};

EngineName name_of(const std::string& id, const Engine& engine);
/// Of every root that --root and --runtime leave.
std::vector<EngineName> engine_names(const Context& context);
/// The one that `name` means: a full name before the last part of one. Throws Error(conflict) for two.
std::optional<std::string> id_called(const std::vector<EngineName>& names, const std::string& name);

/// The container that `name` means: its id, else what an engine calls it; else `name` as it is. Throws
/// Error(conflict) for two of that name, Error(usage) for what can be no id and is nobody's name.
std::string id_of(const Context& context, const std::string& name);
/// The same of one that may have checkpoints only: also by what its engine called it when they were taken.
std::string id_in_store(const Context& context, const std::string& name);

}  // namespace ckpt
