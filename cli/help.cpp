// The usage line, the names of values and the last line of --help.
#include "cli/help.h"

#include <fmt/ranges.h>

#include "cli/commands.h"

namespace ckpt {
namespace {

bool is_verb(const CLI::App* app) {
  return app->get_parent() != nullptr;
}

const char* behind_dashes(const std::string& verb) {
  if (verb == "run") return " [-- ARG...]";
  if (verb == "exec") return " -- COMMAND [ARG...]";
  return "";
}

}  // namespace

HelpFormatter::HelpFormatter() {
  label("OPTIONS", "OPTION...");
  label("SUBCOMMAND", "COMMAND");
}

/// One empty line between groups is enough.
std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string help = Formatter::make_help(app, std::move(name), mode);
  for (std::size_t at = 0; (at = help.find("\n\n\n", at)) != std::string::npos;) help.erase(at, 1);
  return help;
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  std::string usage = Formatter::make_usage(app, name);
  if (is_verb(app)) usage.insert(usage.find_last_not_of('\n') + 1, behind_dashes(app->get_name()));
  return usage;
}

/// " DIR" or " runc|crun|runsc|auto"; nothing for a switch and for what has no name of its own.
std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return "";
  const std::string type = option->get_type_name();
  const std::size_t colon = type.find(':');
  const std::string shown = colon == std::string::npos ? type : type.substr(colon + 1);
  return shown.empty() || shown == "TEXT" ? "" : " " + shown;
}

/// "--pre-copy[=N|auto]" for a flag that may have a value.
std::string HelpFormatter::make_option_name(const CLI::Option* option, bool is_positional) const {
  std::string name = Formatter::make_option_name(option, is_positional);
  if (const std::size_t at = name.find('{'); at != std::string::npos)
    name.replace(at, name.find('}') - at + 1, "[=N|" + name.substr(at + 1, name.find('}') - at - 1) + "]");
  return name;
}

std::string HelpFormatter::make_footer(const CLI::App* app) const {
  if (!is_verb(app)) return "'ckpt COMMAND --help' shows a command's own options, 'man ckpt' the manual.\n";
  std::string footer;
  for (const VerbRow& row : verbs())
    if (row.name == app->get_name() && !row.examples[0].empty())
      footer = fmt::format("Examples:\n  {}\n\n", fmt::join(row.examples, "\n  "));
  return fmt::format(
      "{}'ckpt --help' shows the global options, which also stand here; 'man ckpt-{}' the manual.\n", footer,
      app->get_name());
}

}  // namespace ckpt
