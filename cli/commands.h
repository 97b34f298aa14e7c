// The one list of commands.
#pragma once
#include <array>
#include <string_view>
#include <vector>

#include "commands/verbs.h"

namespace ckpt {

struct VerbRow {
  std::string_view name;
  std::string_view summary;  ///< empty: hidden from people
  bool needs_root;
  Action (*declare)(CLI::App&);
  std::array<std::string_view, 2> examples = {};  ///< command lines, for --help
};

const std::vector<VerbRow>& verbs();

}  // namespace ckpt
