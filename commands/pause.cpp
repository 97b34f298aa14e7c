// ckpt pause ID...: stops all processes of a container where they are, until `ckpt resume`.
#include "commands/freezing.h"
#include "commands/verbs.h"

namespace ckpt {

Action declare_pause(CLI::App& app) {
  auto ids = std::make_shared<std::vector<std::string>>();
  app.add_option("ID", *ids, "containers to pause")->required();
  return [ids](Context& context) {
    return freeze_or_thaw(context, {"pause", "running", "paused", "only a running one can be paused"}, *ids);
  };
}

}  // namespace ckpt
