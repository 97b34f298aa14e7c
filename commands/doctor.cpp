// ckpt doctor: what on this host would stop a checkpoint or a restore, one line each, and what helps.
#include "commands/doctor.h"

#include <fmt/ranges.h>

#include "commands/checks.h"
#include "commands/container_state.h"
#include "commands/options.h"
#include "commands/verbs.h"
#include "gpu/checkup.h"
#include "runtimes/distribution.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Status = Check::Status;

struct DoctorOptions {
  bool fix_hints = false;
};

/// Told where there are some, and a crun that they are no good for.
std::vector<Check> check_foreign_hierarchies(const HostState& host) {
  const CheckedItem item = check_hierarchies(read_file("/proc/self/cgroup", 1U << 20U).value_or(""));
  const bool crun = std::any_of(host.runtimes.begin(), host.runtimes.end(), [](const RuntimeState& one) {
    return one.kind == RuntimeKind::crun && !one.program.path.empty();
  });
  if (item.verdict == CheckedItem::Verdict::same || !crun) return {};
  return {{"kernel", "hierarchies", Status::warning, item.reason, item.hint, ""}};
}

std::vector<Check> all_checks(const Context& context) {
  const HostState host = look_at_state(context);
  std::vector<Check> checks = check_host_state(host);
  for (Check& check : check_foreign_hierarchies(host)) checks.push_back(std::move(check));
  for (Check& check : check_gpus(look_at_gpus(context))) checks.push_back(std::move(check));
  return checks;
}

std::vector<std::string> hints_for(const std::vector<Check>& checks) {
  std::set<std::string> missing;
  for (const Check& check : checks)
    if (check.status != Status::ok && !check.missing.empty()) missing.insert(check.missing);
  for (const char* file : {"/etc/os-release", "/usr/lib/os-release"})
    if (const auto text = read_file(file)) return install_commands(distribution_of(*text), missing);
  return install_commands({}, missing);
}

/// What was shown is the answer; that something fails is the exit status, and a sentence.
void require_good(const std::vector<Check>& checks) {
  const std::vector<std::string> failed = failing(checks);
  if (failed.empty()) return;
  throw Error(ErrorCode::unsupported,
              fmt::format("{} of {} checks {}: {}", failed.size(), checks.size(),
                          failed.size() == 1 ? "fails" : "fail", fmt::join(failed, ", ")))
      .with_hint("'ckpt doctor --fix-hints' has the commands that install what is missing");
}

int examine(const Context& context, const DoctorOptions& o) {
  const std::vector<Check> checks = all_checks(context);
  const std::vector<std::string> hints = o.fix_hints ? hints_for(checks) : std::vector<std::string>{};
  if (context.globals.json) {
    json document = {{"checks", json::array()}};
    for (const Check& check : checks) document["checks"].push_back(to_json(check));
    if (o.fix_hints) document["fix_hints"] = hints;
    context.out.document(document);
  } else if (o.fix_hints) {
    for (const std::string& hint : hints) context.out.line(hint);
  } else {
    show_checks(context.out, "AREA", checks);
  }
  require_good(checks);
  return 0;
}

}  // namespace

Action declare_doctor(CLI::App& app) {
  auto o = std::make_shared<DoctorOptions>();
  app.add_flag("--fix-hints", o->fix_hints, "print only the commands that install what is missing");
  return [o](Context& context) { return examine(context, *o); };
}

}  // namespace ckpt
