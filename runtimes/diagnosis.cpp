// Finding the causal line: which lines tell a failure, which are harmless, and which of them comes first.
#include "runtimes/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "runtimes/criu_log.h"
#include "runtimes/diagnosis_lines.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::size_t kMostCandidates = 20;
constexpr std::size_t kLongestLine = 500;
constexpr std::size_t kAround = 4;
constexpr std::size_t kMostOfLine = 16U << 10U;   ///< is searched, whoever wrote the line
constexpr std::size_t kMostQuoted = 256U << 10U;  ///< of a line that quotes others
constexpr std::size_t kLongestWord = 512;

bool fits_from(std::string_view line, std::string_view signature, std::size_t longest_gap) {
  const std::size_t wild = signature.find_first_of("*%");
  const std::string_view part = signature.substr(0, wild);
  for (std::size_t at = line.find(part); at != std::string_view::npos; at = line.find(part, at + 1)) {
    const std::string_view skipped = line.substr(0, at);
    if (at > longest_gap || (longest_gap == kLongestWord && skipped.find(' ') != std::string_view::npos))
      return false;
    if (wild == std::string_view::npos) return true;
    const bool word = signature[wild] == '%';
    if (fits_from(line.substr(at + part.size()), signature.substr(wild + 1),
                  word ? kLongestWord : std::string_view::npos))
      return true;
    if (part.empty() || (!word && signature.find('%', wild) == std::string_view::npos)) return false;
  }
  return false;
}

/// Whether one of the signatures, with `|` between them, is in the line.
bool fits_any(std::string_view line, std::string_view signatures) {
  while (!signatures.empty()) {
    const std::size_t end = std::min(signatures.find('|'), signatures.size());
    if (fits_from(line, signatures.substr(0, end), std::string_view::npos)) return true;
    signatures.remove_prefix(std::min(end + 1, signatures.size()));
  }
  return false;
}

bool fits(std::string_view line, const CatalogueEntry& entry) {
  return fits_any(line, entry.signature) && !fits_any(line, entry.unless);
}

bool is_quiet(std::string_view line) {
  const auto entries = catalogue();
  return std::any_of(entries.begin(), entries.end(), [&](const CatalogueEntry& entry) {
    return entry.role == Role::quiet && fits(line, entry);
  });
}

/// A new log begins, where several are in one text.
bool begins_log(std::string_view line) {
  return line.find("CRIU run id") != std::string_view::npos || line.find("(gitid") != std::string_view::npos;
}

bool of_plugin(const LogLine& line) {
  return line.text.find("cuda_plugin:") != std::string_view::npos;
}

/// What CRIU says without the time, process and place in its source before it.
std::string_view without_place(std::string_view line) {
  const std::size_t error = line.find("Error (");
  const std::size_t end = error == std::string_view::npos ? error : line.find("): ", error);
  return end == std::string_view::npos ? line : line.substr(end + 3);
}

/// What the choice of the cause needs of a log: the lines of each kind of saying, in order.
struct Findings {
  std::array<std::vector<LogLine>, static_cast<std::size_t>(Saying::nothing)> said;
  LogLine quiet{0, {}};
  bool ended_well = false;

  std::vector<LogLine>& of(Saying saying) { return said.at(static_cast<std::size_t>(saying)); }

  void add(const LogLine& line) {
    if (begins_log(line.text)) ended_well = false;
    if (tells_success(line.text)) end_well();
    if (quiet.number == 0 && is_quiet(line.text)) quiet = line;
    const Saying saying = saying_of(line.text);
    if (saying == Saying::nothing || (ended_well && is_criu_error(line.text) && !of_plugin(line))) return;
    std::vector<LogLine>& lines = of(saying);
    if (lines.size() < kMostCandidates) lines.push_back(line);
  }

  /// CRIU's errors before it were none; its plugins' were, for CRIU goes on after their failures.
  void end_well() {
    ended_well = true;
    quiet = {0, {}};
    for (auto& lines : said)
      std::erase_if(lines, [](const LogLine& line) { return is_criu_error(line.text) && !of_plugin(line); });
    of(Saying::general).clear();
  }

  const std::vector<LogLine>* most_telling() {
    for (const auto& lines : said)
      if (!lines.empty()) return &lines;
    return nullptr;
  }
};

/// The plugin says beforehand why it will do nothing; the dump goes on and fails on the GPU's device file.
bool caused_by_quiet(Findings& found) {
  if (found.quiet.number == 0) return false;
  const std::vector<LogLine>& failures = found.of(Saying::failure);
  if (failures.empty()) return true;
  const CatalogueEntry* entry = find_entry(failures.front().text);
  return entry != nullptr && entry->reason == "nvidia-device";
}

/// A second more, for file systems that keep times in seconds.
bool written_within(const fs::path& log, double seconds) {
  std::error_code error;
  const auto written = fs::last_write_time(log, error);
  if (error) return false;
  const std::chrono::duration<double> age = fs::file_time_type::clock::now() - written;
  return age.count() <= seconds + 1;
}

void tell_full(Error& error, const std::string& full) {
  error.with_cause(full);
  error.message += "; " + full;
  if (const CatalogueEntry* entry = find_entry(full)) error.with_hint(std::string(entry->remedy));
}

}  // namespace

const CatalogueEntry* find_entry(std::string_view line) {
  const std::string_view text = line.substr(0, kMostOfLine);
  for (const CatalogueEntry& entry : catalogue())
    if (fits(text, entry)) return &entry;
  return nullptr;
}

Diagnosis diagnose(std::string_view log) {
  Findings found;
  for_each_line(log, [&](const LogLine& line) {
    for_each_part(line.text.substr(0, kMostQuoted), [&](std::string_view part) {
      found.add({line.number, part.substr(0, kMostOfLine)});
    });
  });
  Diagnosis result;
  const std::vector<LogLine>* lines = found.most_telling();
  if (lines != nullptr) result.candidates = *lines;
  if (caused_by_quiet(found))
    result.cause = found.quiet;
  else if (lines != nullptr)
    result.cause = lines->front();
  if (result.candidates.empty() && result.cause.number != 0) result.candidates.push_back(result.cause);
  if (result.cause.number != 0) result.entry = find_entry(result.cause.text);
  return result;
}

void explain_by_log(Error& error, const fs::path& log, double seconds) {
  const auto text = written_within(log, seconds) ? read_file(log) : std::nullopt;
  if (text) error.with_log(log.string());
  const std::string said = text.value_or("");
  const Diagnosis known = diagnose(said);
  const bool unknown = known.entry == nullptr || known.entry->role == Role::general;
  const bool cut_off = !said.ends_with('\n') || known.cause.number == 0;
  const auto full = unknown && cut_off && error.cause.empty() ? full_disk_of(log) : std::nullopt;
  if (full) return tell_full(error, *full);
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
