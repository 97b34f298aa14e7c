// ckpt list: the containers of every root we know, asked in parallel; what could not be read is said.
#include <unistd.h>

#include <future>

#include "commands/engine_names.h"
#include "commands/guarding.h"
#include "commands/listing.h"
#include "commands/options.h"
#include "commands/verbs.h"
#include "images/store.h"
#include "runtimes/engines.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/roots.h"

namespace ckpt {
namespace {

using nlohmann::json;

struct Answer {
  Root root;
  RuntimeKind kind;
  std::vector<ContainerState> states;
  std::string error;
};

/// What ckpt called there before, else what an engine does.
std::string known_binary(const Context& context, RuntimeKind kind, const std::string& root,
                         const std::vector<Record>& records) {
  std::string remembered;
  for (const Record& record : records)
    if (record.target.kind == kind && record.target.root == root) remembered = record.target.path;
  if (!remembered.empty()) return remembered;
  const std::set<std::string> ids = ids_in(root);
  return ids.empty() ? "" : engine_program(context.prober, kind, root, *ids.begin());
}

Answer ask(const Context& context, const Root& root, RuntimeKind kind, const std::string& binary) {
  Answer answer{.root = root, .kind = kind, .states = {}, .error = {}};
  try {
    const Target target{
        .kind = kind, .path = runtime_binary(context.globals, table_of(kind), binary), .root = root.path};
    answer.states =
        Driver(context.runner, context.prober, target, context.timeout_or(std::chrono::seconds(30))).list();
  } catch (const Error& error) {
    if (error.code == ErrorCode::interrupted) throw;
    answer.error = error.message;
  }
  return answer;
}

std::vector<Answer> ask_all(const Context& context, const std::vector<Record>& records) {
  std::vector<std::string> extra;
  for (const Record& record : records) extra.push_back(record.target.root);
  if (context.globals.root) extra = {absolute_path(*context.globals.root).string()};
  std::vector<std::future<Answer>> asked;
  std::vector<Answer> answers;
  for (const Root& root : known_roots(extra)) {
    if (context.globals.root && root.path != extra.front()) continue;
    if (!root.error.empty()) answers.push_back({root, RuntimeKind::runc, {}, {}});
    for (const RuntimeKind kind : root.kinds)
      if (!context.globals.runtime || table_of(kind).name == *context.globals.runtime)
        asked.push_back(
            std::async(std::launch::async,
                       [&context, root, kind, binary = known_binary(context, kind, root.path, records)] {
                         return ask(context, root, kind, binary);
                       }));
  }
  for (std::future<Answer>& one : asked) answers.push_back(one.get());
  return answers;
}

std::string last_checkpoint(const Context& context, const std::string& id) {
  const std::vector<fs::path> checkpoints = complete_checkpoints(context.globals.store, id);
  return checkpoints.empty() ? "" : id + "@" + checkpoints.back().filename().string();
}

Listed row_of(const Context& context, const Answer& answer, const ContainerState& state,
              const std::vector<Record>& records) {
  Listed row{.id = state.id,
             .runtime = std::string(table_of(answer.kind).name),
             .root = answer.root.path,
             .status = state.status,
             .bundle = state.bundle,
             .created = state.created,
             .last_checkpoint = last_checkpoint(context, state.id),
             .pid = state.pid,
             .engine = engine_of(state.bundle),
             .left_paused = left_paused(context, {.kind = answer.kind, .path = {}, .root = answer.root.path},
                                        state.id, state.status)};
  for (const Record& record : records)
    if (record.id == state.id && record.target.kind == answer.kind &&
        record.target.root == answer.root.path) {
      row.bundle = record.bundle;
      row.gpu = record.gpus;
      if (row.created.empty()) row.created = record.created;
    }
  return row;
}

/// With --all: those that a checkpoint stopped; no runtime knows them any more.
void add_checkpointed(const Context& context, const std::vector<Record>& records, std::vector<Listed>& rows) {
  for (const Record& record : records) {
    const auto exit = context.records.exit(record);
    if (!exit || exit->checkpointed_to.empty() || holds(record.target, record.id)) continue;
    rows.push_back({.id = record.id,
                    .runtime = std::string(table_of(record.target.kind).name),
                    .root = record.target.root,
                    .status = "checkpointed",
                    .bundle = record.bundle,
                    .created = record.created,
                    .last_checkpoint = exit->checkpointed_to});
  }
}

json text(const std::string& value) {
  return value.empty() ? json() : json(value);
}

json to_json(const Engine& engine) {
  return {{"name", engine.name},
          {"namespace", text(engine.space)},
          {"pod", text(engine.pod)},
          {"container", engine.container}};
}

json to_json(const Listed& row) {
  json document = {{"id", row.id},
                   {"runtime", row.runtime},
                   {"root", row.root},
                   {"status", row.status},
                   {"pid", row.pid},
                   {"bundle", text(row.bundle)},
                   {"created", text(row.created)},
                   {"gpu", row.gpu ? json(*row.gpu) : json()},
                   {"last_checkpoint", text(row.last_checkpoint)}};
  if (row.engine) document["engine"] = to_json(*row.engine);
  if (row.left_paused) document["left_paused"] = true;
  return document;
}

/// Whose they are is shown where one is an engine's.
void show_table(const Context& context, const std::vector<Listed>& rows) {
  const bool engines = std::any_of(rows.begin(), rows.end(), [](const Listed& row) { return row.engine; });
  std::vector<std::string> heading = {"ID", "RUNTIME", "STATUS", "PID", "ROOT", "LAST CHECKPOINT"};
  if (engines) heading.insert(heading.end(), {"ENGINE", "NAME"});
  std::vector<std::vector<std::string>> cells;
  for (const Listed& row : rows) {
    cells.push_back({row.id, row.runtime, row.status, row.pid > 0 ? fmt::format("{}", row.pid) : "-",
                     row.root, row.last_checkpoint.empty() ? "-" : row.last_checkpoint});
    if (engines)
      cells.back().insert(cells.back().end(), {row.engine ? row.engine->name : "-",
                                               row.engine ? plain(full_name(*row.engine)) : "-"});
  }
  context.out.table(heading, cells);
}

void show(const Context& context, const std::vector<Listed>& rows) {
  if (context.globals.json) {
    json document = json::array();
    for (const Listed& row : rows) document.push_back(to_json(row));
    context.out.document(document);
  } else if (context.globals.quiet) {
    for (const Listed& row : rows) context.out.line(row.id);
  } else {
    show_table(context, rows);
  }
}

void note_foreign(const Context& context) {
  if (context.globals.root) return;
  if (const std::vector<std::string> foreign = foreign_roots(); !foreign.empty())
    context.out.note(fmt::format(
        "containers in {} of other users are not shown, '{}' {}; --root shows those of one",
        foreign.size() == 1 ? "a state directory" : fmt::format("{} state directories", foreign.size()),
        foreign.front(), foreign.size() == 1 ? "it is" : "is one"));
}

int list_containers(Context& context, const ListFilter& filter) {
  const std::vector<Listed> rows = listed(context, filter);
  for (const Listed& row : rows)
    if (row.left_paused) context.out.warn(left_paused_text(row.id));
  show(context, rows);
  note_foreign(context);
  return 0;
}

}  // namespace

std::vector<Listed> listed(const Context& context, const ListFilter& filter) {
  if (context.globals.runtime_path)
    runtime_binary(context.globals, runc_table());  // a wrong one is no warning
  const std::vector<Record> records = context.records.all();
  std::vector<Listed> rows;
  for (const Answer& answer : ask_all(context, records)) {
    if (!answer.root.error.empty())
      context.out.warn(fmt::format("could not read '{}': {}", answer.root.path, answer.root.error));
    else if (!answer.error.empty())
      context.out.warn(fmt::format("could not list {} in '{}': {}", table_of(answer.kind).name,
                                   answer.root.path, answer.error));
    for (const ContainerState& state : answer.states) rows.push_back(row_of(context, answer, state, records));
  }
  if (filter.all) add_checkpointed(context, records, rows);
  std::erase_if(rows, [&](const Listed& row) { return !fits(row, filter); });
  std::sort(rows.begin(), rows.end(),
            [](const Listed& a, const Listed& b) { return std::tie(a.id, a.root) < std::tie(b.id, b.root); });
  return rows;
}

Action declare_list(CLI::App& app) {
  auto o = std::make_shared<ListFilter>();
  app.add_flag("-a,--all", o->all, "also containers that a checkpoint stopped");
  declare_filter(app, *o);
  return [o](Context& context) { return list_containers(context, *o); };
}

}  // namespace ckpt
