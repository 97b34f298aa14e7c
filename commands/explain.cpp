// ckpt explain LOG|DIR|-: why a checkpoint or restore failed, from the log that it left anywhere.
#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "commands/verbs.h"
#include "runtimes/diagnosis.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

constexpr std::size_t kKeptAtEachEnd = 16U << 20U;
constexpr int kUnknown = 1;

struct ExplainOptions {
  std::string source;
};

/// A log's beginning and end; the lines in between are only counted.
struct LogText {
  std::string text;
  std::size_t cut_after = 0;  ///< number of the line that the gap is in; 0: no gap
  std::size_t cut_lines = 0;

  std::size_t number(std::size_t in_text) const {
    return cut_after == 0 || in_text <= cut_after ? in_text : in_text + cut_lines - 1;
  }
};

/// What was found in one file.
struct Finding {
  std::string name;
  LogText log;
  Diagnosis diagnosis = {};
};

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// Drops the oldest of what follows the beginning, whole lines of it where there are any.
void drop_oldest(std::string& rest, LogText& log) {
  std::size_t dropped = rest.size() - kKeptAtEachEnd;
  if (const std::size_t end = rest.find('\n', dropped); end != std::string::npos) dropped = end + 1;
  log.cut_lines += lines_in(std::string_view(rest).substr(0, dropped));
  rest.erase(0, dropped);
}

LogText read_log(int fd, const std::string& name) {
  LogText log;
  std::string rest;
  bool cut = false;
  std::string buffer(1U << 20U, '\0');
  for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw Error(ErrorCode::not_found, fmt::format("cannot read '{}': {}", name, errno_text(errno)));
    const std::string_view data(buffer.data(), static_cast<std::size_t>(n));
    const std::size_t taken = std::min(data.size(), kKeptAtEachEnd - log.text.size());
    log.text += data.substr(0, taken);
    rest += data.substr(taken);
    if (rest.size() > 2 * kKeptAtEachEnd) {
      drop_oldest(rest, log);
      cut = true;
    }
  }
  if (cut) log.cut_after = lines_in(log.text) + 1;
  if (cut) log.text += '\n';
  log.text += rest;
  return log;
}

Finding examine(const std::string& name) {
  const bool standard_input = name == "-";
  const Fd file(standard_input ? -1 : ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!standard_input && !file)
    throw Error(ErrorCode::not_found, fmt::format("cannot read the log '{}': {}", name, errno_text(errno)))
        .with_hint(
            "'ckpt explain' takes a log, a directory with logs, a container that failed, or - for the "
            "standard input");
  Finding found{.name = name, .log = read_log(standard_input ? STDIN_FILENO : file.get(), name)};
  found.diagnosis = diagnose(found.log.text);
  return found;
}

/// Logs come first that say more: CRIU's before the runtimes' own.
int rank(const std::string& name) {
  constexpr std::array<std::string_view, 2> kCriu{"dump.log", "restore.log"};
  for (std::size_t i = 0; i < kCriu.size(); ++i)
    if (name.ends_with(kCriu[i])) return static_cast<int>(i);
  return 2;
}

/// What may be a log in the directory and in those that ckpt and the runtimes make in it.
std::vector<fs::path> logs_in(const fs::path& directory) {
  std::vector<fs::path> logs;
  std::error_code error;
  for (const fs::path& place : {directory, directory / "work", directory / "checkpoint", directory / "boot"})
    for (fs::directory_iterator it(place, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (it->is_regular_file(error) && (name.ends_with(".log") || name.starts_with("runsc.log")))
        logs.push_back(it->path());
    }
  std::sort(logs.begin(), logs.end(), [](const fs::path& a, const fs::path& b) {
    return std::pair(rank(a.string()), a) < std::pair(rank(b.string()), b);
  });
  return logs;
}

/// 2 for a cause that is known, 1 for one that is not or that another log has, 0 for none.
int worth(const Diagnosis& diagnosis) {
  if (diagnosis.cause.number == 0) return 0;
  return diagnosis.entry != nullptr && diagnosis.entry->role != Role::general ? 2 : 1;
}

Finding examine_directory(const std::string& name) {
  const std::vector<fs::path> logs = logs_in(name);
  if (logs.empty())
    throw Error(ErrorCode::not_found, fmt::format("there is no log in '{}'", name))
        .with_hint("CRIU writes dump.log and restore.log into the work path, else into the image directory");
  std::optional<Finding> best;
  for (const fs::path& log : logs) {
    Finding found = examine(log.string());
    if (!best || worth(found.diagnosis) > worth(best->diagnosis)) best = std::move(found);
  }
  return std::move(*best);
}

json line_document(const Finding& found, const LogLine& line) {
  return {{"line", found.log.number(line.number)}, {"text", line.text}};
}

json document_of(const Finding& found) {
  const Diagnosis& diagnosis = found.diagnosis;
  json document = {{"log", found.name},          {"cause", nullptr},  {"reason", nullptr},
                   {"meaning", nullptr},         {"remedy", nullptr}, {"program", nullptr},
                   {"candidates", json::array()}};
  if (diagnosis.cause.number != 0) document["cause"] = line_document(found, diagnosis.cause);
  if (const CatalogueEntry* entry = diagnosis.entry; entry != nullptr) {
    document["reason"] = entry->reason;
    document["meaning"] = entry->meaning;
    document["remedy"] = entry->remedy;
    document["program"] = entry->program;
  }
  for (const LogLine& line : diagnosis.candidates)
    document["candidates"].push_back(line_document(found, line));
  return document;
}

void print_explained(const Context& context, const Finding& found) {
  const Diagnosis& diagnosis = found.diagnosis;
  const CatalogueEntry& entry = *diagnosis.entry;
  context.out.line(fmt::format("cause:  line {}: {}", found.log.number(diagnosis.cause.number),
                               printable_line(diagnosis.cause.text)));
  context.out.line(fmt::format("means:  {}", entry.meaning));
  context.out.line(fmt::format("try:    {}", entry.remedy));
  context.out.line(fmt::format("reason: {}", entry.reason));
}

void print_unknown(const Context& context, const Finding& found) {
  context.out.line("cause:  unknown; these lines tell a failure, the first is the likeliest:");
  for (const LogLine& line : found.diagnosis.candidates)
    context.out.line(
        numbered_line(found.log.number(line.number), line.number == found.diagnosis.cause.number, line.text));
}

void print(const Context& context, const Finding& found) {
  const Diagnosis& diagnosis = found.diagnosis;
  if (diagnosis.cause.number == 0)
    context.out.line("cause:  none; no line tells a failure");
  else if (diagnosis.entry != nullptr)
    print_explained(context, found);
  else
    print_unknown(context, found);
  context.out.line(
      fmt::format("log:    {}", found.name == "-" ? "standard input" : printable_line(found.name)));
  if (diagnosis.cause.number == 0 || context.globals.verbose == 0) return;
  const std::size_t at = diagnosis.cause.number;
  for (const std::string& line : excerpt(found.log.text, at, found.log.number(at))) context.out.line(line);
}

/// The log that ckpt kept of the container's last failure, when the word is no path but its id.
std::string kept_log(const Context& context, const std::string& source) {
  std::error_code error;
  if (!valid_id(source) || fs::exists(source, error)) return source;
  std::optional<std::pair<fs::file_time_type, std::string>> newest;
  for (const char* kind : {".dump.log", ".restore.log"}) {
    const fs::path log = fs::path(context.globals.state_dir) / "failed" / (source + kind);
    const auto time = fs::last_write_time(log, error);
    if (!error && (!newest || newest->first < time)) newest = {time, log.string()};
  }
  return newest ? newest->second : source;
}

int explain(const Context& context, const ExplainOptions& o) {
  std::error_code error;
  const std::string source = kept_log(context, o.source);
  const Finding found =
      source != "-" && fs::is_directory(source, error) ? examine_directory(source) : examine(source);
  if (context.globals.json)
    context.out.document(document_of(found));
  else
    print(context, found);
  return found.diagnosis.entry != nullptr ? 0 : kUnknown;
}

}  // namespace

Action declare_explain(CLI::App& app) {
  auto o = std::make_shared<ExplainOptions>();
  app.add_option("LOG", o->source,
                 "a log, a directory with logs (work path, image), a container that failed, or - for stdin")
      ->required();
  return [o](Context& context) { return explain(context, *o); };
}

}  // namespace ckpt
