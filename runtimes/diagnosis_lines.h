// What a line of a log says: that something failed, and how much it says of why.
#pragma once
#include <string_view>

#include "runtimes/diagnosis.h"

namespace ckpt {

/// The most telling first. The cause is the first line of the most telling kind that a log has.
enum class Saying {
  failure,   ///< an error of CRIU's, a known failure of a runtime
  follows,   ///< an error of CRIU's that follows another, or is often harmless: the cause where no other is
  general,   ///< that another program failed, which says why in its own log
  sounds,    ///< a runtime's or an engine's line with the words of a failure
  whispers,  ///< as `sounds`, with words that other lines have as well
  nothing,
};

/// `part` is a line, or one of those that a line quotes; without the end of the line.
Saying saying_of(std::string_view part);

/// Whether CRIU wrote it; with "Error (FILE.c:LINE): " it is an error.
bool is_criu_error(std::string_view part);

/// Whether `line` is one of CRIU's "finished successfully", after which only what its plugins say counts.
bool tells_success(std::string_view line);

/// Calls `action` for each line that `line` quotes with "\n" between them, as JSON and Go's logs do; for
/// `line` itself where it quotes none.
template <class F>
void for_each_part(std::string_view line, F&& action) {
  constexpr std::string_view kQuoted = "\\n";
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(kQuoted, begin), line.size());
    if (end > begin) action(line.substr(begin, end - begin));
    begin = end + kQuoted.size();
  }
}

}  // namespace ckpt
