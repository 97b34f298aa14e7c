// The script for bash: needs nothing besides bash 4.
#include <fmt/ranges.h>

#include "cli/completion.h"

namespace ckpt {
namespace {

using Kind = ValueForm::Kind;

constexpr const char* kHead =
    R"(# bash completion for ckpt. Made by 'ckpt completion bash'; not edited by hand.
# shellcheck shell=bash

)";

constexpr const char* kTail = R"bash(
# Notes an option of the line that says where containers and checkpoints are.
_ckpt_note() {
  case $1 in
    @PLACES@) where+=("$1=$2") ;;
  esac
}

# Replies with the lines of its input that begin with what is typed; nothing of them is expanded.
_ckpt_reply() {
  local one
  while IFS= read -r one; do
    if [[ -n $one && $one == "$value"* ]]; then COMPREPLY+=("${lead}$one"); fi
  done
}

_ckpt_offer() {
  case $kind in
    '= '*) _ckpt_reply < <(tr ' ' '\n' <<<"${kind#= }") ;;
    directory) compopt -o dirnames 2>/dev/null ;;
    file) compopt -o default 2>/dev/null ;;
    any | '') ;;
    *) _ckpt_reply < <(command ckpt __complete "$kind" ${action:+"$action"} "${where[@]}" 2>/dev/null </dev/null) ;;
  esac
}

_ckpt() {
  local line=${COMP_LINE:0:COMP_POINT} verb='' action='' pending='' kind='' lead='' value cur word breaks begun
  local -i count=0 i
  local -a words where=()
  COMPREPLY=()
  read -ra words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(''); fi
  cur=${words[-1]} value=$cur
  for word in "${words[@]:1:${#words[@]}-2}"; do
    if [[ -n $pending ]]; then
      _ckpt_note "$pending" "$word"
      pending=''
      continue
    fi
    case $word in
      --)
        compopt -o default 2>/dev/null
        return
        ;;
      --*=*) _ckpt_note "${word%%=*}" "${word#*=}" ;;
      -*)
        _ckpt_kind "$verb" "$word"
        if [[ -n $kind ]]; then pending=$word; fi
        ;;
      *)
        if [[ -z $verb ]]; then
          verb=$word
        else
          if [[ $count -eq 0 ]]; then action=$word; fi
          count+=1
        fi
        ;;
    esac
  done
  kind=''
  if [[ -n $pending ]]; then
    _ckpt_kind "$verb" "$pending"
  elif [[ $cur == --*=* ]]; then
    lead=${cur%%=*}= value=${cur#*=}
    _ckpt_kind "$verb" "${lead%=}"
    if [[ -z $kind ]]; then _ckpt_kind "$verb" "$lead"; fi
  elif [[ $cur == -* ]]; then
    _ckpt_options "$verb"
  elif [[ -z $verb ]]; then
    kind=$_ckpt_verbs
  else
    _ckpt_kind "$verb" "$((count + 1))"
  fi
  _ckpt_offer
  # bash itself begins a word behind each of its word breaks, and wants the rest from there.
  breaks=${COMP_WORDBREAKS//[[:space:]\"\']/}
  begun=${cur%"${cur##*["$breaks"]}"}
  begun=${begun%@} # which it takes as part of the word behind
  for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do COMPREPLY[i]=${COMPREPLY[i]#"$begun"}; done
}

complete -F _ckpt ckpt
)bash";

/// As the script's `kind`.
std::string kind_text(const ValueForm& value) {
  switch (value.kind) {
    case Kind::none:
      return "";
    case Kind::any:
      return "any";
    case Kind::words:
      return fmt::format("= {}", fmt::join(value.words, " "));
    case Kind::file:
      return "file";
    case Kind::directory:
      return "directory";
    case Kind::live:
      return value.words.front();
  }
  return "";
}

std::vector<std::string> names_of(const std::vector<OptionForm>& options) {
  std::vector<std::string> names;
  for (const OptionForm& option : options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

std::string kind_row(const std::vector<std::string>& patterns, const ValueForm& value) {
  return fmt::format("    {}) kind='{}' ;;\n", fmt::join(patterns, " | "), kind_text(value));
}

std::string kind_rows(const VerbForm& verb) {
  std::string rows;
  const std::string before = verb.name.empty() ? "*' " : fmt::format("'{} ", verb.name);
  for (const OptionForm& option : verb.options) {
    if (option.value.kind == Kind::none) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : option.names)
      patterns.push_back(before + name + (option.value.optional ? "='" : "'"));
    rows += kind_row(patterns, option.value);
  }
  for (std::size_t i = 0; i < verb.arguments.size(); ++i) {
    const std::string place = verb.arguments[i].repeats ? "'[1-9]*" : fmt::format("{}'", i + 1);
    rows += kind_row({before + place}, verb.arguments[i].value);
  }
  return rows;
}

}  // namespace

std::string bash_completion(const CommandForm& form) {
  std::string options, kinds = kind_rows(form.global), verbs;
  for (const VerbForm& verb : form.verbs) {
    verbs += (verbs.empty() ? "" : " ") + verb.name;
    options += fmt::format("    {}) kind='= {}' ;;\n", verb.name, fmt::join(names_of(verb.options), " "));
    kinds += kind_rows(verb);
  }
  const std::string places = fmt::format("{}", fmt::join(places_on_the_line(), " | "));
  return fmt::format(
      "{}_ckpt_verbs='= {}'\n\n"
      "# The options of a command, with the global ones.\n_ckpt_options() {{\n  case $1 in\n{}    *) "
      "kind='=' ;;\n"
      "  esac\n  kind+=' {}'\n}}\n\n"
      "# What an option of a command takes, or its Nth argument; empty for a switch.\n_ckpt_kind() {{\n"
      "  case \"$1 $2\" in\n{}    *) kind='' ;;\n  esac\n}}\n{}",
      kHead, verbs, options, fmt::join(names_of(form.global.options), " "), kinds,
      replaced(kTail, "@PLACES@", places));
}

}  // namespace ckpt
