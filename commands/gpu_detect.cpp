// ckpt gpu-detect: the host's GPUs and what a checkpoint can do with them; or whether a container uses GPUs,
// and why we think so.
#include <fmt/ranges.h>

#include "commands/doctor.h"
#include "commands/engine_names.h"
#include "commands/options.h"
#include "commands/verbs.h"
#include "gpu/host.h"
#include "gpu/spec_gpus.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/program.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Cells = std::vector<std::vector<std::string>>;

struct DetectOptions {
  std::optional<std::string> bundle, spec, container;
};

// ---- the container

/// A spec that was asked about, and the file it came from.
struct Asked {
  std::string file;
  json spec;
};

Asked read_spec(const fs::path& file) {
  const auto text = read_file(file);
  if (!text)
    throw Error(ErrorCode::not_found, fmt::format("cannot read '{}': {}", file.string(), errno_text(errno)));
  json spec = parse_json(*text);
  if (!spec.is_object())
    throw Error(ErrorCode::invalid_config, fmt::format("'{}' is not an OCI configuration", file.string()))
        .with_hint("--bundle names the directory, --spec the file config.json itself");
  return {file.string(), std::move(spec)};
}

/// The configuration that the container was made from: our copy, with its devices, where ckpt made it.
Asked spec_of_container(const Context& context, const std::string& name) {
  const std::string id = id_of(context, name);
  const Found found = context.find(id);
  if (found.record) {
    const fs::path copy = context.records.directory(*found.record) / "bundle/config.json";
    if (fs::exists(copy)) return read_spec(copy);
  }
  const auto state = found.driver.state(id);
  if (!state) throw context.no_container(id);
  return read_spec(fs::path(state->bundle) / "config.json");
}

std::optional<Asked> asked(const Context& context, const DetectOptions& o) {
  if (int{o.bundle.has_value()} + int{o.spec.has_value()} + int{o.container.has_value()} > 1)
    throw Error(ErrorCode::usage, "--bundle, --spec and --container exclude each other");
  if (o.container) return spec_of_container(context, *o.container);
  if (o.bundle) return read_spec(absolute_path(*o.bundle) / "config.json");
  if (o.spec) return read_spec(absolute_path(*o.spec));
  return std::nullopt;
}

json container_json(const std::vector<GpuReason>& reasons) {
  json list = json::array();
  for (const GpuReason& reason : reasons)
    list.push_back({{"rule", reason.rule}, {"place", reason.place}, {"value", reason.value}});
  return {{"uses_gpu", !reasons.empty()}, {"devices", named_gpus(reasons)}, {"reasons", list}};
}

void show_container(Output& out, const std::vector<GpuReason>& reasons) {
  if (reasons.empty()) return;
  Cells rows;
  for (const GpuReason& reason : reasons) rows.push_back({reason.rule, reason.place, reason.value});
  out.table({"RULE", "PLACE", "VALUE"}, rows);
}

// ---- the host

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}
json or_null(const std::string& value) {
  return value.empty() ? json() : json(value);
}

json to_json(const Gpu& gpu) {
  return {{"index", gpu.index},
          {"name", or_null(gpu.name)},
          {"uuid", or_null(gpu.uuid)},
          {"memory_total", or_null(gpu.memory_total)},
          {"memory_used", or_null(gpu.memory_used)},
          {"mig", or_null(gpu.mig)},
          {"minor", or_null(gpu.minor)},
          {"problem", or_null(gpu.problem)}};
}

json to_json(const RuntimeFacts& runtime) {
  json out = {{"name", table_of(runtime.kind).name}, {"path", or_null(runtime.path)},
              {"version", or_null(runtime.version)}, {"nvproxy_drivers", or_null(runtime.nvproxy_drivers)},
              {"cuda_checkpoint_path", nullptr},     {"problem", or_null(runtime.problem)}};
  if (runtime.kind == RuntimeKind::runsc && !runtime.path.empty())
    out["cuda_checkpoint_path"] = runtime.cuda_checkpoint_path;
  return out;
}

json to_json(const Capability& row) {
  return {{"runtime", row.runtime},
          {"feature", row.feature},
          {"ok", row.ok},
          {"reason", row.reason},
          {"fix", or_null(row.fix)}};
}

template <class T>
json list_json(const std::vector<T>& values) {
  json list = json::array();
  for (const T& value : values) list.push_back(to_json(value));
  return list;
}

json host_json(const HostFacts& facts) {
  json utility;
  if (const auto& found = facts.cuda_checkpoint)
    utility = {{"path", found->path},
               {"ours", found->ours},
               {"advertises", found->advertises},
               {"problem", or_null(found->problem)}};
  return {{"gpus", list_json(facts.gpus)},
          {"driver", or_null(facts.driver)},
          {"nvml", facts.nvml},
          {"nvml_problem", or_null(facts.nvml_problem)},
          {"cuda_checkpoint", utility},
          {"criu", {{"path", or_null(facts.criu.path)}, {"version", or_null(facts.criu.version)}}},
          {"criu_plugin", {{"path", facts.criu.plugin}, {"present", facts.criu.plugin_there}}},
          {"runtimes", list_json(facts.runtimes)},
          {"capabilities", list_json(capability_table(facts))}};
}

std::string mebibytes(const std::optional<std::uint64_t>& bytes) {
  return bytes ? fmt::format("{} MiB", *bytes >> 20U) : "-";
}

Cells gpu_rows(const HostFacts& facts) {
  Cells rows;
  for (const Gpu& gpu : facts.gpus)
    rows.push_back({fmt::format("{}", gpu.index), gpu.name.empty() ? gpu.problem : gpu.name,
                    gpu.uuid.empty() ? "-" : gpu.uuid, mebibytes(gpu.memory_total),
                    mebibytes(gpu.memory_used),
                    !gpu.mig   ? "-"
                    : *gpu.mig ? "on"
                               : "off",
                    gpu.minor ? fmt::format("{}", *gpu.minor) : "-"});
  return rows;
}

std::string words_on(const RuntimeFacts& runtime) {
  if (runtime.path.empty()) return "not installed";
  std::string text = fmt::format("{} ({})", runtime.version.empty() ? "?" : runtime.version, runtime.path);
  if (runtime.nvproxy_drivers)
    text += fmt::format(", nvproxy knows {} drivers", runtime.nvproxy_drivers->size());
  if (runtime.cuda_checkpoint_path) text += ", has --cuda-checkpoint-path";
  return runtime.problem.empty() ? text : text + "; " + runtime.problem;
}

std::string words_on(const std::optional<CudaCheckpoint>& utility) {
  if (!utility) return "not installed";
  const std::string whose = fmt::format("{} ({})", utility->path, utility->ours ? "ckpt's own" : "NVIDIA's");
  if (!utility->problem.empty()) return whose + "; " + utility->problem;
  return fmt::format("{}: {}", whose, fmt::join(utility->advertises, " "));
}

Cells stack_rows(const HostFacts& facts) {
  Cells rows = {
      {"driver", facts.driver.empty() ? "none" : facts.driver},
      {"nvml", facts.nvml ? "yes" : "no; " + facts.nvml_problem},
      {"cuda-checkpoint", words_on(facts.cuda_checkpoint)},
      {"criu", facts.criu.path.empty() ? "not installed"
                                       : fmt::format("{} ({})", facts.criu.version, facts.criu.path)},
      {"CRIU's plugin", facts.criu.plugin + (facts.criu.plugin_there ? "" : " is missing")}};
  for (const RuntimeFacts& runtime : facts.runtimes)
    rows.push_back({std::string(table_of(runtime.kind).name), words_on(runtime)});
  return rows;
}

Cells capability_rows(const HostFacts& facts) {
  Cells rows;
  for (const Capability& row : capability_table(facts))
    rows.push_back({row.runtime, row.feature, row.ok ? "yes" : "no",
                    row.fix.empty() ? row.reason : row.reason + "; " + row.fix});
  return rows;
}

void show_host(Output& out, const HostFacts& facts) {
  if (!facts.gpus.empty()) {
    out.table({"GPU", "NAME", "UUID", "MEMORY", "USED", "MIG", "MINOR"}, gpu_rows(facts));
    out.line("");
  }
  out.table({"PART", "FOUND"}, stack_rows(facts));
  out.line("");
  out.table({"RUNTIME", "FEATURE", "OK", "WHY"}, capability_rows(facts));
}

// ---- both

/// What was shown is the answer; that there is none is the exit status, and a sentence.
void require_gpu(const std::optional<Asked>& question, const std::vector<GpuReason>& reasons,
                 const HostFacts& facts) {
  if (question && reasons.empty())
    throw Error(ErrorCode::not_found, fmt::format("'{}' gives its container no GPU", question->file))
        .with_hint(
            "looked at linux.devices, bind mounts, cdi.k8s.io annotations, NVIDIA_VISIBLE_DEVICES and hooks");
  if (!question && facts.gpus.empty())
    throw Error(
        ErrorCode::not_found,
        fmt::format("this host has no NVIDIA GPU that can be used: {}",
                    facts.driver.empty() ? "no driver is loaded" : "driver " + facts.driver + " shows none"))
        .with_hint("'nvidia-smi' must work first");
}

int detect(const Context& context, const DetectOptions& o) {
  const std::optional<Asked> question = asked(context, o);
  const std::vector<GpuReason> reasons = question ? gpu_reasons(question->spec) : std::vector<GpuReason>{};
  HostFacts facts;
  if (context.globals.json || !question)
    facts = look_at_host(context.runner, context.prober, runtimes_of(context),
                         {.cuda_checkpoint = context.globals.cuda_checkpoint,
                          .limit = context.timeout_or(std::chrono::seconds(30))});
  if (context.globals.json) {
    json document = host_json(facts);
    document["container"] = question ? container_json(reasons) : json();
    context.out.document(document);
  } else if (question) {
    show_container(context.out, reasons);
  } else {
    show_host(context.out, facts);
  }
  require_gpu(question, reasons, facts);
  return 0;
}

}  // namespace

std::vector<InstalledRuntime> runtimes_of(const Context& context) {
  const Globals& globals = context.globals;
  std::optional<Target> named;
  if (globals.runtime_path) named = context.driver_for_new().target();
  std::vector<InstalledRuntime> all;
  for (const RuntimeTable* row : all_runtimes()) {
    if (globals.runtime && row->name != *globals.runtime) continue;
    const bool is_named = named && named->kind == row->kind;
    all.push_back({row->kind, is_named ? named->path : find_program(row->name).value_or("")});
  }
  return all;
}

Action declare_gpu_detect(CLI::App& app) {
  auto o = std::make_shared<DetectOptions>();
  app.add_option("-b,--bundle", o->bundle, "does the container of this directory use GPUs")->type_name("DIR");
  app.add_option("--spec", o->spec, "the same of this config.json")->type_name("FILE");
  app.add_option("--container", o->container, "the same of this container")->type_name("ID");
  return [o](Context& context) { return detect(context, *o); };
}

}  // namespace ckpt
