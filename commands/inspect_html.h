// ckpt images inspect --html FILE.
#pragma once
#include <string>

#include "commands/context.h"
#include "commands/inspection.h"

namespace ckpt {

/// Throws Error(usage) without its directory, Error(conflict) where something else than a regular file is.
/// `-` is stdout.
void require_html_target(const std::string& file);
/// The page of it, and of what the store has of its container.
void write_html(const Context& context, const Inspection& inspection, const std::string& file);

}  // namespace ckpt
