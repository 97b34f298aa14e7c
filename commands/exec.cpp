// ckpt exec ID -- CMD...: replaces itself by the runtime's exec, so that streams, signals and status are its
// own.
#include <signal.h>
#include <unistd.h>

#include <vector>

#include "commands/verbs.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

Argv exec_args(const Driver& driver, const std::string& id, const std::vector<std::string>& payload) {
  Argv args;
  if (::isatty(0) != 0 && driver.dialect("exec").flags.has("--tty")) args.emplace_back("--tty");
  args.push_back(id);
  args.insert(args.end(), payload.begin(), payload.end());
  return args;
}

int exec_in(Context& context, const std::string& id) {
  if (context.payload.empty())
    throw Error(ErrorCode::usage, "no command to execute")
        .with_hint(fmt::format("ckpt exec {} -- COMMAND [ARGS...]", id));
  const Found found = context.find(id);
  const auto state = found.driver.state(id);
  if (!state || state->status != "running")
    throw Error(ErrorCode::conflict, fmt::format("container '{}' is {}; commands run only in a running one",
                                                 id, state ? state->status : "gone"));
  const Command command = found.driver.command("exec", exec_args(found.driver, id, context.payload));
  if (context.globals.dry_run) {
    context.print_plan({command.argv()});
    return 0;
  }
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

}  // namespace

Action declare_exec(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("ID", *id, "container")->required();
  return [id](Context& context) { return exec_in(context, *id); };
}

}  // namespace ckpt
