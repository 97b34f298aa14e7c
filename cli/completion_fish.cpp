// The script for fish: one `complete` for each option and argument.
#include <fmt/ranges.h>

#include <set>

#include "cli/completion.h"

namespace ckpt {
namespace {

using Kind = ValueForm::Kind;

constexpr const char* kHead =
    R"fish(# fish completion for ckpt. Made by 'ckpt completion fish'; not edited by hand.

# The words before the cursor: __ckpt_words without options, __ckpt_where the options that say where to look.
function __ckpt_read
    set -g __ckpt_words
    set -g __ckpt_where
    set -g __ckpt_payload 0
    set -l pending
    set -l tokens (commandline -opc)
    for token in $tokens[2..-1]
        if test -n "$pending"
            __ckpt_note $pending=$token
            set pending
            continue
        end
        switch $token
            case --
                set __ckpt_payload 1
                return
            case '--*=*'
                __ckpt_note $token
            case @VALUED@
                set pending $token
            case '-*'
            case '*'
                set -a __ckpt_words $token
        end
    end
end

function __ckpt_note
    switch $argv[1]
        case @PLACES@
            set -a __ckpt_where $argv[1]
    end
end

# Whether the line has no command yet; whether it is VERB [and its Nth argument, or a later one, is to come].
function __ckpt_no_verb
    __ckpt_read
    test $__ckpt_payload = 0 -a (count $__ckpt_words) = 0
end

function __ckpt_at
    __ckpt_read
    test $__ckpt_payload = 0 -a "$__ckpt_words[1]" = $argv[1]; or return
    test (count $argv) = 1; and return
    test (count $__ckpt_words) = $argv[2]; and return
    test (count $argv) = 3 -a (count $__ckpt_words) -ge $argv[2]
end

function __ckpt_in_payload
    __ckpt_read
    test $__ckpt_payload = 1
end

function __ckpt_live
    __ckpt_read
    set -l action $__ckpt_words[2]
    test $argv[1] = names; or set action
    command ckpt __complete $argv $action $__ckpt_where 2>/dev/null </dev/null
end

complete -c ckpt -f
complete -c ckpt -n __ckpt_in_payload -F
)fish";

std::string in_quotes(const std::string& text) {
  return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string candidates(const ValueForm& value) {
  switch (value.kind) {
    case Kind::words:
      return in_quotes(fmt::format("{}", fmt::join(value.words, " ")));
    case Kind::live:
      return fmt::format("'(__ckpt_live {})'", value.words.front());
    case Kind::directory:
      return "'(__fish_complete_directories)'";
    default:
      return "";
  }
}

/// " -r -F", " -x -a '...'"
std::string value_text(const ValueForm& value) {
  if (value.kind == Kind::none) return "";
  if (value.kind == Kind::file) return " -r -F";
  const std::string offered = candidates(value);
  return (value.optional ? "" : " -x") + (offered.empty() ? "" : " -a " + offered);
}

std::string option_line(const std::string& condition, const OptionForm& option) {
  std::string line = "complete -c ckpt" + condition;
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  return fmt::format("{}{} -d {}\n", line, value_text(option.value), in_quotes(option.help));
}

std::string argument_line(const VerbForm& verb, std::size_t place) {
  const ArgumentForm& argument = verb.arguments[place];
  const std::string condition =
      fmt::format(" -n '__ckpt_at {} {}{}'", verb.name, place + 1, argument.repeats ? " more" : "");
  if (argument.value.kind == Kind::file || argument.value.kind == Kind::directory)
    return fmt::format("complete -c ckpt{} -F\n", condition);
  const std::string offered = candidates(argument.value);
  return offered.empty() ? "" : fmt::format("complete -c ckpt{} -a {}\n", condition, offered);
}

std::string verb_lines(const VerbForm& verb) {
  std::string lines =
      fmt::format("\ncomplete -c ckpt -n __ckpt_no_verb -a {} -d {}\n", verb.name, in_quotes(verb.help));
  for (const OptionForm& option : verb.options)
    lines += option_line(fmt::format(" -n '__ckpt_at {}'", verb.name), option);
  for (std::size_t i = 0; i < verb.arguments.size(); ++i) lines += argument_line(verb, i);
  return lines;
}

void add_valued(std::set<std::string>& names, const VerbForm& verb) {
  for (const OptionForm& option : verb.options)
    if (option.value.kind != Kind::none && !option.value.optional)
      names.insert(option.names.begin(), option.names.end());
}

}  // namespace

std::string fish_completion(const CommandForm& form) {
  std::set<std::string> valued;
  add_valued(valued, form.global);
  std::string places, lines = "\n";
  for (const std::string& name : places_on_the_line()) places += fmt::format(" '{}=*'", name);
  for (const OptionForm& option : form.global.options) lines += option_line("", option);
  for (const VerbForm& verb : form.verbs) {
    add_valued(valued, verb);
    lines += verb_lines(verb);
  }
  std::string head = replaced(kHead, "@VALUED@", fmt::format("{}", fmt::join(valued, " ")));
  return replaced(head, " @PLACES@", places) + lines;
}

}  // namespace ckpt
