// The containers that `list` shows, for all who work on every one of them.
#pragma once
#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands/context.h"
#include "runtimes/engines.h"

namespace ckpt {

/// Which of them; --runtime and --root besides.
struct ListFilter {
  bool all = false;  ///< also those that a checkpoint stopped
  std::optional<std::string> manager;
  std::vector<std::string> filters;  ///< KEY=VALUE; of one key any, of several keys all
};
/// --manager and --filter.
void declare_filter(CLI::App& app, ListFilter& filter);

struct Listed {
  std::string id, runtime, root, status, bundle, created, last_checkpoint;
  pid_t pid = 0;
  std::optional<std::vector<std::string>> gpu = {};  ///< nullopt: not a container of ckpt's, not known
  std::optional<Engine> engine = {};                 ///< nullopt: ckpt's, or a person's
  bool left_paused = false;                          ///< by a ckpt that died
};

/// Whether it is one of those that `filter` wants; without regard to `all`.
bool fits(const Listed& container, const ListFilter& filter);
/// By id and root. What could not be asked is told with warn().
std::vector<Listed> listed(const Context& context, const ListFilter& filter);
/// `context` with this one's runtime and root, where another may have the same id.
Globals globals_for(const Context& context, const Listed& container);

}  // namespace ckpt
