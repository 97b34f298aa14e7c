// Durations, sizes, choices, signals.
#include "commands/parse.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "runtimes/error.h"

namespace ckpt {
namespace {

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 1e9) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const double factor = unit == "ms"                  ? 1
                        : unit.empty() || unit == "s" ? 1e3
                        : unit == "m"                 ? 6e4
                        : unit == "h"                 ? 3.6e6
                        : unit == "d"                 ? 8.64e7
                                                      : -1;
  if (factor < 0) return std::nullopt;
  return std::chrono::milliseconds(static_cast<long long>(number * factor));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number >= 0)) return std::nullopt;
  const std::string unit = upper(std::string(end, text.data() + text.size()));
  const std::size_t power = unit.empty() ? 0 : std::string("BKMGTP").find(unit[0]);
  const std::string rest = unit.substr(std::min<std::size_t>(unit.size(), 1));
  if (power == std::string::npos || (!rest.empty() && (power == 0 || (rest != "B" && rest != "IB"))))
    return std::nullopt;
  const double bytes = number * std::pow(rest == "B" ? 1000.0 : 1024.0, power);
  if (bytes >= 0x1p63) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::optional<double> parse_percent(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || std::string_view(end, text.data() + text.size()) != "%") return std::nullopt;
  return number >= 0 && number <= 100 ? std::optional(number) : std::nullopt;
}

std::optional<std::vector<std::string>> parse_words(std::string_view text) {
  std::vector<std::string> words;
  char quote = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'') {
      // Inside double quotes it is itself before anything but these (POSIX shell 2.2.3).
      const bool escapes = i + 1 < text.size() && (quote == 0 || text[i + 1] == '"' || text[i + 1] == '\\');
      if (quote == 0 && i + 1 == text.size()) return std::nullopt;
      words.back() += escapes ? text[++i] : c;
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) return std::nullopt;
  return words;
}

std::string not_one_of(const std::string& value, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return "";
  return fmt::format("'{}' is not one of {}{}", value, fmt::join(choices, ", "),
                     did_you_mean(value, choices));
}

std::string parse_signal(const std::string& text) {
  std::string name = upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  std::vector<std::string> names;
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* known = sigabbrev_np(signal);
    if (known == nullptr) continue;
    if (name == known || text == fmt::format("{}", signal)) return known;
    names.emplace_back(known);
  }
  throw Error(ErrorCode::usage, fmt::format("'{}' is not a signal{}", text, did_you_mean(name, names)))
      .with_hint("use a name or a number, as 'kill -l' shows them");
}

}  // namespace ckpt
