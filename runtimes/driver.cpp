// Verbs, state parsing and error reading common to the three runtimes.
#include "runtimes/driver.h"

#include <fmt/format.h>

#include <sstream>

#include "runtimes/cgroup_names.h"
#include "runtimes/diagnosis.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/program.h"
#include "runtimes/remains.h"
#include "runtimes/roots.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::seconds;

ContainerState state_of(const json& in) {
  ContainerState state;
  state.id = in.at("id");
  state.status = in.at("status");
  state.pid = std::max<pid_t>(0, in.value("pid", 0));
  state.bundle = in.value("bundle", "");
  state.created = in.value("created", "");
  return state;
}

/// runsc says "running" of a sandbox whose zombie nobody reaped yet.
ContainerState corrected(ContainerState state) {
  if ((state.status == "running" || state.status == "paused") && !alive(state.pid)) {
    state.status = "stopped";
    state.pid = 0;
  }
  if (state.status == "stopped") state.pid = 0;
  return state;
}

std::string first_line(std::string text) {
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  return text;
}

/// `time="…" level=error msg="text"` -> text; other lines unchanged.
std::string without_decoration(const std::string& line) {
  const std::size_t at = line.find(" msg=\"");
  if (!line.starts_with("time=") || at == std::string::npos) return line;
  std::string text = line.substr(at + 6);
  if (text.ends_with('"')) text.pop_back();
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      plain += text[i] == 'n' ? ' ' : text[i];
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// crun pretty-prints its JSON log: objects may span lines, so the stream is read object by object.
std::vector<std::string> json_errors(const std::string& log) {
  std::vector<std::string> errors;
  std::string object;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < log.size(); ++i) {
    const char c = log[i];
    if (depth > 0 || c == '{') object += c;
    if (quoted && c == '\\' && i + 1 < log.size()) {
      object += log[++i];
    } else if (c == '"' && depth > 0) {
      quoted = !quoted;
    } else if (!quoted && c == '{') {
      ++depth;
    } else if (!quoted && c == '}' && depth > 0 && --depth == 0) {
      const json entry = parse_json(object);
      object.clear();
      if (entry.is_object() &&
          (entry.value("level", json()) == "error" || entry.value("level", json()) == "fatal"))
        if (const json text = entry.value("msg", json()); text.is_string())
          errors.push_back(first_line(text));
    }
  }
  std::erase(errors, "");
  return errors;
}

}  // namespace

std::string last_error(const std::string& json_log, const std::string& standard_error, bool first) {
  if (const std::vector<std::string> logged = json_errors(json_log); !logged.empty())
    return first ? logged.front() : logged.back();
  // A Go panic's first line is its message; what follows are goroutines.
  std::string last, warning;
  std::istringstream lines(standard_error);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("goroutine ") || line.starts_with("\t")) break;
    if (first_line(line).empty()) continue;
    (line.starts_with("time=") && line.find(" level=warning ") != std::string::npos ? warning : last) =
        first_line(line);
  }
  return without_decoration(last.empty() ? warning : last);
}

std::vector<ContainerState> parse_states(const std::string& text, const std::string& program) {
  std::vector<ContainerState> states;
  try {
    const json in = parse_json_or_throw(text);
    if (in.is_object()) return {corrected(state_of(in))};
    for (const json& entry : in) states.push_back(corrected(state_of(entry)));
  } catch (const json::exception&) {
    throw Error(ErrorCode::runtime_failed,
                fmt::format("'{}' answered with something that is not its JSON: '{}'", program,
                            first_line(text).substr(0, 80)));
  }
  return states;
}

Command Driver::command(const std::string& verb, const Argv& args) const {
  Command command{.program = target_.path, .args = global_args(target_)};
  command.args.push_back(verb);
  command.args.insert(command.args.end(), args.begin(), args.end());
  command.env["PATH"] = search_path();
  command.timeout = limit_;
  if (verb == "resume" || verb == "delete")
    command.timeout = std::max<std::chrono::milliseconds>(limit_.value_or(seconds(30)), seconds(30));
  return command;
}

Command Driver::logged(const std::string& verb, const Argv& args, const fs::path& log) const {
  Command result = command(verb, args);
  result.args.insert(result.args.begin() + 2, {"--log", log.string(), "--log-format", "json"});
  return result;
}

Dialect Driver::dialect(const std::string& verb) const {
  return {table_, target_.path, prober_.version(target_.path), prober_.flags(table_, target_.path, verb)};
}

std::optional<ContainerState> Driver::state(const std::string& id) const {
  if (!holds(target_, id)) return std::nullopt;
  const Command asked = command("state", {id});
  const Result result = runner_.run(asked);
  if (!result.ok()) {
    if (!holds(target_, id)) return std::nullopt;
    throw failure(fmt::format("cannot read the state of '{}'", id), asked, result);
  }
  std::vector<ContainerState> states = parse_states(result.out, target_.path);
  if (states.size() != 1)
    throw Error(ErrorCode::runtime_failed, fmt::format("'{}' told no state of '{}'", target_.path, id));
  return std::move(states[0]);
}

std::vector<ContainerState> Driver::list() const {
  const Command asked = command("list", {"--format", "json"});
  const Result result = runner_.run(asked);
  if (!result.ok())
    throw failure(fmt::format("cannot list the containers in '{}'", target_.root), asked, result);
  return parse_states(result.out, target_.path);
}

std::vector<pid_t> Driver::processes(const std::string& id) const {
  const Command asked = command("ps", {"--format", "json", id});
  const Result result = runner_.run(asked);
  if (!result.ok()) throw failure(fmt::format("cannot list the processes of '{}'", id), asked, result);
  const json in = parse_json(result.out);
  std::vector<pid_t> pids;
  if (in.is_array())
    for (const json& pid : in)
      if (pid.is_number_integer()) pids.push_back(pid);
  return pids;
}

bool Driver::resume_if_paused(const std::string& id) const {
  const auto now = state(id);
  if (!now || now->status != "paused") return false;
  resume(id);
  return true;
}

void Driver::remove(const std::string& id, bool force) const {
  // runsc would take an id that it does not have for an abbreviation of another.
  if (!table().shares_host_kernel && !holds(target_, id)) return;
  if (table_.kind == RuntimeKind::crun) refuse_root_cgroup(target_.root, id);
  do_verb("delete", force ? Argv{"--force", id} : Argv{id});
  if (force && table().shares_host_kernel) remove_half_made(target_.root, id);
}

Result Driver::do_verb(const std::string& verb, const Argv& args) const {
  const Command asked = command(verb, args);
  Result result = runner_.run(asked);
  const auto id =
      std::find_if(args.begin(), args.end(), [](const std::string& word) { return !word.starts_with('-'); });
  if (!result.ok()) throw failure(fmt::format("{} of '{}' failed", verb, *id), asked, result);
  return result;
}

Error command_failure(const std::string& name, const std::string& what, const Command& command,
                      const Result& result, const std::string& said) {
  if (result.interrupted) return interrupted_error(*result.interrupted);
  Error error(ErrorCode::runtime_failed, "");
  if (result.timed_out) {
    error.code = ErrorCode::timeout;
    error.message = fmt::format("{}: {} did not finish within {:.0f} s and was stopped", what, name,
                                std::chrono::duration<double>(command.timeout.value_or(seconds(0))).count());
    error.with_hint("give it more time with --timeout");
  } else if (result.stopped_because) {
    error.message = fmt::format("{}: {} was stopped: {}", what, name, *result.stopped_because);
  } else {
    error.message =
        fmt::format("{}: {} {}{}", what, name, describe(result.outcome), said.empty() ? "" : ": " + said);
    const CatalogueEntry* known = find_entry(said);
    if (known != nullptr && known->role != Role::general) {
      error.with_cause(said).with_hint(std::string(known->remedy));
      error.message += fmt::format(" ({})", known->meaning);
    }
  }
  return error.with_runtime(name).with_command(command.argv());
}

Error Driver::failure(const std::string& what, const Command& command, const Result& result,
                      const fs::path& log) const {
  const std::string said = last_error(log.empty() ? "" : read_file(log).value_or(""), result.err,
                                      table_.kind == RuntimeKind::runsc);
  return command_failure(std::string(table_.name), what, command, result, said);
}

}  // namespace ckpt
