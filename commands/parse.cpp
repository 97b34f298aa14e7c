// Durations, choices, suggestions, signals.
#include "commands/parse.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "runtimes/error.h"

namespace ckpt {
namespace {

/// Levenshtein's distance with neighbouring letters swapped as one edit.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

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
                                                      : -1;
  if (factor < 0) return std::nullopt;
  return std::chrono::milliseconds(static_cast<long long>(number * factor));
}

std::vector<std::string> suggestions(std::string_view word, const std::vector<std::string>& choices) {
  const std::size_t allowed = word.size() <= 3 ? 1 : 2;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& choice : choices)
    if (const std::size_t d = distance(word, choice); d <= allowed) near.emplace_back(d, choice);
  std::sort(near.begin(), near.end());
  std::vector<std::string> result;
  for (const auto& [d, choice] : near)
    if (result.size() < 3) result.push_back(choice);
  return result;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& choices) {
  const std::vector<std::string> near = suggestions(word, choices);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", fmt::join(near, "' or '"));
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
