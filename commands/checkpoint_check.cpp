// Going through the steps of a plan, past those that fail.
#include "commands/checkpoint_check.h"

#include <fmt/ranges.h>

#include "commands/checks.h"
#include "commands/engine_names.h"
#include "commands/judgement.h"
#include "commands/pre_copy.h"
#include "images/retention.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

struct Checked {
  std::string id, runtime;
  std::vector<Check> checks;
  std::vector<Choice> choices;
  ErrorCode code = ErrorCode::conflict;  ///< of the first that fails
};

class Checker {
 public:
  Checker(const Context& context, const CheckRequest& request, CheckpointPlan plan)
      : context_(context), request_(request), plan_(std::move(plan)) {}

  Checked run() {
    add(obstacles_of(plan_));
    look_closer_at_it();
    judge();
    choose_options(plan_);
    if (request_.opts.engine)
      step(
          "engine", [&] { choose_engine(context_, plan_); }, [&] { return engine_found(); });
    step(
        "gpu", [&] { choose_gpu(context_, request_.cuda, plan_); }, [&] { return gpu_found(); });
    step(
        "runtime", [&] { choose_strategy(context_, plan_), take_options(); },
        [&] { return runtime_found(); });
    if (request_.pre_copy)
      step(
          "pre-copy", [&] { require_pre_copy(context_, plan_); }, [] { return "this kernel tracks memory"; });
    checked_.id = plan_.id();
    checked_.runtime = plan_.driver().table().name;
    checked_.choices = plan_.choices;
    return std::move(checked_);
  }

 private:
  void add(std::vector<Check> checks) {
    for (Check& check : checks) checked_.checks.push_back(std::move(check));
  }

  void look_closer_at_it() {
    const bool visible = plan_.driver().table().shares_host_kernel;
    const CloserFindings found = visible ? look_closer(plan_.state.pid) : CloserFindings{};
    if (visible) add(closer_obstacles_of(plan_, found));
    const std::uint64_t memory = visible ? found.memory : dumped_memory({plan_.state.pid});
    checked_.checks.push_back(
        room_for(plan_.id(), memory, space_of(request_.place).free, request_.place.string()));
  }

  /// What could not come back; of a container that goes on it is a warning.
  void judge() {
    const bool refused = !plan_.force && plan_.stop;
    for (const CheckedItem& item : judge_running(plan_)) {
      const bool fails = refused && item.verdict == CheckedItem::Verdict::fails;
      if (fails && failing(checked_.checks).empty()) checked_.code = ErrorCode::host_incompatible;
      checked_.checks.push_back({plan_.id(), item.item, fails ? Check::Status::fails : Check::Status::warning,
                                 item.reason, item.hint, ""});
    }
  }

  /// One that throws is a check that fails.
  template <class Do, class Found>
  void step(const char* name, Do&& act, Found&& found) {
    Check check{.area = plan_.id(), .name = name, .status = Check::Status::ok};
    try {
      act();
      check.found = found();
    } catch (const Error& error) {
      if (error.code == ErrorCode::interrupted) throw;
      if (failing(checked_.checks).empty()) checked_.code = error.code;
      check.status = Check::Status::fails;
      check.found = error.message;
      check.fix = error.hint;
    }
    checked_.checks.push_back(std::move(check));
  }

  void take_options() {
    plan_.opts.image_path = request_.place.string();
    deliver(plan_);
  }

  std::string engine_found() const {
    return plan_.cedana ? fmt::format("cedana {}, its daemon runs", plan_.cedana->version) : "criu";
  }

  std::string gpu_found() const {
    if (plan_.gpu.processes.empty()) return "no CUDA process";
    return fmt::format("{} CUDA processes, frozen by: {}", plan_.gpu.processes.size(),
                       name_of(plan_.gpu.strategy));
  }

  std::string runtime_found() const {
    const std::string criu = plan_.criu_version.empty() ? "" : " with CRIU " + plan_.criu_version;
    return fmt::format("{} {}{} takes the options", plan_.driver().table().name,
                       plan_.driver().dialect("checkpoint").version, criu);
  }

  const Context& context_;
  const CheckRequest& request_;
  CheckpointPlan plan_;
  Checked checked_;
};

json to_json(const Checked& one, bool explain) {
  json checks = json::array(), options = json::array();
  for (const Check& check : one.checks) {
    checks.push_back(to_json(check));
    checks.back().erase("area");
  }
  for (const Choice& choice : one.choices)
    options.push_back({{"option", choice.option}, {"why", choice.why}});
  json document = {{"id", one.id}, {"runtime", one.runtime}, {"checks", checks}};
  if (explain) document["options"] = options;
  return document;
}

void show(const Context& context, const std::vector<Checked>& all, bool explain) {
  std::vector<Check> checks;
  std::vector<std::vector<std::string>> rows;
  for (const Checked& one : all) {
    checks.insert(checks.end(), one.checks.begin(), one.checks.end());
    for (const Choice& choice : one.choices) rows.push_back({one.id, choice.option, choice.why});
  }
  show_checks(context.out, "CONTAINER", checks);
  if (!explain) return;
  context.out.line("");
  context.out.table({"CONTAINER", "CHOSEN", "WHY"}, rows);
}

}  // namespace

void check_containers(const Context& context, const CheckRequest& request,
                      const std::vector<std::string>& ids) {
  std::vector<Checked> all;
  for (const std::string& name : ids) {
    const std::string id = id_of(context, name);
    CheckpointPlan plan = begin_plan(request.opts, context.find(id), id);
    plan.force = request.force;
    all.push_back(Checker(context, request, std::move(plan)).run());
  }
  json document = json::array();
  for (const Checked& one : all) document.push_back(to_json(one, request.explain_flags));
  if (context.globals.json)
    context.out.document(ids.size() == 1 ? document[0] : document);
  else
    show(context, all, request.explain_flags);
  for (const Checked& one : all) {
    const std::vector<std::string> failed = failing(one.checks);
    if (failed.empty()) continue;
    throw Error(one.code,
                fmt::format("container '{}' cannot be checkpointed: {} of {} checks {}", one.id,
                            failed.size(), one.checks.size(), failed.size() == 1 ? "fails" : "fail"))
        .with_runtime(one.runtime);
  }
}

void explain_choices(const Context& context, const CheckpointPlan& plan) {
  for (const Choice& choice : plan.choices)
    context.out.note(fmt::format("container '{}': {}: {}", plan.id(), choice.option, choice.why));
}

}  // namespace ckpt
