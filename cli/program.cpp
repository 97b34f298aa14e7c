// From argv to an exit status: parse with CLI11, answer mistakes in our own words, run the command, print its
// error.
#include "cli/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <iostream>

#include "cli/commands.h"
#include "cli/globals.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/version.h"
#include "commands/parse.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/own_proc.h"
#include "runtimes/program.h"
#include "runtimes/supervisor.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

struct CommandLine {
  std::vector<std::string> words;    ///< before `--`
  std::vector<std::string> payload;  ///< behind it
  bool has_payload = false;
};

CommandLine split(int argc, char** argv) {
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (line.has_payload)
      line.payload.push_back(word);
    else if (word == "--")
      line.has_payload = true;
    else
      line.words.push_back(word);
  }
  return line;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> verb_names() {
  std::vector<std::string> names;
  for (const VerbRow& row : verbs())
    if (!row.summary.empty()) names.emplace_back(row.name);
  return names;
}

/// Whether a word that CLI11 left over stands where the command should: `images list` is no `list`.
bool is_first_word(const std::string& word, const CommandLine& line) {
  const std::vector<std::string> names = verb_names();
  const auto place = [&](const std::string& one) {
    return std::find(line.words.begin(), line.words.end(), one);
  };
  return !word.starts_with('-') && std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return place(word) < place(name) || place(name) == line.words.end();
  });
}

std::string where_help_is(const CLI::App* verb) {
  return verb != nullptr ? fmt::format("'ckpt {} --help' shows the options", verb->get_name())
                         : "'ckpt --help' shows the commands";
}

/// What CLI11 left over: an unknown option or a word too many.
Error unexpected(const CLI::App& app, const CLI::App* verb, const std::string& word) {
  const std::string help = where_help_is(verb);
  if (!word.starts_with('-')) {
    if (verb == nullptr)
      return Error(ErrorCode::usage,
                   fmt::format("unknown command '{}'{}", word, did_you_mean(word, verb_names())))
          .with_hint(help);
    const bool takes_payload = verb->get_name() == "run" || verb->get_name() == "exec";
    return Error(ErrorCode::usage, fmt::format("{}: unexpected argument '{}'", verb->get_name(), word))
        .with_hint(takes_payload ? "the container's command stands behind '--'" : help);
  }
  std::vector<std::string> names = option_names(app);
  if (verb != nullptr)
    for (const std::string& name : option_names(*verb)) names.push_back(name);
  const std::string flag = word.substr(0, word.find('='));
  return Error(ErrorCode::usage, fmt::format("unknown option '{}'{}", flag, did_you_mean(flag, names)))
      .with_hint(help);
}

/// CLI11's first line, in lower case as our own messages are (but for the positional ID).
std::string plain(std::string text) {
  text = text.substr(0, text.find('\n'));
  if (text.starts_with('-') && text.ends_with(" missing"))
    return text.substr(0, text.find(':')) + " needs a value";
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0)
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

/// A parsed invocation, ready to run.
struct Invocation {
  CLI::App app{"checkpoint and restore containers on runc, crun and gVisor's runsc", "ckpt"};
  Globals globals;
  std::vector<std::pair<CLI::App*, Action>> actions;
  std::vector<const VerbRow*> rows;

  Invocation() {
    app.formatter(std::make_shared<HelpFormatter>());
    app.require_subcommand(0, 1);
    app.fallthrough();
    app.set_version_flag("--version", fmt::format("ckpt {}", version()), "show the version");
    app.set_help_flag("-h,--help", "show this help");
    declare_globals(app, globals);
    for (const VerbRow& row : verbs()) {
      CLI::App* verb = app.add_subcommand(std::string(row.name), std::string(row.summary));
      verb->fallthrough();
      verb->group(row.summary.empty() ? "" : "Commands");
      verb->set_help_flag("-h,--help", "show this help");
      actions.emplace_back(verb, row.declare(*verb));
      rows.push_back(&row);
    }
  }

  const CLI::App* chosen() const {
    const auto subcommands = app.get_subcommands();
    return subcommands.empty() ? nullptr : subcommands.front();
  }

  void parse(const CommandLine& line) {
    std::vector<std::string> reversed(line.words.rbegin(), line.words.rend());
    app.allow_extras();
    for (auto& [verb, action] : actions) verb->allow_extras();
    app.parse(reversed);
    const std::vector<std::string> left = app.remaining(true);
    if (!left.empty())
      throw unexpected(app, is_first_word(left.front(), line) ? nullptr : chosen(), left.front());
    if (chosen() == nullptr) throw Error(ErrorCode::usage, "no command").with_hint(where_help_is(nullptr));
  }
};

/// What these two hold decides which programs run; a store or state directory of somebody else's is theirs.
/// Runtimes and ckpt look in /proc for whether a container runs: in that of other processes, none does.
void require_own_places(const Globals& globals, std::string_view verb) {
  for (const char* needs_none : {"completion", "explain"})
    if (verb == needs_none) return;
  require_trusted("the state directory", globals.state_dir);
  require_trusted("the store", globals.store);
  if (verb != "images" && verb != "logs") require_own_proc();
}

int run_action(Invocation& invocation, const CommandLine& line) {
  const Globals& globals = invocation.globals;
  TerminalOutput out(globals);
  SystemRunner system;
  TalkingRunner runner(system, out);
  Prober prober(runner, fs::path(globals.state_dir) / "probe");
  heed_criu_argument(globals.runtime_args);
  Context context{globals, runner, prober, Records(globals.state_dir), out, line.payload};
  for (std::size_t i = 0; i < invocation.actions.size(); ++i) {
    auto& [verb, action] = invocation.actions[i];
    if (verb != invocation.chosen()) continue;
    const std::string_view name = invocation.rows[i]->name;
    if (line.has_payload && name != "run" && name != "exec")
      throw Error(ErrorCode::usage, fmt::format("{} takes nothing behind '--'", name));
    if (invocation.rows[i]->needs_root && ::geteuid() != 0)
      throw Error(ErrorCode::unsupported, fmt::format("ckpt {} needs root", name))
          .with_hint("run it with sudo");
    require_own_places(globals, name);
    see_through_wrapper(invocation.globals, prober);
    const int status = action(context);
    const int error = std::fflush(stdout) != 0 ? errno : out.write_error();
    if (error != 0 || std::ferror(stdout) != 0)
      throw Error(ErrorCode::runtime_failed,
                  "cannot write to standard output" + (error != 0 ? ": " + errno_text(error) : ""));
    return status;
  }
  return exit_status(ErrorCode::usage);
}

/// A caller may have closed 0, 1 or 2; the next file opened would take their place.
void open_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd) std::_Exit(1);
}

/// For mistakes in the command line itself, when no option has been taken yet.
bool asks_for_json(const CommandLine& line) {
  const std::string set = environment_variable("CKPT_JSON").value_or("false");
  return std::find(line.words.begin(), line.words.end(), "--json") != line.words.end() ||
         (set != "false" && set != "0");
}

/// What is missing is often a consequence of an option that there is not.
Error wrong_use(const CLI::ParseError& error, const Invocation& invocation) {
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    for (const std::string& word : invocation.app.remaining(true))
      if (word.starts_with('-')) return unexpected(invocation.app, invocation.chosen(), word);
  return Error(ErrorCode::usage, plain(error.what())).with_hint(where_help_is(invocation.chosen()));
}

int help_or_usage(const CLI::ParseError& error, Invocation& invocation, bool json) {
  if (error.get_exit_code() == 0) return invocation.app.exit(error);
  const Error wrong = wrong_use(error, invocation);
  print_error(wrong, json);
  return wrong.status();
}

void report(const Error& error, bool json, const Invocation& invocation) {
  const bool as_json = json || invocation.globals.json;
  if (!as_json && invocation.globals.verbose > 0) print_excerpt(error);
  print_error(error, as_json);
}

}  // namespace

int main_with(int argc, char** argv) {
  open_standard_streams();
  if (argc == 3 && std::string_view(argv[1]) == "__monitor") {
    catch_interrupts();
    return monitor_main(argv[2], 3);
  }
  const CommandLine line = split(argc, argv);
  bool json = asks_for_json(line);
  Invocation invocation;
  try {
    catch_interrupts();
    invocation.parse(line);
    json = invocation.globals.json;
    // A guard is told everything; what a file says by now must not keep it.
    if (invocation.chosen()->get_name() != "__guard") apply_config(invocation.app, invocation.globals);
    return run_action(invocation, line);
  } catch (const CLI::ParseError& error) {
    return help_or_usage(error, invocation, json);
  } catch (const AttachedError& error) {
    report(error, json, invocation);
    return error.code == ErrorCode::interrupted ? error.status() : kAttachedFailure;
  } catch (const Error& error) {
    report(error, json, invocation);
    return error.status();
  } catch (const std::exception& error) {
    print_error(Error(ErrorCode::runtime_failed, error.what()), json);
    return exit_status(ErrorCode::runtime_failed);
  }
}

}  // namespace ckpt
