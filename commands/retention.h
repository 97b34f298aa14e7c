// The options and the act of keeping only some checkpoints: for `checkpoint` and `images prune`.
#pragma once
#include <string>
#include <vector>

#include "commands/context.h"
#include "images/retention.h"

namespace CLI {
class App;
}

namespace ckpt {

/// --keep-last and --keep-within.
void declare_retention(CLI::App& app, Retention& rules);

/// Removes the checkpoints of `id` that no rule keeps, and returns their names. The container's lock is the
/// caller's.
std::vector<std::string> prune(const Context& context, const std::string& id, const Retention& rules);

}  // namespace ckpt
