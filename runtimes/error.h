// The one exception class of ckpt, its codes, and the exit status of each (the contract's table).
#pragma once
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

enum class ErrorCode {
  runtime_failed,
  usage,
  invalid_config,
  unsupported,
  not_found,
  conflict,
  gpu_failed,
  image_invalid,
  busy,
  timeout,
  verify_failed,
  host_incompatible,
  interrupted,
};

/// The exit status that scripts rely on; `interrupted` is 128 + signal and is computed by exit_status().
int exit_status(ErrorCode code);
/// The name in JSON `error.code`, e.g. "not-found".
std::string_view code_name(ErrorCode code);

class Error : public std::exception {
 public:
  Error(ErrorCode code_, std::string message_) : code(code_), message(std::move(message_)) {}

  Error& with_hint(std::string text) { return hint = std::move(text), *this; }
  Error& with_runtime(std::string text) { return runtime = std::move(text), *this; }
  Error& with_command(std::vector<std::string> argv) { return command = std::move(argv), *this; }
  Error& with_log(std::string path) { return log = std::move(path), *this; }
  Error& with_cause(std::string line) { return cause = std::move(line), *this; }
  /// Context added on the way up: "CONTEXT: message".
  Error& within(std::string_view context);

  const char* what() const noexcept override { return message.c_str(); }
  int status() const;

  ErrorCode code;
  std::string message;
  std::string hint;
  std::string runtime;
  std::vector<std::string> command;
  std::string log;    ///< path of the runtime's or CRIU's own log, kept on failure
  std::string cause;  ///< first causal line of that log
  int signal = 0;     ///< only with ErrorCode::interrupted
};

/// Ended by SIGINT or SIGTERM; thrown after the running child has been dealt with, so that undos run.
Error interrupted_error(int signal);

}  // namespace ckpt
