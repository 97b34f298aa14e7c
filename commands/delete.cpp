// ckpt delete [--force] ID: what the runtime and ckpt keep of a container; never its checkpoints or its log.
#include "commands/engine_names.h"
#include "commands/guarding.h"
#include "commands/options.h"
#include "commands/recovery.h"
#include "commands/verbs.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/remains.h"
#include "runtimes/roots.h"

namespace ckpt {
namespace {

struct DeleteOptions {
  std::string id;
  bool force = false;
};

std::optional<ContainerState> require_deletable(const Driver& driver, const DeleteOptions& o) {
  auto state = driver.state(o.id);
  if (!state || o.force || state->status == "stopped" || state->status == "created") return state;
  throw Error(ErrorCode::conflict, fmt::format("container '{}' is {}", o.id, state->status))
      .with_hint(fmt::format("stop it with 'ckpt kill {} KILL', or use --force", o.id));
}

/// What a dead ckpt left is put right first; a container that cannot be resumed or thawed, or at which a
/// runtime hangs that was left behind, can still be removed.
void recover_or_remove(const Context& context, const Driver& driver, const DeleteOptions& o,
                       ContainerLock& lock) {
  constexpr std::chrono::seconds kPatience(10);
  if (!o.force) return recover(context, driver, o.id, lock);
  try {
    recover(context, driver, o.id, lock, kPatience);
  } catch (const Error& error) {
    if (error.code == ErrorCode::interrupted) throw;
    context.out.warn(error.message);
    driver.remove(o.id, true);
    recover(context, driver, o.id, lock, kPatience);
  }
}

int report(const Context& context, const std::string& id, bool deleted) {
  if (context.globals.json && context.globals.dry_run) context.print_plan({});
  if (context.globals.json && !context.globals.dry_run)
    context.out.document({{"id", id}, {"deleted", deleted}});
  return 0;
}

/// No runtime knows the container, and its id is taken all the same.
bool delete_half_made(const Context& context, const std::string& id) {
  std::vector<std::string> only;
  if (context.globals.root) only.push_back(absolute_path(*context.globals.root).string());
  bool any = false;
  for (const Root& root : known_roots(only)) {
    if ((!only.empty() && root.path != only.front()) || !half_made(root.path, id)) continue;
    any = true;
    if (context.globals.dry_run) continue;
    remove_half_made(root.path, id);
    context.out.warn(fmt::format("removed what a killed runtime had left of '{}' in '{}'", id, root.path));
  }
  return any;
}

int delete_container(Context& context, DeleteOptions o) {
  o.id = id_of(context, o.id);
  std::optional<Found> found;
  try {
    found.emplace(context.find(o.id));
  } catch (const Error& error) {
    if (o.force && error.code == ErrorCode::not_found)
      return report(context, o.id, delete_half_made(context, o.id));
    throw;
  }
  const Driver& driver = found->driver;
  if (context.globals.dry_run) {
    if (!found->held) return report(context, o.id, true);
    require_deletable(driver, o);
    context.print_plan({driver.command("delete", {"--force", o.id}).argv()});
    return 0;
  }
  ContainerLock lock(context.lock_file(driver.target(), o.id), "delete", std::chrono::milliseconds(0));
  if (found->held) {
    recover_or_remove(context, driver, o, lock);
    const auto state = require_deletable(driver, o);
    if (state && state->status == "paused") kill_frozen(driver, *state);
    driver.remove(o.id, true);
  } else if (driver.table().shares_host_kernel) {
    remove_half_made(driver.target().root, o.id);
  }
  if (found->record) {
    wait_for_monitor(*found->record, 10'000);
    context.records.remove(*found->record);
  }
  return report(context, o.id, true);
}

}  // namespace

Action declare_delete(CLI::App& app) {
  auto o = std::make_shared<DeleteOptions>();
  app.add_flag("-f,--force", o->force, "kill it first when it runs; no error when there is none");
  app.add_option("ID", o->id, "container")->required();
  return [o](Context& context) { return delete_container(context, *o); };
}

}  // namespace ckpt
