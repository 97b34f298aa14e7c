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

/// --keep-last, --keep-within, --max-bytes and --min-free.
void declare_retention(CLI::App& app, Retention& rules);

/// Their names, for messages.
inline constexpr const char* kRetentionOptions = "--keep-last, --keep-within, --max-bytes and --min-free";

/// Removes the checkpoints of `id` that go by the rules, and returns their names; `just_taken` never goes.
/// The container's lock is the caller's.
std::vector<std::string> prune(const Context& context, const std::string& id, const Retention& rules,
                               const std::string& just_taken);

}  // namespace ckpt
