// ckpt exec ID -- CMD...: replaces itself by the runtime's exec, so that streams, signals and status are its
// own; with --detach it waits only until the command runs.
#include <signal.h>
#include <unistd.h>

#include <vector>

#include "commands/engine_names.h"
#include "commands/options.h"
#include "commands/verbs.h"
#include "runtimes/exec_options.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

struct ExecOptions {
  std::string id;
  ExecOpts opts;
};

void check(const ExecOptions& o, const std::vector<std::string>& payload) {
  if (payload.empty())
    throw Error(ErrorCode::usage, "no command to execute")
        .with_hint(fmt::format("ckpt exec {} -- COMMAND [ARGS...]", o.id));
  if (o.opts.tty && o.opts.detach)
    throw Error(ErrorCode::usage, "--tty and --detach exclude each other: nobody would hold the terminal");
  if (o.opts.tty && ::isatty(0) == 0)
    throw Error(ErrorCode::usage,
                "--tty: the standard input is no terminal, whose size and keys it could have")
        .with_hint("leave --tty out");
  if (o.opts.cwd && !o.opts.cwd->starts_with('/'))
    throw Error(ErrorCode::usage,
                fmt::format("--cwd '{}' is not absolute; it is a directory of the container's", *o.opts.cwd));
}

/// What the runtime is told. Without options it is not asked what it takes.
Argv arguments(const Driver& driver, const ExecOptions& o, const std::string& id,
               const std::vector<std::string>& payload) {
  ExecOpts opts = o.opts;
  opts.tty = !opts.detach && (opts.tty || ::isatty(0) != 0);
  const bool plain = opts == ExecOpts{};
  return exec_args(plain ? Dialect{driver.table(), driver.target().path, "", {}} : driver.dialect("exec"),
                   opts, id, payload);
}

[[noreturn]] void replace_by(const Command& command) {
  Argv words = command.argv();
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::setenv("PATH", command.env.at("PATH").c_str(), 1);
  ::signal(SIGPIPE, SIG_DFL);  // an ignored signal stays ignored over exec
  ::execv(command.program.c_str(), argv.data());
  throw Error(ErrorCode::runtime_failed,
              fmt::format("cannot start '{}': {}", command.program, errno_text(errno)));
}

/// Its streams are /dev/null: those of the caller would keep the container from being checkpointed. runsc
/// needs a pid file to know when it runs.
int start(const Context& context, const Driver& driver, ExecOptions o, const std::string& id) {
  const fs::path scratch = context.scratch();
  const auto wanted = std::exchange(o.opts.pid_file, (scratch / "pid").string());
  Command command = driver.logged("exec", arguments(driver, o, id, context.payload), scratch / "runtime.log");
  if (context.globals.dry_run) {
    context.print_plan({command.argv()});
    return 0;
  }
  command.out = Null{};
  command.err = Null{};
  const ScopedTree files(scratch);
  make_private_dirs(scratch);
  const Result result = driver.runner().run(command);
  if (!result.ok())
    throw driver.failure(fmt::format("exec in '{}' failed", id), command, result, scratch / "runtime.log");
  const std::string pid = read_file(scratch / "pid", 64).value_or("");
  if (wanted) write_file_atomic(absolute_path(*wanted), pid);
  if (context.globals.json) context.out.document({{"id", id}, {"pid", std::atol(pid.c_str())}});
  return 0;
}

int exec_in(Context& context, const ExecOptions& o) {
  check(o, context.payload);
  const std::string id = id_of(context, o.id);
  const Found found = context.find(id);
  const auto state = found.driver.state(id);
  if (!state || state->status != "running")
    throw Error(ErrorCode::conflict, fmt::format("container '{}' is {}; commands run only in a running one",
                                                 id, state ? state->status : "gone"));
  if (o.opts.detach) return start(context, found.driver, o, id);
  const Command command = found.driver.command("exec", arguments(found.driver, o, id, context.payload));
  if (!context.globals.dry_run) replace_by(command);
  context.print_plan({command.argv()});
  return 0;
}

CLI::Validator environment() {
  return CLI::Validator(
      [](std::string& value) {
        const std::size_t at = value.find('=');
        return at != std::string::npos && at > 0 ? "" : "'" + value + "' is not NAME=VALUE";
      },
      "");
}

CLI::Validator user_and_group() {
  return CLI::Validator(
      [](std::string& value) {
        const std::string digits = "0123456789";
        const std::size_t at = value.find(':');
        const std::string user = value.substr(0, at),
                          group = at == std::string::npos ? "0" : value.substr(at + 1);
        const bool numbers = !user.empty() && !group.empty() && user.size() < 11 && group.size() < 11 &&
                             (user + group).find_first_not_of(digits) == std::string::npos;
        return numbers ? ""
                       : "'" + value + "' is not UID or UID:GID; names are known only inside the container";
      },
      "");
}

CLI::Validator descriptors() {
  return CLI::Validator(
      [](std::string& value) {
        const bool good =
            !value.empty() && value.size() < 4 && value.find_first_not_of("0123456789") == std::string::npos;
        return good ? "" : "'" + value + "' is not a number from 0 to 999";
      },
      "");
}

}  // namespace

Action declare_exec(CLI::App& app) {
  auto o = std::make_shared<ExecOptions>();
  app.add_option("--cwd", o->opts.cwd, "the directory to run it in, of the container's")->type_name("PATH");
  app.add_option("-u,--user", o->opts.user, "as whom: UID or UID:GID")
      ->type_name("USER")
      ->check(user_and_group());
  app.add_option("-e,--env", o->opts.env, "an environment variable for it: NAME=VALUE; repeatable")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(environment());
  app.add_flag("-t,--tty", o->opts.tty, "give it the terminal of the caller (by itself when there is one)");
  app.add_flag("-d,--detach", o->opts.detach, "return when it runs; it has no input and its output is lost");
  app.add_option("--pid-file", o->opts.pid_file, "file to write its pid to")->type_name("FILE");
  app.add_option("--preserve-fds", o->opts.preserve_fds, "hand N more descriptors down, from 3 on")
      ->type_name("N")
      ->check(descriptors());
  app.add_option("ID", o->id, "container")->required();
  return [o](Context& context) { return exec_in(context, *o); };
}

}  // namespace ckpt
