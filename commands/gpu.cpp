// GPU state of one container, with the tool that reaches it.
#include "commands/gpu.h"

#include <fmt/ranges.h>

#include <fstream>
#include <sstream>

#include "commands/options.h"
#include "gpu/cautions.h"
#include "gpu/holders.h"
#include "gpu/host.h"
#include "gpu/spec_gpus.h"
#include "gpu/tools.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// CRIU needs that long at most for the tree itself (its default); a gigabyte goes over PCIe in under a
/// second.
constexpr std::uint64_t kGigabyte = 1'000'000'000;

CudaLimits limits_of(const Context& context, milliseconds lock) {
  return {.lock = lock, .step = context.timeout_or(seconds(600)).value_or(std::chrono::hours(24))};
}

/// cuda-checkpoint as it reaches this container's processes.
CudaCommand command_for(const Context& context, const Driver& driver, const std::string& id,
                        const json& spec) {
  if (!driver.table().shares_host_kernel) {
    const InsideCommand inside = inside_of(driver, id, spec);
    const std::string program = cuda_checkpoint_inside(spec);
    return [inside, program](const Argv& args) {
      Argv argv = {program};
      argv.insert(argv.end(), args.begin(), args.end());
      return inside(argv);
    };
  }
  const auto program = cuda_checkpoint_program(context.globals.cuda_checkpoint);
  if (!program)
    throw Error(ErrorCode::unsupported, "there is no cuda-checkpoint on this host")
        .with_hint("install NVIDIA's or ckpt's own; looked in " + search_path());
  return [path = *program](const Argv& args) {
    return Command{.program = path, .args = args, .env = {{"PATH", search_path()}}};
  };
}

std::vector<std::string> names_of(const std::vector<GpuHolder>& holders) {
  std::vector<std::string> names;
  for (const GpuHolder& holder : holders)
    names.push_back(fmt::format("'{}' (pid {})", holder.comm, holder.pid));
  return names;
}

CudaOffer offer_of(const Context& context, const Driver& driver, const json& spec) {
  CudaOffer offer{.runtime = driver.table(), .plugin_place = {}, .tool_name = {}, .tool_problem = {}};
  offer.mounted = cuda_checkpoint_inside(spec) == kInsideCudaCheckpoint;
  if (driver.table().uses_criu) {
    offer.plugin_place = criu_plugin_path().string();
    offer.plugin = fs::exists(offer.plugin_place);
    if (const auto program = cuda_checkpoint_program(context.globals.cuda_checkpoint))
      offer.tool_name = fs::path(*program).filename().string();
  } else {
    offer.native_flag = driver.dialect("checkpoint").flags.has("--cuda-checkpoint-path");
  }
  return offer;
}

/// NVML counts a sandbox's memory as that of its own process.
std::vector<pid_t> nvml_pids(const Driver& driver, const ContainerState& state,
                             const std::vector<GpuHolder>& processes) {
  if (!driver.table().shares_host_kernel) return {state.pid};
  std::vector<pid_t> pids;
  for (const GpuHolder& process : processes) pids.push_back(process.pid);
  return pids;
}

/// Processes as cuda-checkpoint sees them after a restore.
std::vector<GpuHolder> locate(const Driver& driver, const ContainerState& state, const GpuImage& image) {
  std::vector<GpuHolder> found = image.processes;
  std::map<pid_t, pid_t> outer;
  if (driver.table().shares_host_kernel)
    for (const pid_t pid : descendants(state.pid)) outer[inner_pid(pid)] = pid;
  for (GpuHolder& process : found) {
    process.pid = driver.table().shares_host_kernel ? outer[process.inner] : process.inner;
    if (process.pid == 0)
      throw Error(ErrorCode::gpu_failed,
                  fmt::format("the CUDA process '{}' (pid {} in the container) is not among those restored",
                              process.comm, process.inner));
  }
  return found;
}

/// CRIU reports success of a restore whose plugin failed; only its log tells.
std::string plugin_failure(const std::string& restore_log) {
  std::ifstream lines(restore_log);
  for (std::string line; std::getline(lines, line);)
    if (line.find("cuda_plugin:") != std::string::npos && line.find("failed") != std::string::npos)
      return line;
  return "";
}

void require_running(const CudaFreezer& freezer, const std::vector<GpuHolder>& processes) {
  std::vector<std::string> wrong;
  for (const auto& [pid, state] : freezer.states(processes))
    if (state != CudaState::running)
      wrong.push_back(fmt::format("pid {} is {}", pid, state ? name_of(*state) : "no CUDA process"));
  if (!wrong.empty())
    throw Error(ErrorCode::gpu_failed,
                fmt::format("restored, but not running on the GPU: {}", fmt::join(wrong, ", ")))
        .with_hint("'ckpt gpu-thaw ID' tries to bring them back");
}

void warn_of_limits(const Context& context, const std::vector<GpuHolder>& processes, bool on_host,
                    const json& spec, const std::string& id, const std::string& driver) {
  std::vector<std::string> environment;
  const json listed = spec.value(json::json_pointer("/process/env"), json::array());
  for (const json& one : listed)
    if (one.is_string()) environment.push_back(one);
  for (const std::string& caution : cuda_cautions(look_around(processes, on_host, environment, driver)))
    context.out.warn(fmt::format("container '{}': {}", id, caution));
}

json spec_of(const std::string& config) {
  const json spec = parse_json(config);
  return spec.is_object() ? spec : json::object();
}

}  // namespace

void declare_cuda(CLI::App& app, CudaOptions& o, const std::string& text) {
  app.add_option("--cuda", o.strategy, text)->check(one_of({"auto", "native", "plugin", "manual", "off"}));
}

void declare_cuda_timeout(CLI::App& app, CudaOptions& o) {
  app.add_option_function<std::string>(
         "--cuda-timeout", [&o](const std::string& value) { o.timeout = *parse_duration(value); },
         "how long to wait for the GPU's current work (default: 10s)")
      ->check(duration());
}

void mount_cuda_tools(const Context& context, const Driver& driver, json& spec) {
  if (!uses_gpu(spec)) return;
  const auto tool = cuda_checkpoint_program(context.globals.cuda_checkpoint);
  if (!tool && !driver.table().shares_host_kernel)
    context.out.warn(
        "there is no cuda-checkpoint to mount; this container's GPU state cannot be checkpointed");
  const auto mount = [&](const std::optional<std::string>& source, const char* destination) {
    if (!source) return;
    for (const json& known : spec.value("mounts", json::array()))
      if (known.value("destination", "") == destination) return;
    spec["mounts"].push_back({{"destination", destination},
                              {"type", "bind"},
                              {"source", *source},
                              {"options", {"bind", "ro", "nosuid", "nodev"}}});
  };
  mount(tool, kInsideCudaCheckpoint);
  mount(own_helper("cuda-finder"), kInsideFinder);
}

Driver fitted_to_gpus(const Driver& driver, const json& spec) {
  if (driver.table().shares_host_kernel) return driver;
  const Argv& given = driver.target().runtime_args;
  const bool said = std::any_of(given.begin(), given.end(), [](const std::string& arg) {
    const std::string name = arg.substr(arg.starts_with("--") ? 1 : 0);
    return name == "-nvproxy" || name.starts_with("-nvproxy=");
  });
  if (said || !uses_gpu(spec)) return driver.with_nvproxy(false);
  if (!driver.dialect("").flags.has("--nvproxy"))
    throw Error(ErrorCode::unsupported, "the container uses GPUs, and this runsc has no --nvproxy")
        .with_runtime("runsc")
        .with_hint("use a newer runsc, or runc or crun");
  return driver.with_nvproxy(true);
}

GpuPlan plan_gpu(const Context& context, const CudaOptions& o, const Found& found,
                 const ContainerState& state, const Findings& findings, const std::string& config) {
  GpuPlan plan;
  const Driver& driver = found.driver;
  if (o.strategy == "off") return plan;
  const bool sandboxed = !driver.table().shares_host_kernel;
  if (sandboxed && config.find("nvidia") == std::string::npos) return plan;
  const json spec = sandboxed || !findings.gpu_holders.empty() ? spec_of(config) : json::object();
  if (sandboxed && !uses_gpu(spec)) return plan;
  if (state.status == "paused" && (sandboxed || !findings.gpu_holders.empty()))
    throw Error(ErrorCode::conflict,
                fmt::format("container '{}' is paused, and no CUDA process can be frozen in it", state.id))
        .with_hint("resume it first; --cuda off leaves its GPU state alone");
  const std::vector<GpuHolder> holders =
      sandboxed ? holders_inside(driver, state.id, inside_of(driver, state.id, spec)) : findings.gpu_holders;
  if (holders.empty()) return plan;

  CudaOffer offer = offer_of(context, driver, spec);
  std::vector<GpuHolder> others;
  try {
    plan.freezer = std::make_shared<CudaFreezer>(context.runner, command_for(context, driver, state.id, spec),
                                                 limits_of(context, o.timeout));
    plan.freezer->probe();
    offer.actions = plan.freezer->dialect().has("--action");
    offer.works = true;
    plan.processes = plan.freezer->cuda_processes(holders, others);
  } catch (const Error& error) {
    if (error.code != ErrorCode::unsupported) throw;
    offer.tool_problem = error.message;
    plan.processes = holders;
  }
  if (!others.empty())
    context.out.warn(fmt::format("these hold a GPU device but are no CUDA processes, and are left out: {}",
                                 fmt::join(names_of(others), ", ")));
  if (plan.processes.empty()) return {};
  plan.present = present_gpus();
  offer.driver = plan.present.driver;
  warn_of_limits(context, plan.processes, !sandboxed, spec, state.id, plan.present.driver);
  plan.strategy = choose_cuda_strategy(o.strategy, offer, state.id);
  plan.bytes = gpu_bytes_of(nvml_pids(driver, state, plan.processes)).value_or(0);
  require_host_memory(plan.bytes, state.pid, state.id);
  context.out.detail(fmt::format("CUDA processes of '{}': {}; frozen by: {}", state.id,
                                 fmt::join(names_of(plan.processes), ", "), name_of(plan.strategy)));
  if (plan.strategy == CudaStrategy::plugin)
    plan.plugin_directory =
        fs::path(*cuda_checkpoint_program(context.globals.cuda_checkpoint)).parent_path().string();
  return plan;
}

seconds plugin_timeout(const CudaOptions& o, const GpuPlan& plan) {
  return std::chrono::duration_cast<seconds>(o.timeout) + seconds(10) +
         seconds(static_cast<std::int64_t>(plan.bytes / kGigabyte));
}

GpuImage describe_gpu(const GpuPlan& plan) {
  GpuImage image;
  image.strategy = name_of(plan.strategy);
  image.processes = plan.processes;
  image.bytes = plan.bytes;
  image.driver = plan.present.driver;
  for (const Gpu& gpu : plan.present.gpus) image.gpus.push_back({gpu.uuid, gpu.name});
  return image;
}

std::string check_gpus(const GpuImage& image, const std::vector<std::string>& gpu_map) {
  if (image.strategy == "none" && gpu_map.empty()) return "";
  if (!gpu_map.empty() && image.strategy != "manual")
    throw Error(
        ErrorCode::unsupported,
        fmt::format("--gpu-map needs a checkpoint that was frozen by ckpt itself, this one was by: {}",
                    image.strategy))
        .with_hint("take it with --cuda manual");
  SavedGpus saved{.driver = image.driver, .gpus = {}, .bytes = image.bytes};
  for (const GpuIdentity& gpu : image.gpus) saved.gpus.emplace_back(gpu.uuid, gpu.name);
  const PresentGpus present = saved.gpus.empty() && gpu_map.empty() ? PresentGpus{} : present_gpus();
  if (const auto obstacles = gpu_obstacles(saved, present, !gpu_map.empty()); !obstacles.empty())
    throw Error(ErrorCode::host_incompatible,
                fmt::format("this host's GPUs cannot take the image: {}", fmt::join(obstacles, "; ")));
  return gpu_map.empty() ? "" : device_map_of(saved, present, gpu_map);
}

std::vector<CudaStep> thaw_restored(const Context& context, const Driver& driver, const ContainerState& state,
                                    const GpuRestore& restore) {
  const GpuImage& image = restore.image;
  CudaFreezer freezer(context.runner, command_for(context, driver, state.id, restore.spec),
                      limits_of(context, seconds(10)));
  try {
    const std::vector<GpuHolder> processes = locate(driver, state, image);
    freezer.probe();
    if (!restore.device_map.empty() && !freezer.dialect().has("--device-map"))
      throw Error(ErrorCode::unsupported, "this cuda-checkpoint has no --device-map (driver 580 or newer)");
    if (strategy_named(image.strategy) == CudaStrategy::manual) freezer.thaw(processes, restore.device_map);
    require_running(freezer, processes);
    if (image.bytes > 0 && gpu_bytes_of(nvml_pids(driver, state, processes)).value_or(1) == 0)
      throw Error(ErrorCode::gpu_failed, "restored, but without its GPU memory");
  } catch (Error& error) {
    if (error.code == ErrorCode::interrupted) throw;
    error.code = ErrorCode::gpu_failed;
    if (const std::string line = plugin_failure(restore.restore_log); !line.empty())
      error.with_cause(line).with_log(restore.restore_log);
    throw;
  }
  return freezer.steps();
}

namespace {

/// The processes that cuda-checkpoint finds locked or checkpointed. They hold no device then, so every
/// process is asked about.
std::vector<GpuHolder> frozen_processes(const Driver& driver, const ContainerState& state,
                                        CudaFreezer& freezer) {
  freezer.probe();
  if (!freezer.dialect().has("--get-state"))
    throw Error(ErrorCode::unsupported, "this cuda-checkpoint cannot tell which processes are frozen")
        .with_hint("drivers 555 and newer can; with 550 call 'cuda-checkpoint --toggle --pid PID' yourself");
  const bool host = driver.table().shares_host_kernel;
  std::vector<GpuHolder> all, frozen;
  for (const pid_t pid : host ? descendants(state.pid) : driver.processes(state.id)) {
    const auto stat = host ? process_stat(pid) : std::nullopt;
    all.push_back({pid, pid, stat ? stat->comm : "?", {}});
  }
  const auto states = freezer.states(all, true);
  for (const GpuHolder& process : all)
    if (const auto now = states.at(process.pid); now && *now != CudaState::running) frozen.push_back(process);
  return frozen;
}

}  // namespace

std::vector<GpuHolder> thaw_container(const Context& context, const Driver& driver,
                                      const ContainerState& state, const json& spec,
                                      std::vector<CudaStep>& steps) {
  CudaFreezer freezer(context.runner, command_for(context, driver, state.id, spec),
                      limits_of(context, seconds(10)));
  std::vector<GpuHolder> frozen = frozen_processes(driver, state, freezer);
  freezer.thaw(frozen);
  steps = freezer.steps();
  return frozen;
}

std::vector<Argv> planned_thaw(const Context& context, const Driver& driver, const ContainerState& state,
                               const json& spec) {
  CudaFreezer freezer(context.runner, command_for(context, driver, state.id, spec),
                      limits_of(context, seconds(10)));
  const std::vector<GpuHolder> frozen = frozen_processes(driver, state, freezer);
  return freezer.commands(frozen, freezer.thawing_actions());
}

json spec_of_container(const ContainerState& state) {
  return spec_of(read_file(fs::path(state.bundle) / "config.json").value_or(""));
}

json steps_json(const std::vector<CudaStep>& steps) {
  json out = json::array();
  for (const CudaStep& step : steps)
    out.push_back({{"pid", step.pid}, {"action", step.action}, {"seconds", step.seconds}});
  return out;
}

void say_steps(const Context& context, const std::vector<CudaStep>& steps) {
  for (const CudaStep& step : steps)
    context.out.detail(fmt::format("cuda: {:<10} pid {:<8} {:.3f} s", step.action, step.pid, step.seconds));
}

}  // namespace ckpt
