// Reading CRIU's logs for the user: the first causal line, what it means, what to do.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "runtimes/error.h"

namespace ckpt {

struct Diagnosis {
  std::string cause;    ///< the line as CRIU wrote it
  std::string meaning;  ///< empty: unknown signature
  std::string remedy;
  bool transient = false;  ///< the same again may work
};

/// The first `Error (` line that is a cause: benign ones (RLIMIT_NOFILE, cgroupd, ...) and the closing
/// "Dumping FAILED" are left out. nullopt when the log has none. A log that contains an error line need not
/// belong to a failure.
std::optional<Diagnosis> diagnose_criu_log(std::string_view log);
/// What is known about one line of any program's log.
Diagnosis diagnose_line(std::string_view line);

/// Tells in `error` what the log file says: its path, cause, meaning and remedy. Nothing happens without the
/// file.
void explain_by_log(Error& error, const std::filesystem::path& log);

}  // namespace ckpt
