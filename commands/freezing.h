// What pause and resume share: the container, its lock, and what is said of each.
#pragma once
#include <nlohmann/json.hpp>

#include "commands/context.h"

namespace ckpt {

struct FreezeVerb {
  std::string name;      ///< of the verb, which is the runtime's too
  std::string from, to;  ///< the states before and after it
  std::string only;      ///< why a container in another state is refused
};

/// Each container on its own. Throws Error(conflict) for one that is in another state.
int freeze_or_thaw(Context& context, const FreezeVerb& verb, const std::vector<std::string>& names);

}  // namespace ckpt
