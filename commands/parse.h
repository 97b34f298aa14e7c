// Values of options: durations, choices, signals; and the sentences for those that are wrong.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/suggest.h"

namespace ckpt {

/// 500ms, 30s, 5m, 2h, 7d; a plain number is seconds. nullopt for anything else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The words of a command line as a POSIX shell divides and unquotes them, without any expansion. nullopt for
/// an open quote.
std::optional<std::vector<std::string>> parse_words(std::string_view text);
/// Empty when `value` is among `choices`, else "'nope' is not one of soft, full; did you mean 'soft'?".
std::string not_one_of(const std::string& value, const std::vector<std::string>& choices);
/// KILL, SIGKILL, kill or 9 as KILL. Throws Error(usage).
std::string parse_signal(const std::string& text);

}  // namespace ckpt
