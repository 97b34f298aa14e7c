// Values of options: durations, sizes, choices, signals; and the sentences for those that are wrong.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/suggest.h"

namespace ckpt {

/// 500ms, 30s, 5m, 2h, 7d; a plain number is seconds. nullopt for anything else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// 500M, 10G, 1.5T; K, M, G, T and KiB ... are powers of 1024, KB ... of 1000, a plain number is bytes.
/// nullopt for anything else.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// 10% as 10; nullopt for anything that is not between 0% and 100%.
std::optional<double> parse_percent(std::string_view text);
/// The words of a command line as a POSIX shell divides and unquotes them, without any expansion. nullopt for
/// an open quote.
std::optional<std::vector<std::string>> parse_words(std::string_view text);
/// Empty when `value` is among `choices`, else "'nope' is not one of soft, full; did you mean 'soft'?".
std::string not_one_of(const std::string& value, const std::vector<std::string>& choices);
/// KILL, SIGKILL, kill or 9 as KILL. Throws Error(usage).
std::string parse_signal(const std::string& text);

}  // namespace ckpt
