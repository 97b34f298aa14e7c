// The table of metrics, their text, and the one file that all of them are in.
#include "commands/metrics.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include <array>
#include <charconv>
#include <cmath>

#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

struct Metric {
  std::string_view name, type, help;
  std::string_view label = {};  ///< beside container and runtime; empty: none
};

constexpr Metric kLastSuccess{"ckpt_checkpoint_last_success_timestamp_seconds", "gauge",
                              "When the last checkpoint that succeeded ended."};
constexpr Metric kSeconds{"ckpt_checkpoint_seconds", "gauge",
                          "How long the parts of the last checkpoint that succeeded took.", "phase"};
constexpr Metric kBytes{"ckpt_checkpoint_bytes", "gauge", "Size of the last checkpoint that succeeded."};
constexpr Metric kFailures{"ckpt_checkpoint_failures_total", "counter", "Checkpoints that failed.", "code"};
constexpr Metric kLastStatus{"ckpt_checkpoint_last_exit_status", "gauge",
                             "Exit status of the last checkpoint, 0 when it succeeded."};
constexpr std::array kMetrics{kLastSuccess, kSeconds, kBytes, kFailures, kLastStatus};

constexpr std::string_view kFirstLine = "# Written by ckpt checkpoint --metrics-file. Leave it to ckpt.";
constexpr const char* kUnknown = "unknown";

std::string label_value(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    text += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return text + "\"";
}

std::string series_name(const Metric& metric, const std::string& id, const std::string& runtime,
                        std::string_view value = {}) {
  const std::string extra =
      metric.label.empty() ? "" : fmt::format(",{}={}", metric.label, label_value(value));
  return fmt::format("{}{{container={},runtime={}{}}}", metric.name, label_value(id), label_value(runtime),
                     extra);
}

// ---- reading

bool skip(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

/// A quoted label value with its escapes.
bool skip_quoted(std::string_view& text) {
  if (!skip(text, "\"")) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return text.remove_prefix(i + 1), true;
    if (text[i] != '\\') continue;
    if (++i == text.size() || std::string_view("\\\"n").find(text[i]) == std::string_view::npos) return false;
  }
  return false;
}

bool skip_label(std::string_view& text, std::string_view before, std::string_view label) {
  return skip(text, before) && skip(text, label) && skip(text, "=") && skip_quoted(text);
}

/// A line as one of `metric`'s series.
bool take_series(std::string_view line, const Metric& metric, Series& into) {
  std::string_view rest = line;
  if (!skip(rest, metric.name) || !skip_label(rest, "{", "container") || !skip_label(rest, ",", "runtime"))
    return false;
  if (!metric.label.empty() && !skip_label(rest, ",", metric.label)) return false;
  if (!skip(rest, "} ")) return false;
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || end != rest.data() + rest.size() || !std::isfinite(value)) return false;
  into[std::string(line.substr(0, line.size() - rest.size() - 1))] = value;
  return true;
}

std::string comments_of(const Metric& metric) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric.name, metric.help, metric.name, metric.type);
}

bool take_line(std::string_view line, Series& into) {
  for (const Metric& metric : kMetrics) {
    if (take_series(line, metric, into)) return true;
    if (line.starts_with("# ") && comments_of(metric).find(fmt::format("{}\n", line)) != std::string::npos)
      return true;
  }
  return line == kFirstLine;
}

/// The runtime of the container's series; `unknown` without one.
std::string runtime_in(const Series& series, const std::string& id) {
  const std::string begin = fmt::format("{{container={},runtime=\"", label_value(id));
  for (const auto& [name, value] : series) {
    const std::size_t at = name.find(begin);
    if (at == std::string::npos) continue;
    const std::size_t from = at + begin.size();
    return name.substr(from, name.find('"', from) - from);
  }
  return kUnknown;
}

/// What was counted for a runtime not known counts for `runtime`.
void adopt(Series& series, const std::string& id, const std::string& runtime) {
  const std::string mark = fmt::format("{{container={},runtime=\"{}\"", label_value(id), kUnknown);
  const Series before = series;
  for (const auto& [name, value] : before) {
    const std::size_t at = name.find(mark);
    if (at == std::string::npos || runtime == kUnknown) continue;
    const std::string rest = name.substr(at + mark.size());
    series.erase(name);
    series[fmt::format("{}{{container={},runtime={}{}", name.substr(0, at), label_value(id),
                       label_value(runtime), rest)] += value;
  }
}

}  // namespace

std::string render_metrics(const Series& series) {
  std::string text = fmt::format("{}\n", kFirstLine);
  for (const Metric& metric : kMetrics) {
    std::string lines;
    for (const auto& [name, value] : series)
      if (name.starts_with(fmt::format("{}{{", metric.name))) lines += fmt::format("{} {}\n", name, value);
    if (!lines.empty()) text += comments_of(metric) + lines;
  }
  return text;
}

Series parse_metrics(std::string_view text) {
  Series series;
  for (std::size_t begin = 0, number = 1; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (number == 1 ? line != kFirstLine : !take_line(line, series))
      throw Error(ErrorCode::conflict, fmt::format("line {} is not of ckpt's", number));
  }
  return series;
}

void count_success(Series& series, const json& result, std::time_t now) {
  const std::string id = result.at("id"), runtime = result.at("runtime");
  adopt(series, id, runtime);
  series[series_name(kLastSuccess, id, runtime)] = static_cast<double>(now);
  for (const auto& [phase, seconds] : result.at("seconds").items())
    series[series_name(kSeconds, id, runtime, phase)] = seconds.get<double>();
  series[series_name(kBytes, id, runtime)] = result.at("bytes").get<double>();
  series[series_name(kLastStatus, id, runtime)] = 0;
}

void count_failure(Series& series, const std::string& id, const Error& error) {
  const std::string runtime = error.runtime.empty() ? runtime_in(series, id) : error.runtime;
  adopt(series, id, runtime);
  series[series_name(kFailures, id, runtime, code_name(error.code))] += 1;
  series[series_name(kLastStatus, id, runtime)] = error.status();
}

// ---- the file

MetricsFile::MetricsFile(const fs::path& file) : file_(absolute_path(file)) {
  std::error_code error;
  if (!fs::is_directory(file_.parent_path(), error))
    throw Error(ErrorCode::usage, fmt::format("cannot write --metrics-file '{}': '{}' is no directory",
                                              file_.string(), file_.parent_path().string()));
  read();
}

Series MetricsFile::read() const {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(file_, error).type();
  if (type == fs::file_type::not_found) return {};
  const auto refused = [&](const std::string& why) {
    return Error(ErrorCode::conflict,
                 fmt::format("--metrics-file '{}' would be overwritten, and it is not of "
                             "ckpt's making: {}",
                             file_.string(), why))
        .with_hint("name another file, or remove this one");
  };
  if (type != fs::file_type::regular) throw refused("it is no regular file");
  const auto text = read_file(file_);
  if (!text)
    throw Error(ErrorCode::usage,
                fmt::format("cannot read --metrics-file '{}': {}", file_.string(), errno_text(errno)));
  try {
    return parse_metrics(*text);
  } catch (const Error& wrong) {
    throw refused(wrong.message);
  }
}

/// Under a lock on the directory, which is there before the file is and needs no file of its own.
template <class Change>
void MetricsFile::update(Change&& change) const {
  const fs::path directory = file_.parent_path();
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= until)
      throw Error(ErrorCode::runtime_failed,
                  fmt::format("cannot lock '{}': {}", directory.string(), errno_text(errno)));
    ::poll(nullptr, 0, 20);
  }
  Series series = read();
  change(series);
  write_file_atomic(file_, render_metrics(series), 0644);
}

void MetricsFile::succeeded(const json& result) const {
  update([&](Series& series) { count_success(series, result, ::time(nullptr)); });
}

void MetricsFile::failed(const std::string& id, const Error& error) const {
  update([&](Series& series) { count_failure(series, id, error); });
}

}  // namespace ckpt
