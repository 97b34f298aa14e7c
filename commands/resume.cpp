// ckpt resume ID...: lets a paused container go on, whoever paused it.
#include "commands/freezing.h"
#include "commands/verbs.h"

namespace ckpt {

Action declare_resume(CLI::App& app) {
  auto ids = std::make_shared<std::vector<std::string>>();
  app.add_option("ID", *ids, "containers to resume")->required();
  return [ids](Context& context) {
    return freeze_or_thaw(context, {"resume", "paused", "running", "only a paused one can be resumed"}, *ids);
  };
}

}  // namespace ckpt
