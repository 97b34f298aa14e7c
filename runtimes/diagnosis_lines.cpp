// Telling the lines of CRIU, runc, crun, runsc, the engines and the kubelet apart, and those that are
// harmless.
#include "runtimes/diagnosis_lines.h"

#include <algorithm>
#include <array>

namespace ckpt {
namespace {

/// Errors of a log in which nothing failed, or of one that failed for another reason.
constexpr std::array<std::string_view, 14> kHarmless{
    "RLIMIT_NOFILE", "cgroupd: recv req error", "Dumping FAILED", "Restoring FAILED", "Pre-dumping FAILED",
    "exited, status", "ddress already assigned", "container still running", "Failed to remove cgroup",
    "can't raise ambient capability", "killed by signal 15: Terminated",
    // of every process without CUDA
    "Could not find restore thread", "getting process state for process ID", "container is not destroyed"};

/// Errors of CRIU's that follow the one that matters, and those that it often goes on after.
constexpr std::array<std::string_view, 40> kFollows{
    "Dump files (pid", "Unable to open fd=", "Unable to detach from", "Diag module missing",
    "Namespaces dumping finished", "Can't open vma", "Restorer fail", "Restorer abnormal termination",
    "Can't wait or bad status", "Failed to switch restore stage", "Collect mappings (pid",
    "Dump mappings (pid", "Dump core (pid", "Dump mm (pid", "Can't infect (pid", "killed by signal 9",
    "exit code ", "Can't remove the directory", "Can't create net_ns", "Failed to wait",
    "cgroupd:", "Can't handle non-regular mapping", "mapfile link", "Unable to freeze cgroup",
    "Timeout reached. Try to interrupt", "Unable to read output of cuda-checkpoint",
    "Failed to unlock process status", "Unable to cure", "/ns/net on procfs",
    // often harmless
    "Can't send request message", "binfmt_misc", "failed to suspend seccomp, restore will probably fail",
    "irmap: Can't stat", "irmap: Can't open", "Can't open mount for s_dev", "Mount root for",
    "is inaccessible", "kernel doesn't support", "when initializing kerndat", "Can't unlink"};

constexpr std::array<std::string_view, 26> kFailureWords{"level=error",
                                                         "ould not ",
                                                         "xception:",
                                                         "level=fatal",
                                                         "\"level\":\"error",
                                                         "\"level\":\"fatal",
                                                         "\"level\": \"error",
                                                         "rror:",
                                                         "rror response",
                                                         "rror occurred",
                                                         "\"error\":",
                                                         "ERROR",
                                                         "ERRO[",
                                                         "FATA[",
                                                         "failed",
                                                         "FAILED",
                                                         "ailed to",
                                                         "annot ",
                                                         "an't ",
                                                         "nable to",
                                                         "panic:",
                                                         "FATAL",
                                                         "o such file",
                                                         "rpc error",
                                                         "no space left",
                                                         "ermission denied"};

constexpr std::array<std::string_view, 15> kFailureHints{
    "nvalid",  "ot found", "enied",  "efused",       "issing", "upported", "nknown",           "timed out",
    "timeout", "bort",     "Killed", "nimplemented", "orrupt", "rror",     "egmentation fault"};

constexpr std::array<std::string_view, 12> kLowLevels{"level=warning",
                                                      "level=info",
                                                      "level=debug",
                                                      "\"level\":\"warning",
                                                      "\"level\":\"info",
                                                      "\"level\":\"debug",
                                                      "\"level\": \"warning",
                                                      "WARN[",
                                                      "INFO[",
                                                      "DEBU[",
                                                      "\"level\": \"info",
                                                      "\"level\": \"debug"};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

template <std::size_t N>
bool contains_any(std::string_view text, const std::array<std::string_view, N>& parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return contains(text, part); });
}

bool digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t count = 0;
  while (at + count < text.size() && digit(text[at + count])) ++count;
  return count;
}

/// "(00.012345)", wherever the line has it: journald, runc and the engines write before it.
bool has_criu_time(std::string_view line) {
  for (std::size_t at = line.find('('); at != std::string_view::npos; at = line.find('(', at + 1)) {
    const std::size_t seconds = digits_at(line, at + 1), dot = at + 1 + seconds;
    if (seconds < 2 || !line.substr(dot).starts_with('.')) continue;
    const std::size_t fraction = digits_at(line, dot + 1);
    if (fraction > 0 && line.substr(dot + 1 + fraction).starts_with(')')) return true;
  }
  return false;
}

/// "     1: ..." and "pie: 1: ...", of a process that is restored, where the log has no times.
bool has_process(std::string_view line) {
  if (line.starts_with("pie: ")) return true;
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t count = digits_at(line, begin);
  return count > 0 && line.substr(begin + count).starts_with(": ");
}

bool criu_warns(std::string_view line) {
  return contains(line, "Warn  (") || contains(line, "Warn (");
}

/// The letter of "W1122 10:00:00.000000 ...", the form of gVisor's logs and the kubelet's; 0: another form.
char level_of(std::string_view line) {
  const bool form =
      line.size() > 5 && contains("IWDEF", line.substr(0, 1)) && digits_at(line, 1) == 4 && line[5] == ' ';
  return form ? line[0] : '\0';
}

bool known_cause(const CatalogueEntry* entry) {
  return entry != nullptr && entry->role == Role::cause;
}

Saying error_of_criu(std::string_view part) {
  if (contains_any(part, kHarmless)) return Saying::nothing;
  return contains_any(part, kFollows) ? Saying::follows : Saying::failure;
}

Saying sound_of(std::string_view part) {
  if (contains_any(part, kFailureWords)) return Saying::sounds;
  return contains_any(part, kFailureHints) ? Saying::whispers : Saying::nothing;
}

/// Of a line that CRIU did not write.
Saying of_runtime(std::string_view part) {
  const char level = level_of(part);
  if (level == 'I' || level == 'D') return Saying::nothing;
  const CatalogueEntry* entry = find_entry(part);
  if (entry != nullptr && entry->role == Role::general) return Saying::general;
  if (known_cause(entry)) return Saying::failure;
  if (contains(part, "FATAL ERROR:") || part.starts_with("panic:")) return Saying::failure;
  return level == 'W' ? Saying::nothing : sound_of(part);
}

}  // namespace

bool is_criu_error(std::string_view part) {
  for (std::size_t at = part.find("Error ("); at != std::string_view::npos;
       at = part.find("Error (", at + 1)) {
    const std::size_t file = at + 7, end = part.find_first_of(":() \"", file);
    if (end == std::string_view::npos || part[end] != ':' || end < file + 3) continue;
    const std::size_t line = digits_at(part, end + 1);
    if (part[end - 2] == '.' && line > 0 && part.substr(end + 1 + line).starts_with(")")) return true;
  }
  return false;
}

bool tells_success(std::string_view line) {
  return contains(line, "finished successfully") && !is_criu_error(line);
}

Saying saying_of(std::string_view part) {
  if (is_criu_error(part)) return error_of_criu(part);
  if (criu_warns(part) || has_criu_time(part) || has_process(part)) return Saying::nothing;
  if (contains_any(part, kLowLevels) || contains_any(part, kHarmless)) return Saying::nothing;
  return of_runtime(part);
}

}  // namespace ckpt
