// The global options' one declaration; precedence: command line, environment, file.
#include "cli/globals.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include "commands/options.h"
#include "runtimes/fs.h"
#include "runtimes/program.h"
#include "runtimes/toml_text.h"
#include "runtimes/trust.h"
#include "runtimes/wrapper.h"

namespace ckpt {
namespace {

constexpr const char* kDefaultConfig = "/etc/ckpt/ckpt.toml";
constexpr std::size_t kLargestConfig = 1U << 20U;

std::string environment_name(std::string option) {
  for (char& c : option) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return "CKPT_" + option;
}

/// CLI11's own envname reads getenv; a set-uid ckpt must not.
void from_environment(CLI::Option* option, const std::string& name) {
  if (environment_variable(environment_name(name).c_str())) option->envname(environment_name(name));
}

std::vector<std::string> values_of(const toml::node& node, const std::string& key) {
  const auto text = [&](const toml::node& one) -> std::string {
    if (const auto* s = one.as_string()) return s->get();
    if (const auto* b = one.as_boolean()) return b->get() ? "true" : "false";
    if (const auto* i = one.as_integer()) return fmt::format("{}", i->get());
    throw Error(ErrorCode::invalid_config,
                fmt::format("the value of '{}' is neither text, number nor true/false", key));
  };
  std::vector<std::string> values;
  if (const auto* list = node.as_array()) {
    for (const toml::node& one : *list) values.push_back(text(one));
  } else {
    values.push_back(text(node));
  }
  return values;
}

void set(CLI::App& app, const std::string& key, const std::vector<std::string>& values,
         const std::string& file) {
  std::string dashed = key;
  for (char& c : dashed)
    if (c == '_') c = '-';
  CLI::Option* option = app.get_option_no_throw("--" + dashed);
  std::vector<std::string> names;
  for (const CLI::Option* known : app.get_options())
    if (known->get_envname().empty() || !known->get_lnames().empty())
      names.push_back(known->get_single_name());
  constexpr std::array<std::string_view, 4> kNeverInFile = {"config", "help", "version", "progress-fd"};
  if (option == nullptr || std::find(kNeverInFile.begin(), kNeverInFile.end(), dashed) != kNeverInFile.end())
    throw Error(ErrorCode::invalid_config,
                fmt::format("'{}': unknown key '{}'{}", file, key, did_you_mean(dashed, names)));
  if (option->count() > 0) return;
  try {
    for (const std::string& value : values) option->add_result(value);
    option->run_callback();
  } catch (const CLI::Error& error) {
    const bool known = dynamic_cast<const CLI::ValidationError*>(&error) != nullptr;
    const std::string why =
        known ? error.what() : fmt::format("'{}' is not a value of it", fmt::join(values, ", "));
    throw Error(ErrorCode::invalid_config, fmt::format("'{}': {}: {}", file, key, why));
  }
}

/// One that is not standard input, output or error, and can be written to; it is not for ckpt's children.
std::optional<int> open_descriptor(const std::string& text) {
  if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const int fd = std::stoi(text);
  const int flags = fd > 2 ? ::fcntl(fd, F_GETFL) : -1;
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return std::nullopt;
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

/// Below that every few lines would begin a new log.
CLI::Validator log_size() {
  return CLI::Validator(
      [](std::string& value) {
        const auto size = parse_size(value);
        return size && (*size == 0 || *size >= kLeastLogMax)
                   ? ""
                   : "'" + value + "' is no size for a log; write 64K or more, or 0 for no limit";
      },
      "SIZE");
}

}  // namespace

void declare_globals(CLI::App& app, Globals& g) {
  const auto text = [&](const char* name, auto& into, const char* help) {
    CLI::Option* option = app.add_option(std::string("--") + name, into, help);
    from_environment(option, name);
    return option;
  };
  const auto flag = [&](const char* names, const char* name, bool& into, const char* help) {
    CLI::Option* option = app.add_flag(names, into, help);
    from_environment(option, name);
  };
  app.add_option_function<std::string>(
         "--runtime",
         [&g](const std::string& name) { g.runtime = name == "auto" ? std::nullopt : std::optional(name); },
         "runc, crun, runsc or auto")
      ->check(one_of({"runc", "crun", "runsc", "auto", kNvidiaWrapper}));
  from_environment(app.get_option("--runtime"), "runtime");
  text("runtime-path", g.runtime_path, "the runtime's program")->type_name("PROGRAM");
  text("root", g.root, "the runtime's state directory")->type_name("DIR");
  text("runtime-arg", g.runtime_args, "global flag for the runtime, repeatable")
      ->type_name("ARG")
      ->allow_extra_args(false)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  text("platform", g.platform, "runsc's platform")->type_name("NAME");
  text("cuda-checkpoint", g.cuda_checkpoint, "the program that freezes CUDA processes")->type_name("PROGRAM");
  text("store", g.store, "where checkpoints are kept (default: /var/lib/ckpt)")->type_name("DIR");
  text("config", g.config, "configuration file (default: /etc/ckpt/ckpt.toml)")->type_name("FILE");
  text("log", g.log, "file for ckpt's own messages")->type_name("FILE");
  text("log-format", g.log_format, "text or json")->check(one_of({"text", "json"}));
  app.add_option_function<std::string>(
         "--log-max",
         [&g](const std::string& value) { g.log_max = parse_size(value).value_or(kDefaultLogMax); },
         "what a container's log takes of the disk at most: 64M; 0 for no limit")
      ->check(log_size());
  from_environment(app.get_option("--log-max"), "log-max");
  app.add_option_function<std::string>(
         "--timeout", [&g](const std::string& value) { g.timeout = parse_duration(value); },
         "limit of one long step: 30s, 5m; 0 for none")
      ->check(duration());
  from_environment(app.get_option("--timeout"), "timeout");
  flag("--dry-run", "dry-run", g.dry_run, "print the commands that would change something");
  flag("--json", "json", g.json, "machine-readable output and errors");
  flag("-q,--quiet", "quiet", g.quiet, "only data and errors");
  flag("--no-progress", "no-progress", g.no_progress, "no progress display");
  app.add_option_function<std::string>(
         "--progress-fd", [&g](const std::string& value) { g.progress_fd = open_descriptor(value); },
         "descriptor for the progress of long steps, as JSON lines")
      ->type_name("N")
      ->check(CLI::Validator(
          [](std::string& value) {
            return open_descriptor(value) ? "" : "'" + value + "' is not an open descriptor above 2";
          },
          "N"));
  from_environment(app.get_option("--progress-fd"), "progress-fd");
  app.add_flag("-v,--verbose", g.verbose, "say what is run");
  if (auto state = environment_variable("CKPT_STATE_DIR")) g.state_dir = absolute_path(*state).string();
}

void see_through_wrapper(Globals& g, Prober& prober) {
  const bool named = g.runtime && is_wrapper(*g.runtime);
  const std::string program = g.runtime_path.value_or(named ? *g.runtime : "");
  if (named) g.runtime.reset();
  if (!is_wrapper(program)) return;
  const auto wrapper = find_program(program);
  if (!wrapper)
    throw Error(ErrorCode::unsupported, fmt::format("{} is not installed", program))
        .with_hint("name a runtime itself with --runtime");
  g.runtime_path = runtime_behind(prober, *wrapper);
  if (!g.runtime_path)
    throw Error(ErrorCode::unsupported, fmt::format("none of the runtimes behind '{}' is installed: {}",
                                                    *wrapper, fmt::join(wrapped_runtimes(), ", ")))
        .with_hint("install one, or name it with --runtime-path");
  if (!g.runtime) g.runtime = std::string(table_of(kind_by_name(*g.runtime_path)).name);
}

void apply_config(CLI::App& app, const Globals& globals) {
  const std::string file = globals.config.value_or(kDefaultConfig);
  require_trusted("the configuration", file);
  const auto content = read_file(file, kLargestConfig);
  if (!content) {
    if (!globals.config) return;
    throw Error(ErrorCode::invalid_config,
                fmt::format("cannot read --config '{}': {}", file, errno_text(errno)));
  }
  if (const auto line = line_beyond_ascii(*content))
    throw Error(
        ErrorCode::invalid_config,
        fmt::format("'{}' line {}: a key with other than ASCII characters has to be quoted", file, *line));
  try {
    const toml::table table = toml::parse(*content, file);
    for (const auto& [key, node] : table)
      set(app, std::string(key.str()), values_of(node, std::string(key.str())), file);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("'{}' line {}: {}", file, error.source().begin.line, error.description()));
  }
}

}  // namespace ckpt
