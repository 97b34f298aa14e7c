// ckpt gpu-thaw ID: brings back CUDA processes that somebody left locked or checkpointed.
#include "commands/engine_names.h"
#include "commands/gpu.h"
#include "commands/options.h"
#include "commands/recovery.h"
#include "commands/verbs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

int thaw(Context& context, const std::string& id) {
  const Found found = context.find(id);
  const auto state = found.driver.state(id);
  if (!state || state->status != "running")
    throw Error(ErrorCode::conflict,
                fmt::format("container '{}' is {}; only in a running one are processes to thaw", id,
                            state ? state->status : "gone"));
  const json spec = spec_of_container(*state);
  if (context.globals.dry_run) {
    context.print_plan(planned_thaw(context, found.driver, *state, spec));
    return 0;
  }
  ContainerLock lock(context.lock_file(found.driver.target(), id), "gpu-thaw", std::chrono::milliseconds(0));
  recover(context, found.driver, id, lock);
  std::vector<CudaStep> steps;
  const std::vector<GpuHolder> thawed = thaw_container(context, found.driver, *state, spec, steps);
  say_steps(context, steps);
  if (context.globals.json) {
    json pids = json::array();
    for (const GpuHolder& process : thawed) pids.push_back(process.pid);
    context.out.document({{"id", id}, {"thawed", pids}, {"steps", steps_json(steps)}});
  } else {
    for (const GpuHolder& process : thawed) context.out.line(fmt::format("{}", process.pid));
  }
  return 0;
}

}  // namespace

Action declare_gpu_thaw(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("ID", *id, "container")->required();
  return [id](Context& context) { return thaw(context, id_of(context, *id)); };
}

}  // namespace ckpt
