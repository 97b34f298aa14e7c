// Printing: data on stdout, words on stderr, one line each; errors as a sentence or as the contract's JSON
// object.
#pragma once
#include <cstdio>

#include "commands/context.h"

namespace ckpt {

class TerminalOutput : public Output {
 public:
  explicit TerminalOutput(const Globals& globals);
  ~TerminalOutput() override;
  TerminalOutput(const TerminalOutput&) = delete;
  TerminalOutput& operator=(const TerminalOutput&) = delete;
  void line(const std::string& text) override;
  void document(const nlohmann::json& document) override;
  void warn(const std::string& text) override;
  void note(const std::string& text) override;
  void detail(const std::string& text) override;
  void table(const std::vector<std::string>& heading,
             const std::vector<std::vector<std::string>>& rows) override;
  void raw(const std::string& bytes) override;
  /// errno of the first raw() that could not be written; 0: all were.
  int write_error() const { return write_error_; }

 private:
  void log(const char* level, const std::string& text);
  const Globals& globals_;
  std::FILE* log_ = nullptr;
  int write_error_ = 0;
};

/// "ckpt: MESSAGE; HINT [log: PATH]" or {"error":{...}}, on stderr.
void print_error(const Error& error, bool json);

/// The lines around the cause in the log that the error names, numbered, on stderr.
void print_excerpt(const Error& error);

/// Runs a command and says it at -v before.
class TalkingRunner : public Runner {
 public:
  TalkingRunner(Runner& runner, Output& out) : runner_(runner), out_(out) {}
  Result run(const Command& command) override;

 private:
  Runner& runner_;
  Output& out_;
};

}  // namespace ckpt
