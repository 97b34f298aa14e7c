// ckpt completion SHELL: what the command line takes, read from its one declaration, and written as a script
// for each shell.
#pragma once
#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "commands/context.h"

namespace ckpt {

/// What stands behind an option, or as an argument.
struct ValueForm {
  enum class Kind {
    none,       ///< a switch
    any,        ///< nothing to offer
    words,      ///< one of `words`
    file,       ///< a path
    directory,  ///< a path
    live,       ///< what `ckpt __complete words[0]` prints
  };
  Kind kind = Kind::none;
  std::vector<std::string> words = {};
  bool optional = false;  ///< only as --option=value
};

struct OptionForm {
  std::vector<std::string> names;  ///< with their dashes
  std::string help;
  ValueForm value;
  bool repeats = false;
};

struct ArgumentForm {
  std::string name;
  ValueForm value;
  bool repeats = false;  ///< the last one may
};

struct VerbForm {
  std::string name, help;  ///< empty for the global options
  std::vector<OptionForm> options;
  std::vector<ArgumentForm> arguments;
  bool payload = false;  ///< a command line of its own may stand behind `--`
};

struct CommandForm {
  VerbForm global;
  std::vector<VerbForm> verbs;
};

/// Of the whole declaration; hidden verbs are left out.
CommandForm form_of(const CLI::App& app);

/// The global options that say where containers and checkpoints are; the scripts hand them to __complete.
const std::vector<std::string>& places_on_the_line();

std::string bash_completion(const CommandForm& form);
std::string zsh_completion(const CommandForm& form);
std::string fish_completion(const CommandForm& form);

/// `text` with every `from` as `to`.
std::string replaced(std::string text, const std::string& from, const std::string& to);

/// Of the command that `app` belongs to.
Action declare_completion(CLI::App& app);

}  // namespace ckpt
