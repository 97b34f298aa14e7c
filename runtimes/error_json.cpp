// Error <-> JSON.
#include "runtimes/error_json.h"

#include "runtimes/json.h"

namespace ckpt {

using nlohmann::json;

json error_to_json(const Error& error) {
  return {{"code", code_name(error.code)}, {"message", error.message}, {"hint", error.hint},
          {"runtime", error.runtime},      {"command", error.command}, {"log", error.log},
          {"cause", error.cause}};
}

Error error_from_json(const json& in) {
  const std::string name = in.value("code", "");
  Error error(ErrorCode::runtime_failed, in.value("message", ""));
  for (int code = 0; code <= static_cast<int>(ErrorCode::interrupted); ++code)
    if (code_name(static_cast<ErrorCode>(code)) == name) error.code = static_cast<ErrorCode>(code);
  error.with_hint(in.value("hint", "")).with_runtime(in.value("runtime", "")).with_log(in.value("log", ""));
  error.with_cause(in.value("cause", "")).with_command(in.value("command", std::vector<std::string>()));
  error.signal = in.value("signal", 0);
  return error;
}

}  // namespace ckpt
