// From CLI11's declaration to what a shell has to know.
#include <fmt/format.h>

#include <sstream>

#include "cli/completion.h"
#include "commands/images.h"

namespace ckpt {
namespace {

using Kind = ValueForm::Kind;

struct TypeRow {
  std::string_view type;
  Kind kind;
  std::string_view live;
};
/// What the name of a value tells.
constexpr TypeRow kTypes[] = {
    {"DIR", Kind::directory, {}},     {"FILE", Kind::file, {}}, {"SOCKET", Kind::file, {}},
    {"PROGRAM", Kind::file, {}},      {"LOG", Kind::file, {}},  {"CDI", Kind::live, "devices"},
    {"ID", Kind::live, "containers"},
};

struct PlaceRow {
  std::string_view verb, name;
  ValueForm value;
};
/// Where it does not.
const std::vector<PlaceRow>& places() {
  static const std::vector<PlaceRow> rows = {
      {"", "--runtime", {Kind::live, {"runtimes"}}},
      {"run", "ID", {Kind::any}},
      {"restore", "ID", {Kind::live, {"saved"}}},
      {"restore", "--from", {Kind::live, {"images"}}},
      {"images", "ACTION", {Kind::words, image_actions()}},
      {"images", "NAME", {Kind::live, {"names"}}},
      {"kill",
       "SIGNAL",
       {Kind::words, {"TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT"}}},
  };
  return rows;
}

/// The choices in "TEXT:soft|full|strict|ignore"; capitals are the name of a value, no value.
std::vector<std::string> choices_in(const std::string& type) {
  std::vector<std::string> choices;
  if (type.find('|') == std::string::npos) return choices;
  std::istringstream words(type.substr(type.find(':') + 1));
  for (std::string word; std::getline(words, word, '|');)
    if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos)
      choices.push_back(word);
  return choices;
}

/// The value of a switch that may have one: "--pre-copy{auto}".
ValueForm value_of_switch(const CLI::Option& option) {
  const std::string name = option.get_name(false, true);
  const std::size_t at = name.find('{');
  if (at == std::string::npos) return {};
  return {Kind::words, {name.substr(at + 1, name.find('}') - at - 1)}, true};
}

ValueForm value_of(const std::string& verb, const std::string& name, const CLI::Option& option) {
  for (const PlaceRow& row : places())
    if (row.verb == verb && row.name == name) return row.value;
  if (option.get_items_expected_max() == 0) return value_of_switch(option);
  const std::string type = option.nonpositional() ? option.get_type_name() : name;
  for (const TypeRow& row : kTypes)
    if (type.substr(0, type.find(':')) == row.type)
      return {row.kind, row.live.empty() ? std::vector<std::string>{} : std::vector{std::string(row.live)}};
  std::vector<std::string> choices = choices_in(option.get_type_name());
  return choices.empty() ? ValueForm{Kind::any} : ValueForm{Kind::words, std::move(choices)};
}

OptionForm option_form(const std::string& verb, const CLI::Option& option) {
  OptionForm form;
  for (const std::string& name : option.get_snames()) form.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) form.names.push_back("--" + name);
  form.help = option.get_description();
  form.value = value_of(verb, form.names.back(), option);
  form.repeats = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
  return form;
}

VerbForm verb_form(const CLI::App& app, const std::string& name) {
  VerbForm form{.name = name, .help = app.get_description(), .options = {}, .arguments = {}};
  for (const CLI::Option* option : app.get_options()) {
    if (!name.empty() && option == app.get_help_ptr()) continue;  // a global one as well
    if (option->nonpositional())
      form.options.push_back(option_form(name, *option));
    else
      form.arguments.push_back({option->get_name(true), value_of(name, option->get_name(true), *option),
                                option->get_items_expected_max() > 1});
  }
  form.payload = name == "run" || name == "exec";
  return form;
}

}  // namespace

const std::vector<std::string>& places_on_the_line() {
  static const std::vector<std::string> names = {"--runtime", "--runtime-path", "--root",
                                                 "--store",   "--config",       "--cdi-spec-dir"};
  return names;
}

CommandForm form_of(const CLI::App& app) {
  CommandForm form{.global = verb_form(app, ""), .verbs = {}};
  for (const CLI::App* verb :
       app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
    form.verbs.push_back(verb_form(*verb, verb->get_name()));
  return form;
}

}  // namespace ckpt
