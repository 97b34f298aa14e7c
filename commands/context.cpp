// Finding runtimes and containers for the commands.
#include "commands/context.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include "commands/engine_names.h"
#include "runtimes/engines.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/program.h"
#include "runtimes/roots.h"
#include "runtimes/spec.h"
#include "runtimes/suggest.h"
#include "runtimes/trust.h"
#include "runtimes/wrapper.h"

namespace ckpt {
namespace {

struct Candidate {
  RuntimeKind kind;
  std::string root;
  std::optional<Record> record;
  bool held;
};

std::string describe(const Candidate& c) {
  return fmt::format("{} in '{}'", table_of(c.kind).name, c.root);
}

bool wanted(const Globals& globals, RuntimeKind kind, const std::string& root) {
  if (globals.runtime && table_of(kind).name != *globals.runtime) return false;
  return !globals.root || absolute_path(*globals.root) == fs::path(root);
}

std::vector<std::string> extra_roots(const Globals& globals) {
  if (!globals.root) return {};
  return {absolute_path(*globals.root).string()};
}

std::vector<Candidate> candidates(const Globals& globals, const Records& records, const std::string& id) {
  std::vector<Candidate> found;
  const auto known = [&](RuntimeKind kind, const std::string& root) {
    return std::any_of(found.begin(), found.end(),
                       [&](const Candidate& c) { return c.kind == kind && c.root == root; });
  };
  for (const Record& record : records.of_id(id))
    if (wanted(globals, record.target.kind, record.target.root))
      found.push_back({record.target.kind, record.target.root, record, holds(record.target, id)});
  for (const Root& root : known_roots(extra_roots(globals)))
    for (const RuntimeKind kind : holders(root.path, id))
      if (wanted(globals, kind, root.path) && !known(kind, root.path))
        found.push_back({kind, root.path, std::nullopt, true});
  return found;
}

/// --runtime, else whose name the program of --runtime-path has (/opt/crun-1.28), else the first that is
/// installed.
const RuntimeTable& chosen_runtime(const Globals& globals) {
  if (globals.runtime) return *runtime_named(*globals.runtime);
  const std::string named = fs::path(globals.runtime_path.value_or("")).filename().string();
  for (const RuntimeTable* row : all_runtimes())
    if (named.starts_with(row->name)) return *row;
  for (const RuntimeTable* row : all_runtimes())
    if (find_program(row->name)) return *row;
  throw Error(ErrorCode::unsupported, "none of runc, crun and runsc is installed")
      .with_hint("install one, or name it with --runtime and --runtime-path");
}

}  // namespace

std::string runtime_binary(const Globals& globals, const RuntimeTable& table, const std::string& remembered) {
  const std::string name(table.name);
  if (globals.runtime_path) {
    if (auto path = find_program(*globals.runtime_path)) return *path;
    throw Error(ErrorCode::unsupported, fmt::format("there is no program '{}'", *globals.runtime_path));
  }
  if (!remembered.empty() && find_program(remembered)) return remembered;
  if (auto path = find_program(name)) return *path;
  throw Error(ErrorCode::unsupported, fmt::format("{} is not installed", name))
      .with_runtime(name)
      .with_hint(fmt::format("install it, or name it with --runtime-path; looked in {}", search_path()));
}

std::string engine_program(Prober& prober, RuntimeKind kind, const std::string& root, const std::string& id) {
  const auto engine = engine_of(bundle_in_state(kind, root, id));
  const auto program = engine ? find_program(engine->runtime_binary) : std::nullopt;
  if (!program || !is_trusted(*program)) return "";
  if (!is_wrapper(*program)) return *program;
  try {
    return runtime_behind(prober, *program).value_or("");
  } catch (const Error& error) {
    if (error.code == ErrorCode::interrupted) throw;
    return "";  // its configuration cannot be read: the runtime in PATH will do
  }
}

std::vector<EngineName> engine_names(const Context& context) {
  std::vector<EngineName> names;
  for (const Root& root : known_roots(extra_roots(context.globals)))
    for (const RuntimeKind kind : root.kinds)
      if (wanted(context.globals, kind, root.path))
        for (const std::string& id : ids_in(root.path))
          if (const auto engine = engine_of(bundle_in_state(kind, root.path, id)))
            names.push_back(name_of(id, *engine));
  return names;
}

std::optional<std::string> id_called(const std::vector<EngineName>& names, const std::string& name) {
  std::set<std::string> exact, ids;
  for (const EngineName& one : names) {
    if (one.full == name) exact.insert(one.id);
    if (one.full == name || one.container == name) ids.insert(one.id);
  }
  if (!exact.empty()) ids = std::move(exact);
  if (ids.size() > 1)
    throw Error(ErrorCode::conflict, fmt::format("there are {} containers that their engines call '{}': {}",
                                                 ids.size(), printable(name), fmt::join(ids, ", ")))
        .with_hint("name one by its id");
  return ids.empty() ? std::nullopt : std::optional(*ids.begin());
}

std::string id_of(const Context& context, const std::string& name) {
  const bool may_be_id = valid_id(name);
  if (may_be_id && !candidates(context.globals, context.records, name).empty()) return name;
  if (const auto id = name.empty() ? std::nullopt : id_called(engine_names(context), name)) return *id;
  try {
    validate_id(name);
  } catch (Error& error) {
    if (name.find('/') != std::string::npos) error.hint += "; no engine has a container of that name either";
    throw;
  }
  return name;
}

Driver Context::driver_for_new(std::optional<RuntimeKind> kind, const std::optional<Target>& before) const {
  const RuntimeTable& table = kind ? table_of(*kind) : chosen_runtime(globals);
  Target target =
      before.value_or(Target{.kind = table.kind, .path = {}, .root = std::string(table.default_root)});
  target.path = runtime_binary(globals, table, target.path);
  if (globals.root) target.root = absolute_path(*globals.root).string();
  if (globals.platform) target.platform = globals.platform;
  if (!globals.runtime_args.empty()) target.runtime_args = globals.runtime_args;
  heed_criu_argument(target.runtime_args);
  if (globals.platform && table.kind != RuntimeKind::runsc)
    throw Error(ErrorCode::unsupported, fmt::format("--platform is runsc's; {} has none", table.name));
  return {runner, prober, std::move(target), timeout_or(std::chrono::seconds(30))};
}

Found Context::find(const std::string& id) const {
  validate_id(id);
  std::vector<Candidate> found = candidates(globals, records, id);
  // A record whose container is gone does not compete with one that is there.
  if (std::any_of(found.begin(), found.end(), [](const Candidate& c) { return c.held; }))
    std::erase_if(found, [](const Candidate& c) { return !c.held; });
  if (found.empty()) throw no_container(id);
  if (found.size() > 1) {
    std::vector<std::string> names;
    for (const Candidate& c : found) names.push_back(describe(c));
    throw Error(ErrorCode::conflict,
                fmt::format("there are {} containers '{}': {}", found.size(), id, fmt::join(names, ", ")))
        .with_hint("name one with --runtime and --root");
  }
  const Candidate& one = found.front();
  Target target = one.record ? one.record->target
                             : Target{.kind = one.kind,
                                      .path = engine_program(prober, one.kind, one.root, id),
                                      .root = one.root};
  target.path = runtime_binary(globals, table_of(one.kind), target.path);
  if (!globals.runtime_args.empty()) target.runtime_args = globals.runtime_args;
  heed_criu_argument(target.runtime_args);
  if (globals.platform) target.platform = globals.platform;
  return {Driver(runner, prober, std::move(target), timeout_or(std::chrono::seconds(30))), one.record,
          one.held};
}

std::set<std::string> Context::known_ids() const {
  std::set<std::string> ids;
  const std::vector<std::string> only = extra_roots(globals);
  for (const Root& root : known_roots(only)) {
    if (!only.empty() && root.path != only.front()) continue;
    for (const std::string& id : ids_in(root.path)) ids.insert(id);
  }
  for (const Record& record : records.all())
    if (only.empty() || record.target.root == only.front()) ids.insert(record.id);
  return ids;
}

Error Context::no_container(const std::string& id) const {
  std::set<std::string> ids = known_ids();
  ids.erase(id);
  return Error(ErrorCode::not_found,
               fmt::format("there is no container '{}'{}", id, did_you_mean(id, {ids.begin(), ids.end()})))
      .with_hint(::geteuid() == 0
                     ? "'ckpt list' shows those of every known root; another root is named with --root"
                     : "only root sees the containers of every root; try again with sudo");
}

std::optional<std::chrono::milliseconds> Context::timeout_or(std::chrono::milliseconds otherwise) const {
  const std::chrono::milliseconds chosen = globals.timeout.value_or(otherwise);
  return chosen.count() == 0 ? std::nullopt : std::optional(chosen);
}

fs::path Context::lock_file(const Target& target, const std::string& id) const {
  return lock_file(directory_of_root(target.kind, target.root), id);
}

fs::path Context::lock_file(const std::string& root_directory, const std::string& id) const {
  return fs::path(globals.state_dir) / "locks" / root_directory / (id + ".lock");
}

fs::path Context::default_log(const std::string& id) const {
  return fs::path(globals.store) / "logs" / (id + ".log");
}

fs::path Context::scratch() const {
  return fs::path(globals.state_dir) / "tmp" / random_hex(6);
}

void Context::print_plan(const std::vector<Argv>& commands) const {
  if (globals.json) {
    out.document(commands);
    return;
  }
  for (const Argv& command : commands) out.line(shell_quote(command));
}

}  // namespace ckpt
