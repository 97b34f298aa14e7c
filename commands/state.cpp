// ckpt state ID: one container as JSON, the OCI state with what ckpt knows besides.
#include "commands/engine_names.h"
#include "commands/guarding.h"
#include "commands/verbs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

int show_state(Context& context, const std::string& id) {
  const Found found = context.find(id);
  const auto state = found.driver.state(id);
  const auto exit = found.record ? context.records.exit(*found.record) : std::nullopt;
  if (!state && (!exit || exit->checkpointed_to.empty())) throw context.no_container(id);
  json out = {{"ociVersion", "1.0.2"},
              {"id", id},
              {"status", state ? state->status : "checkpointed"},
              {"pid", state ? state->pid : 0},
              {"bundle", found.record ? found.record->bundle : state->bundle},
              {"runtime", found.driver.table().name},
              {"root", found.driver.target().root}};
  if (exit && exit->status && exit->checkpointed_to.empty()) out["exit_status"] = *exit->status;
  if (exit && !exit->checkpointed_to.empty()) out["checkpoint"] = exit->checkpointed_to;
  if (state && left_paused(context, found.driver.target(), id, state->status)) {
    out["left_paused"] = true;
    context.out.warn(left_paused_text(id));
  }
  context.out.document(out);
  return 0;
}

}  // namespace

Action declare_state(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("ID", *id, "container")->required();
  return [id](Context& context) { return show_state(context, id_of(context, *id)); };
}

}  // namespace ckpt
