// Why a runtime or CRIU failed: the line of a log that is the cause, what it means and what to do.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/error.h"

namespace ckpt {

enum class Role {
  cause,
  quiet,    ///< a line that is no error, and yet the cause where the log has no error line that is known
  general,  ///< says only that something failed; the cause is in another log
};

/// One kind of failure, known by a line that the program writes.
struct CatalogueEntry {
  std::string_view reason;    ///< its code, for scripts and for ckpt-errors(7); never changed
  std::string_view program;   ///< whose words the signature is
  std::string_view versions;  ///< which write it; empty: all that are known
  /// Parts of the line in order, with `*` between them for anything, `%` for a word; `|` is between
  /// signatures of which one is enough.
  std::string_view signature;
  std::string_view meaning;  ///< one sentence without its full stop
  std::string_view remedy;
  Role role = Role::cause;
  bool transient = false;        ///< the same again may work
  std::string_view unless = {};  ///< a signature that must not be in the line
};

/// Most particular first: the first whose signature fits is it.
std::span<const CatalogueEntry> catalogue();
/// nullptr when no signature fits.
const CatalogueEntry* find_entry(std::string_view line);

struct LogLine {
  std::size_t number;  ///< from 1
  std::string_view text;
};

template <class F>
void for_each_line(std::string_view log, F&& action) {
  std::size_t number = 1;
  for (std::size_t begin = 0; begin < log.size(); ++number) {
    const std::size_t end = std::min(log.find('\n', begin), log.size());
    const std::string_view text = log.substr(begin, end - begin);
    action(LogLine{number, text.substr(0, text.size() - (text.ends_with('\r') ? 1 : 0))});
    begin = end + 1;
  }
}

struct Diagnosis {
  LogLine cause{0, {}};                   ///< number 0: nothing in the log tells a failure
  const CatalogueEntry* entry = nullptr;  ///< nullptr: not known
  std::vector<LogLine> candidates;        ///< the lines that tell failures, the first of them
};

/// Reads a log of CRIU, of a runtime (text, JSON or the text of its errors) or of several together. The cause
/// is the first line of those that tell the most of a failure: harmless ones are left out, those that follow
/// others or name another log count only where there is no better. In a log of CRIU that ends well, only what
/// its plugins say counts: CRIU goes on after their failures. The lines lie in `log`; of a line that quotes
/// several with "\n", the one is told.
Diagnosis diagnose(std::string_view log);

/// Tells in `error` what the log file says: its path, cause, meaning and remedy; that its disk is full where
/// it tells no cause. A file that was not written in the last `seconds` is another command's: nothing is told
/// of it.
void explain_by_log(Error& error, const std::filesystem::path& log, double seconds);

/// The line that is the cause and those around it, each as "    12> TEXT", `>` at the cause. `shown` is the
/// number to show for it.
std::vector<std::string> excerpt(std::string_view log, std::size_t cause, std::size_t shown);
std::string numbered_line(std::size_t number, bool is_cause, std::string_view text);

/// The line of a log without what a terminal would obey, cut after some hundred characters.
std::string printable_line(std::string_view line);

}  // namespace ckpt
