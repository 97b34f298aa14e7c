// One table of flags: the runtimes spell them alike, except runsc's descriptors and its terminal.
#include "runtimes/exec_options.h"

#include <fmt/format.h>

#include "runtimes/error.h"

namespace ckpt {
namespace {

class ExecArgs {
 public:
  explicit ExecArgs(const Dialect& dialect) : dialect_(dialect) {}
  void flag(const char* name) {
    if (!dialect_.flags.has(name)) throw cannot_take(dialect_, name, "");
    args.emplace_back(name);
  }
  void value(const char* name, const std::string& text) {
    flag(name);
    args.push_back(text);
  }

  Argv args;

 private:
  const Dialect& dialect_;
};

/// runsc starts itself again for a detached process, and leaves out every word that has "detach" in it.
void require_words_kept(const Dialect& dialect, const std::string& id,
                        const std::vector<std::string>& payload) {
  std::vector<std::string> words = payload;
  words.push_back(id);
  for (const std::string& word : words)
    if (word.find("detach") != std::string::npos)
      throw cannot_take(dialect, fmt::format("the word '{}' with --detach", word),
                        "it loses words with 'detach' in them; put the command into a script");
}

void preserve(const Dialect& dialect, ExecArgs& out, unsigned count) {
  if (dialect.table.kind != RuntimeKind::runsc) return out.value("--preserve-fds", fmt::format("{}", count));
  for (unsigned fd = 3; fd < 3 + count; ++fd) out.value("--pass-fd", fmt::format("{}:{}", fd, fd));
}

}  // namespace

Argv exec_args(const Dialect& dialect, const ExecOpts& opts, const std::string& id,
               const std::vector<std::string>& payload) {
  const bool runsc = dialect.table.kind == RuntimeKind::runsc;
  ExecArgs out(dialect);
  if (opts.cwd) out.value("--cwd", *opts.cwd);
  if (opts.user) out.value("--user", *opts.user);
  for (const std::string& one : opts.env) out.value("--env", one);
  if (opts.tty && !runsc) out.flag("--tty");
  if (opts.detach && runsc) require_words_kept(dialect, id, payload);
  if (opts.detach) out.flag("--detach");
  if (opts.pid_file) out.value("--pid-file", *opts.pid_file);
  if (opts.preserve_fds > 0) preserve(dialect, out, opts.preserve_fds);
  out.args.push_back(id);
  out.args.insert(out.args.end(), payload.begin(), payload.end());
  return out.args;
}

}  // namespace ckpt
