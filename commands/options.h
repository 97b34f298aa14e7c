// Declaring options on CLI11 with our own checks, so that a wrong value is answered in our own words.
#pragma once
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands/parse.h"

namespace ckpt {

/// A check that prints the choices and a suggestion.
inline CLI::Validator one_of(const std::vector<std::string>& choices) {
  std::string shown;
  for (const std::string& choice : choices) shown += (shown.empty() ? "" : "|") + choice;
  return CLI::Validator([choices](std::string& value) { return not_one_of(value, choices); }, shown);
}

/// A command line of at least one word.
inline CLI::Validator words() {
  return CLI::Validator(
      [](std::string& value) {
        return parse_words(value).value_or(std::vector<std::string>()).empty()
                   ? "'" + value + "' is not a command; a quote may be open"
                   : "";
      },
      "COMMAND");
}

inline CLI::Validator duration() {
  return CLI::Validator(
      [](std::string& value) {
        return parse_duration(value) ? "" : "'" + value + "' is not a duration; write 30s, 5m or 500ms";
      },
      "DURATION");
}

inline CLI::Validator size() {
  return CLI::Validator(
      [](std::string& value) {
        return parse_size(value) ? "" : "'" + value + "' is not a size; write 500M, 10G or a number of bytes";
      },
      "SIZE");
}

/// `--flag` into an optional that stays empty when not given.
inline CLI::Option* add_switch(CLI::App& app, const std::string& names, std::optional<bool>& into,
                               const std::string& text) {
  return app.add_flag_callback(
      names, [&into] { into = true; }, text);
}

}  // namespace ckpt
