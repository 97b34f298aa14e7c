// Nearness is counted in edits.
#include "runtimes/suggest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

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

/// What other tools call it.
constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
    {"ps", "list"},         {"ls", "list"},       {"du", "list"},       {"rm", "delete"},
    {"rm", "remove"},       {"stop", "kill"},     {"keep", "pin"},      {"show", "inspect"},
    {"delete", "remove"},   {"remove", "delete"}, {"inspect", "state"}, {"dump", "checkpoint"},
    {"save", "checkpoint"}, {"start", "run"},
};

/// In edits; the beginning of a word, and what it is called elsewhere, are as near as one.
std::size_t nearness(std::string_view word, std::string_view choice) {
  const bool elsewhere = std::find(std::begin(kElsewhere), std::end(kElsewhere), std::pair(word, choice)) !=
                         std::end(kElsewhere);
  const bool begins = word.size() >= 3 + word.find_first_not_of('-') && choice.starts_with(word);
  return elsewhere || begins ? std::min<std::size_t>(1, distance(word, choice)) : distance(word, choice);
}

}  // namespace

std::vector<std::string> suggestions(std::string_view word, const std::vector<std::string>& choices) {
  const std::size_t allowed = word.size() <= 3 ? 1 : 2;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& choice : choices) {
    const std::size_t edits = nearness(word, choice);
    if (edits <= allowed) near.emplace_back(edits, choice);
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  std::vector<std::string> result;
  for (const auto& [d, choice] : near)
    if (result.size() < 3) result.push_back(choice);
  return result;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& choices) {
  const std::vector<std::string> near = suggestions(word, choices);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", fmt::join(near, "' or '"));
}

}  // namespace ckpt
