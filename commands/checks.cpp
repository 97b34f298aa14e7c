// The table and the JSON of judgements.
#include "commands/checks.h"

#include <unistd.h>

#include "runtimes/json.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Status = Check::Status;

bool wants_colour() {
  const auto terminal = environment_variable("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && !environment_variable("NO_COLOR") && terminal && *terminal != "dumb";
}

/// Each with as many bytes of colour as the others, for the columns.
std::string coloured(const char* colour, std::string_view text) {
  return fmt::format("\x1b[{}m{}\x1b[0m", colour, text);
}

std::string status_cell(Status status, bool colour) {
  if (!colour) return std::string(name_of(status));
  const char* const code = status == Status::ok ? "32" : status == Status::warning ? "33" : "31";
  return coloured(code, name_of(status));
}

}  // namespace

void show_checks(Output& out, const std::string& area, const std::vector<Check>& checks) {
  const bool colour = wants_colour();
  std::vector<std::vector<std::string>> rows;
  for (const Check& check : checks)
    rows.push_back({status_cell(check.status, colour), check.area, check.name,
                    plain(check.fix.empty() ? check.found : check.found + "; " + check.fix)});
  out.table({colour ? coloured("39", "STATUS") : "STATUS", area, "CHECK", "FOUND"}, rows);
}

json to_json(const Check& check) {
  return {{"area", check.area},
          {"name", check.name},
          {"status", name_of(check.status)},
          {"found", check.found},
          {"fix", check.fix.empty() ? json() : json(check.fix)}};
}

std::vector<std::string> failing(const std::vector<Check>& checks) {
  std::vector<std::string> failed;
  for (const Check& check : checks)
    if (check.status == Status::fails) failed.push_back(check.area + " " + check.name);
  return failed;
}

}  // namespace ckpt
