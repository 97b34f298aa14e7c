// ckpt kill ID [SIGNAL]: a signal to the container's first process, SIGTERM unless another is named.
#include "commands/engine_names.h"
#include "commands/parse.h"
#include "commands/verbs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

struct KillOptions {
  std::string id, signal = "TERM";
};

int kill_container(Context& context, KillOptions o) {
  o.id = id_of(context, o.id);
  const std::string signal = parse_signal(o.signal);
  const Found found = context.find(o.id);
  const auto state = found.driver.state(o.id);
  if (!state || state->status == "stopped")
    throw Error(ErrorCode::conflict, fmt::format("container '{}' is {}; there is no process to signal", o.id,
                                                 state ? "stopped" : "gone"));
  if (context.globals.dry_run) {
    context.print_plan({found.driver.command("kill", {o.id, signal}).argv()});
    return 0;
  }
  found.driver.kill(o.id, signal);
  if (context.globals.json) context.out.document({{"id", o.id}, {"signal", signal}});
  return 0;
}

}  // namespace

Action declare_kill(CLI::App& app) {
  auto o = std::make_shared<KillOptions>();
  app.add_option("ID", o->id, "container")->required();
  app.add_option("SIGNAL", o->signal, "name or number (default: TERM)");
  return [o](Context& context) { return kill_container(context, *o); };
}

}  // namespace ckpt
