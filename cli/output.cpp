// stdout, stderr and the --log file.
#include "cli/output.h"

#include <fcntl.h>

#include <algorithm>

#include "cli/shown.h"
#include "runtimes/diagnosis.h"
#include "runtimes/error_json.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// Text from outside (a runtime's words, a file name) may be no UTF-8; it must not make the report fail.
std::string dump(const json& document, int indent) {
  return shown_json(document.dump(indent, ' ', false, json::error_handler_t::replace));
}

/// The colours that ckpt itself gives to words of its own (commands/checks.cpp).
bool is_coloured_word(const std::string& cell) {
  for (const char* own :
       {"\x1b[39mSTATUS\x1b[0m", "\x1b[32mok\x1b[0m", "\x1b[33mwarning\x1b[0m", "\x1b[31mfails\x1b[0m"})
    if (cell == own) return true;
  return false;
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
                               : fmt::format("{} {} {}", now_rfc3339(), level, shown(text));
  put(log_, line + "\n");
  std::fflush(log_);
}

void TerminalOutput::line(const std::string& text) {
  put(stdout, shown(text) + "\n");
}

void TerminalOutput::document(const json& document) {
  put(stdout, dump(document, 2) + "\n");
}

void TerminalOutput::warn(const std::string& text) {
  log("warning", text);
  if (!globals_.quiet) put(stderr, fmt::format("ckpt: warning: {}\n", shown(text)));
}

void TerminalOutput::note(const std::string& text) {
  log("info", text);
  if (!globals_.quiet) put(stderr, fmt::format("ckpt: {}\n", shown(text)));
}

void TerminalOutput::detail(const std::string& text) {
  log("info", text);
  if (globals_.verbose > 0) put(stderr, fmt::format("ckpt: {}\n", shown(text)));
}

void TerminalOutput::table(const std::vector<std::string>& heading,
                           const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> all = {heading};
  all.insert(all.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(heading.size());
  for (auto& row : all)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!is_coloured_word(row[i])) row[i] = shown(row[i]);
      widths[i] = std::max(widths[i], row[i].size());
    }
  for (const auto& row : all) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i)
      text += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    put(stdout, text + "\n");
  }
}

void TerminalOutput::raw(const std::string& bytes) {
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
  if ((std::fflush(stdout) != 0 || !written) && write_error_ == 0) write_error_ = errno;
}

void print_error(const Error& error, bool as_json) {
  if (as_json) {
    put(stderr, dump(json{{"error", error_to_json(error)}}, -1) + "\n");
    return;
  }
  std::string text = "ckpt: " + error.message;
  if (!error.hint.empty()) text += "; " + error.hint;
  if (!error.log.empty()) text += fmt::format(" [log: {}]", error.log);
  put(stderr, shown(text) + "\n");
}

void print_excerpt(const Error& error) {
  const auto text = error.log.empty() ? std::nullopt : read_file(error.log);
  const Diagnosis known = diagnose(text.value_or(""));
  if (known.cause.number == 0) return;
  for (const std::string& line : excerpt(*text, known.cause.number, known.cause.number))
    put(stderr, fmt::format("ckpt: {}\n", shown(line)));
}

Result TalkingRunner::run(const Command& command) {
  out_.detail("run: " + shell_quote(command.argv()));
  Result result = runner_.run(command);
  out_.detail(fmt::format("     {} after {:.3f} s", describe(result.outcome), result.seconds));
  return result;
}

}  // namespace ckpt
