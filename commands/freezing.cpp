// Pausing and resuming by the runtime, under the container's lock.
#include "commands/freezing.h"

#include "commands/engine_names.h"
#include "commands/recovery.h"
#include "commands/several.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

std::string status_of(const Driver& driver, const std::string& id) {
  const auto state = driver.state(id);
  return state ? state->status : "gone";
}

void require(const FreezeVerb& verb, const std::string& id, const std::string& status) {
  if (status == verb.from) return;
  throw Error(ErrorCode::conflict, fmt::format("container '{}' is {}; {}", id, status, verb.only));
}

/// One that a dead ckpt had left paused is resumed by recover().
json do_one(const Context& context, const FreezeVerb& verb, const std::string& name) {
  const std::string id = id_of(context, name);
  const Found found = context.find(id);
  const Driver& driver = found.driver;
  require(verb, id, status_of(driver, id));
  if (context.globals.dry_run) return driver.command(verb.name, {id}).argv();
  ContainerLock lock(context.lock_file(driver.target(), id), verb.name, std::chrono::milliseconds(0));
  recover(context, driver, id, lock);
  const std::string now = status_of(driver, id);
  if (now != verb.to) {
    require(verb, id, now);
    driver.do_verb(verb.name, {id});
  }
  return {{"id", id}, {"status", verb.to}};
}

}  // namespace

int freeze_or_thaw(Context& context, const FreezeVerb& verb, const std::vector<std::string>& names) {
  json done = json::array();
  const auto tell = [&] {
    if (context.globals.dry_run) {
      std::vector<Argv> plan;
      for (const json& argv : done) plan.push_back(argv.get<Argv>());
      context.print_plan(plan);
    } else if (context.globals.json && !done.empty()) {
      context.out.document(names.size() == 1 ? done[0] : done);
    }
  };
  try {
    each_on_its_own(names, [&](const std::string& name) { done.push_back(do_one(context, verb, name)); });
  } catch (const Error&) {
    if (!context.globals.dry_run) tell();
    throw;
  }
  tell();
  return 0;
}

}  // namespace ckpt
