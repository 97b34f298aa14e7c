// Asking the host: NVML or /proc, cuda-checkpoint -h, CRIU's plugin directory, each runtime.
#include "gpu/host.h"

#include <unistd.h>

#include <algorithm>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

/// Text of the program, stdout before stderr, whatever its status.
std::string words_of(const Result& result) {
  return result.out + "\n" + result.err;
}

std::string first_line(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_first_of("\r\n", begin) - begin);
}

Result ask(Runner& runner, const std::string& program, const Argv& args, const HostPlaces& places) {
  Result result = runner.run(
      {.program = program, .args = args, .env = {{"PATH", search_path()}}, .timeout = places.limit});
  if (result.interrupted) throw interrupted_error(*result.interrupted);
  return result;
}

/// "'PROGRAM ARGS' exited with status 255: Insufficient driver"; empty when it ended well.
std::string problem_of(const std::string& command, const Result& result) {
  if (result.timed_out) return fmt::format("'{}' did not answer in time", command);
  if (result.ok()) return "";
  const std::string line = first_line(words_of(result));
  return fmt::format("'{}' {}{}{}", command, describe(result.outcome), line.empty() ? "" : ": ", line);
}

/// The option as a whole word: "--action" is not advertised by "--actions".
bool advertises(std::string_view text, std::string_view option) {
  for (std::size_t at = text.find(option); at != text.npos; at = text.find(option, at + 1)) {
    const std::size_t end = at + option.size();
    const bool ends =
        end == text.size() || (std::isalnum(static_cast<unsigned char>(text[end])) == 0 && text[end] != '-');
    if (ends && (at == 0 || text[at - 1] != '-')) return true;
  }
  return false;
}

CudaCheckpoint examine(Runner& runner, const std::string& path, bool ours, const HostPlaces& places) {
  CudaCheckpoint found{.path = path, .ours = ours, .advertises = {}, .problem = {}};
  const Result result = ask(runner, path, {"-h"}, places);
  found.problem = problem_of(path + " -h", result);
  const std::string text = words_of(result);
  for (const char* option : {"--action", "--device-map", "--get-restore-tid", "--get-state", "--launch-job",
                             "--timeout", "--toggle"})
    if (advertises(text, option)) found.advertises.insert(option);
  if (found.problem.empty() && found.advertises.empty())
    found.problem = fmt::format("'{} -h' shows no option of cuda-checkpoint", path);
  return found;
}

bool is_version(std::string_view word) {
  return word.size() > 2 && word.find_first_not_of("0123456789.") == word.npos &&
         word.find('.') != word.npos && word.front() != '.' && word.back() != '.';
}

/// One version a line, in the program's own order.
std::vector<std::string> versions(const std::string& text) {
  std::vector<std::string> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (const std::string line = first_line(text.substr(begin, end - begin)); is_version(line))
      found.push_back(line);
    begin = end + 1;
  }
  return found;
}

/// The answer of a probe, or empty with its failure in `problem`.
template <class F>
auto gently(std::string& problem, F&& probe) -> decltype(probe()) {
  try {
    return probe();
  } catch (const Error& error) {
    if (error.code == ErrorCode::interrupted) throw;
    if (problem.empty()) problem = error.message;
    return {};
  }
}

void examine_runsc(Runner& runner, Prober& prober, RuntimeFacts& facts, const HostPlaces& places) {
  const auto flags = [&](const std::string& verb) {
    return gently(facts.problem, [&] { return prober.flags(runsc_table(), facts.path, verb); });
  };
  facts.cuda_checkpoint_path = flags("checkpoint").has("--cuda-checkpoint-path");
  facts.allows_unsupported_driver = flags("").has("--nvproxy-allow-unsupported-driver");
  const Argv args{"nvproxy", "list-supported-drivers"};
  const Result result = ask(runner, facts.path, args, places);
  std::vector<std::string> known = versions(result.ok() ? words_of(result) : "");
  if (!known.empty()) {
    facts.nvproxy_drivers = std::move(known);
    return;
  }
  facts.problem = problem_of(facts.path + " nvproxy list-supported-drivers", result);
  if (facts.problem.empty()) facts.problem = fmt::format("'{}' does not list nvproxy's drivers", facts.path);
}

RuntimeFacts examine(Runner& runner, Prober& prober, const InstalledRuntime& runtime,
                     const HostPlaces& places) {
  RuntimeFacts facts{.kind = runtime.kind, .path = runtime.path, .version = {}};
  if (facts.path.empty()) return facts;
  facts.version = gently(facts.problem, [&] { return prober.version(facts.path); });
  if (facts.kind == RuntimeKind::runsc) examine_runsc(runner, prober, facts, places);
  return facts;
}

CriuFacts examine_criu(Prober& prober) {
  CriuFacts facts;
  facts.path = find_program("criu").value_or("");
  std::string problem;
  if (!facts.path.empty()) facts.version = gently(problem, [&] { return prober.version(facts.path); });
  facts.plugin = criu_plugin_path().string();
  facts.plugin_there = ::access(facts.plugin.c_str(), R_OK) == 0;
  return facts;
}

}  // namespace

void look_at_driver(HostFacts& facts, const HostPlaces& places) {
  try {
    const Nvml nvml(places.nvml);
    facts.driver = nvml.driver_version();
    facts.gpus = nvml.gpus();
    facts.nvml = true;
  } catch (const Error& error) {
    facts.nvml_problem = error.message;
    facts.driver = proc_driver_version(places.root).value_or("");
    facts.gpus = proc_gpus(places.root);
  }
}

fs::path criu_plugin_path() {
  return fs::path(environment_variable("CRIU_LIBS_DIR").value_or("/usr/lib/criu")) / "cuda_plugin.so";
}

std::optional<CudaCheckpoint> find_cuda_checkpoint(Runner& runner, const HostPlaces& places) {
  const auto path = cuda_checkpoint_program(places.cuda_checkpoint, places.own_cuda_checkpoint);
  if (!path) return std::nullopt;
  return examine(runner, *path, path == places.own_cuda_checkpoint, places);
}

HostFacts look_at_host(Runner& runner, Prober& prober, const std::vector<InstalledRuntime>& runtimes,
                       const HostPlaces& places) {
  HostFacts facts;
  look_at_driver(facts, places);
  look_at_programs(facts, runner, prober, runtimes, places);
  return facts;
}

void look_at_programs(HostFacts& facts, Runner& runner, Prober& prober,
                      const std::vector<InstalledRuntime>& runtimes, const HostPlaces& places) {
  facts.cuda_checkpoint = find_cuda_checkpoint(runner, places);
  facts.criu = examine_criu(prober);
  for (const InstalledRuntime& runtime : runtimes)
    facts.runtimes.push_back(examine(runner, prober, runtime, places));
}

}  // namespace ckpt
