// The wrapper's own rules for finding what it calls.
#include "runtimes/wrapper.h"

#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/program.h"
#include "runtimes/toml_text.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

std::string file_name(std::string_view program) {
  return fs::path(program).filename().string();
}

std::vector<std::string> runtimes_in(const toml::table& config) {
  std::vector<std::string> names;
  if (const toml::array* list = config[kNvidiaWrapper]["runtimes"].as_array())
    for (const toml::node& one : *list)
      if (const auto name = one.value<std::string>()) names.push_back(*name);
  return names;
}

bool can_restore(Prober& prober, const std::string& program) {
  try {
    prober.flags(runc_table(), program, "restore");
    return true;
  } catch (const Error& error) {
    if (error.code == ErrorCode::interrupted) throw;
    return false;
  }
}

}  // namespace

bool is_wrapper(std::string_view program) {
  const std::string name = file_name(program);
  return name == kNvidiaWrapper || name.starts_with("nvidia-container-runtime.");
}

std::vector<std::string> wrapped_runtimes() {
  const fs::path home = environment_variable("XDG_CONFIG_HOME").value_or("/etc");
  const fs::path file = home / kNvidiaWrapper / "config.toml";
  std::vector<std::string> names;
  const std::string text = is_trusted(file) ? read_file(file).value_or("") : "";
  if (const auto line = line_beyond_ascii(text))
    throw Error(ErrorCode::invalid_config,
                fmt::format("'{}' line {}: a key with other than ASCII characters has to be quoted",
                            file.string(), *line));
  try {
    names = runtimes_in(toml::parse(text, file.string()));
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::invalid_config, fmt::format("'{}' line {}: {}", file.string(),
                                                       error.source().begin.line, error.description()));
  }
  return names.empty() ? std::vector<std::string>{"runc", "crun"} : names;
}

std::optional<std::string> runtime_behind(Prober& prober, const std::string& wrapper) {
  for (const std::string& name : wrapped_runtimes())
    if (auto path = is_wrapper(name) ? std::nullopt : find_program(name)) return path;
  if (can_restore(prober, wrapper)) return wrapper;
  return std::nullopt;
}

RuntimeKind kind_by_name(const std::string& program) {
  const std::string name = file_name(program);
  for (const RuntimeTable* table : all_runtimes())
    if (name.find(table->name) != std::string::npos) return table->kind;
  return RuntimeKind::runc;
}

}  // namespace ckpt
