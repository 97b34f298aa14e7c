// Gathering the manifest's facts.
#include "commands/describe.h"

#include "images/criu_facts.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

void describe_spec(const CheckpointPlan& plan, Manifest& m) {
  if (plan.config.empty()) return;
  const nlohmann::json spec = parse_spec(plan.config, plan.state.bundle + "/config.json");
  m.namespaces = spec_namespaces(spec);
  for (const SpecMount& mount : spec_mounts(spec))
    m.mounts.push_back({.destination = mount.destination,
                        .type = mount.type,
                        .source = mount.source,
                        .kind = mount.bind ? kind_of_path(mount.source) : "",
                        .propagation = mount.propagation});
}

void describe_run(const CheckpointPlan& plan, Manifest& m) {
  const std::optional<Record>& record = plan.found.record;
  m.bundle = record ? record->bundle : plan.state.bundle;
  m.log_path = record ? record->log_path : "";
  m.config_digest = record ? record->config_digest : digest_of(plan.config);
  m.terminal = record ? record->terminal : plan.findings.stdio[0] == "tty";
  if (record && record->stdio_pipes)
    m.stdio = {"pipe", "pipe", "pipe"};
  else if (!record && plan.driver().table().shares_host_kernel)
    m.stdio = {plan.findings.stdio[0], plan.findings.stdio[1], plan.findings.stdio[2]};
}

}  // namespace

Manifest describe_plan(const CheckpointPlan& plan, const StagedImage& image) {
  Manifest m;
  m.id = plan.id();
  m.target = plan.driver().target();
  m.runtime_version = plan.driver().version();
  m.criu_version = plan.criu_version;
  if (plan.cedana) m.cedana_version = plan.cedana->version;
  m.created = now_rfc3339();
  m.machine = machine_facts();
  m.images = image.images();
  m.leave_running = !plan.stop;
  m.layer = !plan.layer.empty();
  m.guarantee = plan.stop && !plan.publish_first ? "stopped-by-dump" : "published-first";
  m.options = plan.opts;
  m.gpu = describe_gpu(plan.gpu);
  describe_run(plan, m);
  describe_spec(plan, m);
  return m;
}

void describe_dump(const fs::path& images, Manifest& m) {
  if (table_of(m.target.kind).uses_criu) add_criu_facts(images, m);
}

}  // namespace ckpt
