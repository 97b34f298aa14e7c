// Showing a list of judgements, as `doctor` and `checkpoint --check` have it.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "commands/output.h"
#include "runtimes/checkup.h"

namespace ckpt {

/// A table on stdout, `area` being the heading of the second column; the status coloured on a terminal.
void show_checks(Output& out, const std::string& area, const std::vector<Check>& checks);
nlohmann::json to_json(const Check& check);
/// "AREA NAME" of those that fail.
std::vector<std::string> failing(const std::vector<Check>& checks);

}  // namespace ckpt
