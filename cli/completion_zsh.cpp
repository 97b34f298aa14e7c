// The script for zsh: _arguments with the options of each command.
#include <fmt/ranges.h>

#include "cli/completion.h"

namespace ckpt {
namespace {

using Kind = ValueForm::Kind;

constexpr const char* kHead = R"zsh(#compdef ckpt
# zsh completion for ckpt. Made by 'ckpt completion zsh'; not edited by hand.

# What ckpt itself knows; the options of the line that say where to look go along.
_ckpt_live() {
  local -a where found
  local expl
  local -i i
  for ((i = 2; i < $#_ckpt_line; i++)); do
    case $_ckpt_line[i] in
      (@PLACES@)
        if (( i + 1 < $#_ckpt_line )); then where+=("$_ckpt_line[i]=${(Q)_ckpt_line[i+1]}"); fi
        ;;
      ((@PLACES@)=*)
        where+=("${(Q)_ckpt_line[i]}")
        ;;
    esac
  done
  found=(${(f)"$(command ckpt __complete "$@" "${where[@]}" 2>/dev/null </dev/null)"})
  _wanted "$1" expl "$1" compadd -a found
}

)zsh";

constexpr const char* kTail = R"zsh(
_ckpt() {
  local curcontext=$curcontext state
  local -a _ckpt_line globals verbs line
  local -A opt_args
  _ckpt_line=("${(@)words[1,CURRENT]}")
  _ckpt_declare
  _arguments -C -s $globals '1:command:->verb' '*:: :->rest'
  case $state in
    (verb) _describe -t commands command verbs ;;
    (rest) _ckpt_verb ;;
  esac
}

if [[ $funcstack[1] == _ckpt ]]; then
  _ckpt "$@"
else
  compdef _ckpt ckpt
fi
)zsh";

std::string in_quotes(const std::string& text) {
  return "'" + replaced(text, "'", "'\\''") + "'";
}

/// In the brackets of a specification of _arguments.
std::string bracketed(std::string text) {
  for (const char* c : {"\\", "[", "]"}) text = replaced(text, c, std::string("\\") + c);
  return text;
}

std::string action(const ValueForm& value) {
  switch (value.kind) {
    case Kind::words:
      return fmt::format("({})", fmt::join(value.words, " "));
    case Kind::file:
      return "_files";
    case Kind::directory:
      return "_files -/";
    case Kind::live:
      return value.words.front() == "names" ? "{_ckpt_live names ${(Q)words[2]}}"
                                            : fmt::format("{{_ckpt_live {}}}", value.words.front());
    case Kind::none:
    case Kind::any:
      break;
  }
  return " ";
}

/// One for each name of the option; one name excludes the others, and itself where it does not repeat.
std::string option_specs(const OptionForm& option, const std::string& indent) {
  std::string specs;
  for (const std::string& name : option.names) {
    const bool is_long = name.starts_with("--");
    std::string spec = option.repeats ? "*" : fmt::format("({})", fmt::join(option.names, " "));
    spec += name;
    if (option.value.kind != Kind::none) spec += option.value.optional ? "=-" : is_long ? "=" : "+";
    spec += fmt::format("[{}]", bracketed(option.help));
    if (option.value.kind != Kind::none)
      spec += fmt::format("{}value:{}", option.value.optional ? "::" : ":", action(option.value));
    specs += indent + in_quotes(spec) + "\n";
  }
  return specs;
}

std::string argument_spec(const ArgumentForm& argument) {
  return in_quotes(
      fmt::format("{}:{}:{}", argument.repeats ? "*" : "", argument.name, action(argument.value)));
}

std::string options_of(const VerbForm& verb, const std::string& indent) {
  std::string specs;
  for (const OptionForm& option : verb.options) specs += option_specs(option, indent);
  return specs;
}

std::string verb_case(const VerbForm& verb) {
  std::string text = fmt::format("    ({})\n      specs=(\n", verb.name);
  text += options_of(verb, "        ");
  for (const ArgumentForm& argument : verb.arguments) text += "        " + argument_spec(argument) + "\n";
  if (verb.payload) text += "        '*:argument:_default'\n";
  return text + "      )\n      ;;\n";
}

}  // namespace

std::string zsh_completion(const CommandForm& form) {
  std::string verbs, cases;
  for (const VerbForm& verb : form.verbs) {
    verbs += "    " + in_quotes(verb.name + ":" + verb.help) + "\n";
    cases += verb_case(verb);
  }
  const std::string places = fmt::format("{}", fmt::join(places_on_the_line(), "|"));
  return replaced(kHead, "@PLACES@", places) +
         fmt::format("_ckpt_declare() {{\n  globals=(\n{}  )\n  verbs=(\n{}  )\n}}\n\n",
                     options_of(form.global, "    "), verbs) +
         fmt::format(
             "_ckpt_verb() {{\n  local -a specs\n  case $words[1] in\n{}  esac\n"
             "  _arguments -s $globals $specs\n}}\n",
             cases) +
         kTail;
}

}  // namespace ckpt
