// Finding the causal line: which lines tell a failure, which are harmless, and which of them comes first.
#include "runtimes/diagnosis.h"

#include <fmt/format.h>

#include <array>

#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::size_t kMostCandidates = 20;
constexpr std::size_t kLongestLine = 500;
constexpr std::size_t kAround = 4;
constexpr std::size_t kMostOfLine = 64U << 10U;  ///< is searched, whoever wrote the line

constexpr std::array<std::string_view, 14> kBenign{"RLIMIT_NOFILE",
                                                   "cgroupd: recv req error",
                                                   "Dumping FAILED",
                                                   "Restoring FAILED",
                                                   "Pre-dumping FAILED",
                                                   "Dump files (pid",
                                                   "exited, status",
                                                   "Unable to open fd=",
                                                   "Unable to detach from",
                                                   "ddress already assigned",
                                                   "container still running",
                                                   "Failed to remove cgroup",
                                                   "can't raise ambient capability",
                                                   "killed by signal 15: Terminated"};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

template <std::size_t N>
bool contains_any(std::string_view text, const std::array<std::string_view, N>& parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return contains(text, part); });
}

bool fits(std::string_view line, std::string_view signature) {
  for (std::size_t at = 0;;) {
    const std::size_t star = signature.find('*');
    const std::string_view part = signature.substr(0, star);
    const std::size_t found = line.find(part, at);
    if (found == std::string_view::npos) return false;
    if (star == std::string_view::npos) return true;
    at = found + part.size();
    signature.remove_prefix(star + 1);
  }
}

bool digit(char c) {
  return c >= '0' && c <= '9';
}

/// "(00.012345) ..." and, from the code that CRIU puts into a process, "pie: 1: ...".
bool written_by_criu(std::string_view line) {
  return (line.size() > 3 && line[0] == '(' && digit(line[1]) && digit(line[2]) && line[3] == '.') ||
         line.starts_with("pie: ");
}

/// gVisor's debug log warns of much that is harmless: "W1122 10:00:00.000000 ...".
bool written_by_gvisor(std::string_view line) {
  return line.size() > 5 && contains("IWDEF", line.substr(0, 1)) && digit(line[1]) && digit(line[2]) &&
         digit(line[3]) && digit(line[4]) && line[5] == ' ';
}

bool of_low_level(std::string_view line) {
  constexpr std::array<std::string_view, 6> kLow{"level=warning",    "level=info",
                                                 "level=debug",      "\"level\":\"warning",
                                                 "\"level\":\"info", "\"level\":\"debug"};
  return contains_any(line, kLow);
}

bool sounds_like_failure(std::string_view line) {
  constexpr std::array<std::string_view, 13> kWords{"level=error",
                                                    "level=fatal",
                                                    "\"level\":\"error",
                                                    "\"level\":\"fatal",
                                                    "rror:",
                                                    "failed",
                                                    "FAILED",
                                                    "annot ",
                                                    "an't ",
                                                    "nable to",
                                                    "panic:",
                                                    "FATAL",
                                                    "o such file"};
  return contains_any(line, kWords);
}

bool is_quiet(std::string_view line) {
  const auto entries = catalogue();
  return std::any_of(entries.begin(), entries.end(), [&](const CatalogueEntry& entry) {
    return entry.role == Role::quiet && fits(line, entry.signature);
  });
}

bool tells_failure(std::string_view line) {
  if (contains(line, "Error (")) return !contains_any(line, kBenign);
  if (written_by_criu(line) || of_low_level(line) || contains_any(line, kBenign)) return false;
  const CatalogueEntry* entry = find_entry(line);
  if (entry != nullptr && entry->role != Role::quiet) return true;
  return !written_by_gvisor(line) && sounds_like_failure(line);
}

/// What CRIU says without the time, process and place in its source before it.
std::string_view without_place(std::string_view line) {
  const std::size_t error = line.find("Error (");
  const std::size_t end = error == std::string_view::npos ? error : line.find("): ", error);
  return end == std::string_view::npos ? line : line.substr(end + 3);
}

/// What the choice of the cause needs of a log.
struct Findings {
  std::vector<LogLine> failures;
  LogLine quiet{0, {}};
  LogLine general{0, {}};
  bool ended_well = false;

  void add(const LogLine& line) {
    const std::string_view text = line.text.substr(0, kMostOfLine);
    if (contains(text, "finished successfully")) ended_well = true;
    if (quiet.number == 0 && is_quiet(text)) quiet = line;
    if (!tells_failure(text)) return;
    const CatalogueEntry* entry = find_entry(text);
    if (entry == nullptr || entry->role != Role::general) {
      if (failures.size() < kMostCandidates) failures.push_back(line);
    } else if (general.number == 0) {
      general = line;
    }
  }
};

/// The plugin says beforehand why it will do nothing; the dump goes on and fails on the GPU's device file.
bool caused_by_quiet(const Findings& found) {
  if (found.quiet.number == 0) return false;
  if (found.failures.empty()) return true;
  const CatalogueEntry* entry = find_entry(found.failures.front().text);
  return entry != nullptr && entry->reason == "nvidia-device";
}

LogLine cause_of(const Findings& found) {
  if (caused_by_quiet(found)) return found.quiet;
  return found.failures.empty() ? found.general : found.failures.front();
}

}  // namespace

const CatalogueEntry* find_entry(std::string_view line) {
  for (const CatalogueEntry& entry : catalogue())
    if (fits(line, entry.signature)) return &entry;
  return nullptr;
}

Diagnosis diagnose(std::string_view log) {
  Findings found;
  for_each_line(log, [&](const LogLine& line) { found.add(line); });
  if (found.ended_well) {
    std::erase_if(found.failures, [](const LogLine& line) { return !contains(line.text, "cuda_plugin:"); });
    found.quiet = found.general = {0, {}};
  }
  Diagnosis result{.cause = cause_of(found), .candidates = std::move(found.failures)};
  if (result.candidates.empty() && result.cause.number != 0) result.candidates.push_back(result.cause);
  if (result.cause.number != 0) result.entry = find_entry(result.cause.text);
  return result;
}

void explain_by_log(Error& error, const fs::path& log) {
  const auto text = read_file(log);
  if (!text) return;
  error.with_log(log.string());
  const Diagnosis known = diagnose(*text);
  if (known.cause.number == 0 || (known.entry != nullptr && known.entry->role == Role::general)) return;
  error.with_cause(std::string(known.cause.text));
  if (known.entry != nullptr) error.with_hint(std::string(known.entry->remedy));
  const std::string line =
      fmt::format("line {}: {}", known.cause.number, printable_line(without_place(known.cause.text)));
  error.message += known.entry == nullptr ? fmt::format("; not known, from {}", line)
                                          : fmt::format("; {} ({})", known.entry->meaning, line);
}

std::vector<std::string> excerpt(std::string_view log, std::size_t cause, std::size_t shown) {
  std::vector<std::string> lines;
  for_each_line(log, [&](const LogLine& line) {
    if (line.number + kAround >= cause && line.number <= cause + kAround)
      lines.push_back(numbered_line(shown + line.number - cause, line.number == cause, line.text));
  });
  return lines;
}

std::string numbered_line(std::size_t number, bool is_cause, std::string_view text) {
  return fmt::format("{:>6}{} {}", number, is_cause ? '>' : ' ', printable_line(text));
}

std::string printable_line(std::string_view line) {
  std::string shown;
  for (const char c : line.substr(0, kLongestLine)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += c == '\t' ? ' ' : byte < 0x20 || byte > 0x7e ? '?' : c;
  }
  if (line.size() > kLongestLine) shown += "...";
  while (shown.ends_with(' ') || shown.ends_with('?')) shown.pop_back();
  return shown;
}

}  // namespace ckpt
