// stdout, stderr and the --log file.
#include "cli/output.h"

#include <fcntl.h>

#include "runtimes/diagnosis.h"
#include "runtimes/error_json.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text;
}

/// Text from outside (a runtime's words, a file name) may be no UTF-8; it must not make the report fail.
std::string dump(const json& document, int indent) {
  return document.dump(indent, ' ', false, json::error_handler_t::replace);
}

/// Never throws: fmt::print does on a full disk. A stream keeps it in mind, for who asks at the end.
void put(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

}  // namespace

TerminalOutput::TerminalOutput(const Globals& globals) : globals_(globals) {
  if (!globals.log) return;
  const int fd = ::open(globals.log->c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  log_ = fd < 0 ? nullptr : ::fdopen(fd, "a");
  if (log_ == nullptr)
    throw Error(ErrorCode::usage,
                fmt::format("cannot write --log '{}': {}", *globals.log, errno_text(errno)));
}

TerminalOutput::~TerminalOutput() {
  if (log_ != nullptr) std::fclose(log_);
}

void TerminalOutput::log(const char* level, const std::string& text) {
  if (log_ == nullptr) return;
  const std::string line = globals_.log_format == "json"
                               ? dump(json{{"time", now_rfc3339()}, {"level", level}, {"msg", text}}, -1)
                               : fmt::format("{} {} {}", now_rfc3339(), level, one_line(text));
  put(log_, line + "\n");
  std::fflush(log_);
}

void TerminalOutput::line(const std::string& text) {
  put(stdout, text + "\n");
}

void TerminalOutput::document(const json& document) {
  put(stdout, dump(document, 2) + "\n");
}

void TerminalOutput::warn(const std::string& text) {
  log("warning", text);
  if (!globals_.quiet) put(stderr, fmt::format("ckpt: warning: {}\n", one_line(text)));
}

void TerminalOutput::note(const std::string& text) {
  log("info", text);
  if (!globals_.quiet) put(stderr, fmt::format("ckpt: {}\n", one_line(text)));
}

void TerminalOutput::detail(const std::string& text) {
  log("info", text);
  if (globals_.verbose > 0) put(stderr, fmt::format("ckpt: {}\n", one_line(text)));
}

void TerminalOutput::table(const std::vector<std::string>& heading,
                           const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& title : heading) widths.push_back(title.size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  const auto print = [&](const std::vector<std::string>& row) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i)
      text += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    line(text);
  };
  print(heading);
  for (const auto& row : rows) print(row);
}

void TerminalOutput::raw(const std::string& bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  std::fflush(stdout);
}

void print_error(const Error& error, bool as_json) {
  if (as_json) {
    put(stderr, dump(json{{"error", error_to_json(error)}}, -1) + "\n");
    return;
  }
  std::string text = "ckpt: " + error.message;
  if (!error.hint.empty()) text += "; " + error.hint;
  if (!error.log.empty()) text += fmt::format(" [log: {}]", error.log);
  put(stderr, one_line(text) + "\n");
}

void print_excerpt(const Error& error) {
  const auto text = error.log.empty() ? std::nullopt : read_file(error.log);
  const Diagnosis known = diagnose(text.value_or(""));
  if (known.cause.number == 0) return;
  for (const std::string& line : excerpt(*text, known.cause.number, known.cause.number))
    put(stderr, fmt::format("ckpt: {}\n", line));
}

Result TalkingRunner::run(const Command& command) {
  out_.detail("run: " + shell_quote(command.argv()));
  Result result = runner_.run(command);
  out_.detail(fmt::format("     {} after {:.3f} s", describe(result.outcome), result.seconds));
  return result;
}

}  // namespace ckpt
