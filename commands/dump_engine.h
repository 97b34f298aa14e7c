// Who dumps and restores a container's processes: the runtime with CRIU, or Cedana in its stead.
#pragma once
#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "commands/context.h"
#include "images/store.h"
#include "runtimes/cedana.h"

namespace ckpt {

void declare_engine(CLI::App& app, std::optional<std::string>& into, const std::string& text);

/// Cedana where `asked` says so, with its runc plugin and its daemon; nullopt for the runtime itself. Throws
/// Error(unsupported) for a container of another runtime than runc, and for what is missing.
std::optional<Cedana> engine_for_dump(const Context& context, const std::optional<std::string>& asked,
                                      const RuntimeTable& table, const std::string& id);
/// The one that made the image. Throws Error(host_incompatible) when another is asked for.
std::optional<Cedana> dump_engine_of(const Context& context, const std::optional<std::string>& asked,
                                     const Image& image, const RuntimeTable& table);

}  // namespace ckpt
