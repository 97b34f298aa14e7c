// cuda-checkpoint called for many processes, and undone for all when one fails.
#include "gpu/cuda.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <future>
#include <sstream>

#include "runtimes/error.h"
#include "runtimes/interrupt.h"

namespace ckpt {
namespace {

using std::chrono::milliseconds;

/// Calls of a tool that takes one pid each; every one of them starts CUDA.
constexpr std::size_t kAtOnce = 64;

constexpr std::pair<CudaState, std::string_view> kStates[] = {
    {CudaState::running, "running"},
    {CudaState::locked, "locked"},
    {CudaState::checkpointed, "checkpointed"},
    {CudaState::failed, "failed"},
};

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  const std::size_t end = text.find('\n', begin);
  std::string line = text.substr(begin, end == std::string::npos ? end : end - begin);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
  return line;
}

/// Why a call failed: its own words, else how it ended.
std::string failure_of(const Result& result, const std::optional<milliseconds>& limit) {
  if (result.timed_out)
    return fmt::format("did not finish within {:.1f} s",
                       std::chrono::duration<double>(limit.value_or(milliseconds(0))).count());
  if (result.interrupted) return "was interrupted";
  const std::string said = trimmed(result.err.empty() ? result.out : result.err);
  return said.empty() ? describe(result.outcome) : said;
}

/// Whether the tool ran and answered: not a shell's or a runtime's status for one that cannot be started or
/// was killed, nor the 255 of a libcuda that is none (facts 14.7).
bool answered(const Result& result) {
  const auto* exited = std::get_if<Exited>(&result.outcome);
  if (exited == nullptr || result.timed_out) return false;
  return exited->status < 126 || (exited->status > 165 && exited->status < 255);
}

/// Whether an answer to get-state says that the process has no CUDA: the driver's functions answer "not
/// initialized" or "invalid value" then. That the tool itself could not initialise CUDA tells of no process.
bool tells_no_cuda(const std::string& said) {
  constexpr std::string_view kTool[] = {"initializing CUDA", "initialise CUDA", "Insufficient driver"};
  constexpr std::string_view kProcess[] = {"initialization error", "invalid argument",
                                           "CUDA_ERROR_NOT_INITIALIZED", "CUDA_ERROR_INVALID_VALUE"};
  const auto holds = [&](std::string_view words) { return said.find(words) != std::string::npos; };
  return std::none_of(std::begin(kTool), std::end(kTool), holds) &&
         std::any_of(std::begin(kProcess), std::end(kProcess), holds);
}

/// Of `PID<TAB>answer`; 0 for a line that is none.
pid_t pid_of_line(const std::string& line, std::size_t tab) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + tab, pid);
  return error == std::errc() && end == line.data() + tab ? pid : 0;
}

std::vector<pid_t> pids_of(const std::vector<GpuHolder>& processes) {
  std::vector<pid_t> pids;
  for (const GpuHolder& process : processes) pids.push_back(process.pid);
  return pids;
}

std::string named(const GpuHolder& process) {
  return fmt::format("'{}' (pid {})", process.comm, process.pid);
}

}  // namespace

std::string_view name_of(CudaState state) {
  for (const auto& [known, name] : kStates)
    if (known == state) return name;
  return "unknown";
}

std::optional<CudaState> cuda_state_named(std::string_view text) {
  for (const auto& [state, name] : kStates)
    if (name == text) return state;
  return std::nullopt;
}

CudaDialect parse_cuda_help(const std::string& text) {
  CudaDialect dialect;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::size_t begin = word.find("--");
    if (begin == std::string::npos) continue;
    const std::size_t end = word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", begin);
    dialect.options.insert(word.substr(begin, end == std::string::npos ? end : end - begin));
  }
  dialect.action_words = !dialect.has("--action") && !dialect.has("--toggle") &&
                         text.find("checkpoint PID") != std::string::npos;
  dialect.locks = dialect.has("--action") || text.find("unlock PID") != std::string::npos;
  dialect.many_pids = text.find("--pid PID[,PID...]") != std::string::npos;
  return dialect;
}

Argv cuda_args(const CudaDialect& dialect, std::string_view action, const std::string& pids,
               std::optional<milliseconds> timeout, const std::string& device_map) {
  if (action == "get-state") return {"--get-state", "--pid", pids};
  if (action == "toggle") return {"--toggle", "--pid", pids};
  if (dialect.action_words) return {std::string(action), pids};
  Argv args = {"--action", std::string(action), "--pid", pids};
  if (action == "lock" && timeout && dialect.has("--timeout"))
    args.insert(args.end(), {"--timeout", fmt::format("{}", timeout->count())});
  if (action == "restore" && !device_map.empty()) args.insert(args.end(), {"--device-map", device_map});
  return args;
}

void CudaFreezer::probe() {
  Command command = command_({"-h"});
  command.timeout = milliseconds(60'000);
  const Result result = runner_.run(command);
  if (result.interrupted) throw interrupted_error(*result.interrupted);
  dialect_ = parse_cuda_help(result.out + result.err);
  if (result.ok() && (dialect_.has("--action") || dialect_.has("--toggle") || dialect_.action_words)) return;
  throw Error(ErrorCode::unsupported,
              fmt::format("cuda-checkpoint does not work here: {}", failure_of(result, command.timeout)))
      .with_command(command.argv())
      .with_hint("it needs the driver's libcuda.so.1: driver 570 or newer for ckpt's own, 550 for NVIDIA's");
}

Result CudaFreezer::call(const std::string& action, const std::string& pids,
                         const std::string& device_map) const {
  Command command = command_(cuda_args(dialect_, action, pids, limits_.lock, device_map));
  command.timeout = limits_.step + (action == "lock" ? limits_.lock : milliseconds(0));
  command.grace = milliseconds(2'000);
  // Cut off in the middle, it leaves a state that only its next call can tell.
  command.on_interrupt = OnInterrupt::finish;
  return runner_.run(command);
}

CudaFreezer::Answer CudaFreezer::ask_one(pid_t pid, const std::string& action,
                                         const std::string& device_map) const {
  const Result result = call(action, fmt::format("{}", pid), device_map);
  const std::string said = result.ok() ? trimmed(result.out) : failure_of(result, limits_.step);
  const bool told = answered(result) && (result.ok() || action != "get-state" || tells_no_cuda(said));
  return {result.ok(), told, said, result.seconds};
}

/// `PID<TAB>answer`, one line each; a call that was cut off has told nothing of the rest.
CudaFreezer::Answers CudaFreezer::ask_together(const std::vector<pid_t>& pids, const std::string& action,
                                               const std::string& device_map) const {
  const Result result = call(action, fmt::format("{}", fmt::join(pids, ",")), device_map);
  Answers answers;
  for (const pid_t pid : pids)
    answers[pid] = {false, false, failure_of(result, limits_.step), result.seconds};
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    const auto of = tab == std::string::npos ? answers.end() : answers.find(pid_of_line(line, tab));
    if (of == answers.end()) continue;
    const std::string text = trimmed(line.substr(tab + 1));
    const bool error = text.starts_with("error:");
    const bool ok = action == "get-state" ? !error : text == "ok";
    const bool told = !error || action != "get-state" || tells_no_cuda(text);
    of->second = {ok, told, error ? trimmed(text.substr(6)) : text, result.seconds};
  }
  return answers;
}

CudaFreezer::Answers CudaFreezer::ask(const std::vector<pid_t>& pids, const std::string& action,
                                      const std::string& device_map) const {
  if (pids.size() > 1 && dialect_.many_pids) return ask_together(pids, action, device_map);
  Answers answers;
  for (std::size_t begin = 0; begin < pids.size(); begin += kAtOnce) {
    const std::size_t end = std::min(begin + kAtOnce, pids.size());
    std::vector<std::future<Answer>> calls;
    for (std::size_t i = begin; i < end; ++i)
      calls.push_back(std::async(std::launch::async, [this, pid = pids[i], &action, &device_map] {
        return ask_one(pid, action, device_map);
      }));
    for (std::size_t i = begin; i < end; ++i) answers[pids[i]] = calls[i - begin].get();
  }
  return answers;
}

std::map<pid_t, std::optional<CudaState>> CudaFreezer::states(const std::vector<GpuHolder>& processes,
                                                              bool must_tell) const {
  std::map<pid_t, std::optional<CudaState>> states;
  if (dialect_.has("--get-state")) {
    for (const auto& [pid, answer] : ask(pids_of(processes), "get-state")) {
      if (!answer.told && must_tell)
        throw Error(ErrorCode::gpu_failed,
                    fmt::format("cuda-checkpoint cannot tell the state of pid {}: {}", pid, answer.text));
      if (answer.ok)
        states[pid] = cuda_state_named(answer.text).value_or(CudaState::failed);
      else
        states[pid] = std::nullopt;
    }
    return states;
  }
  for (const GpuHolder& process : processes) {
    const auto known = believed_.find(process.pid);
    states[process.pid] = known == believed_.end() ? CudaState::running : known->second;
  }
  return states;
}

std::vector<GpuHolder> CudaFreezer::cuda_processes(const std::vector<GpuHolder>& holders,
                                                   std::vector<GpuHolder>& others) const {
  if (!dialect_.has("--get-state")) return holders;
  std::vector<GpuHolder> found;
  const auto now = states(holders, true);
  for (const GpuHolder& holder : holders) {
    const std::optional<CudaState> state = now.at(holder.pid);
    if (!state) {
      others.push_back(holder);
      continue;
    }
    if (*state == CudaState::failed)
      throw Error(ErrorCode::conflict,
                  fmt::format("the CUDA process {} is in a state that cannot be frozen", named(holder)))
          .with_hint("'cuda-checkpoint --get-state --pid PID' tells it");
    if (*state != CudaState::running)
      throw Error(ErrorCode::conflict,
                  fmt::format("the CUDA process {} is {} already: somebody else froze it", named(holder),
                              name_of(*state)))
          .with_hint("'ckpt gpu-thaw ID' brings it back to running");
    found.push_back(holder);
  }
  return found;
}

std::vector<std::string> CudaFreezer::act(const std::vector<pid_t>& pids, const std::string& action,
                                          const std::string& device_map) {
  const auto after = [&](pid_t pid) {
    if (action == "lock" || (action == "restore" && dialect_.locks)) return CudaState::locked;
    if (action == "restore") return CudaState::running;
    if (action == "toggle" && believed_[pid] == CudaState::checkpointed) return CudaState::running;
    return action == "unlock" ? CudaState::running : CudaState::checkpointed;
  };
  std::vector<std::string> failed;
  for (const auto& [pid, answer] : ask(pids, action, device_map)) {
    steps_.push_back({pid, action, answer.seconds});
    if (answer.ok)
      believed_[pid] = after(pid);
    else
      failed.push_back(fmt::format("{} of pid {}: {}", action, pid, answer.text));
  }
  return failed;
}

std::vector<pid_t> CudaFreezer::those_in(const std::vector<GpuHolder>& processes, CudaState state) const {
  std::vector<pid_t> pids;
  for (const auto& [pid, now] : states(processes))
    if (now == state) pids.push_back(pid);
  return pids;
}

std::vector<std::string> CudaFreezer::bring_back(const std::vector<GpuHolder>& processes,
                                                 const std::string& device_map) {
  const std::vector<std::string> actions = thawing_actions();
  std::vector<std::string> failed =
      act(those_in(processes, CudaState::checkpointed), actions.front(), device_map);
  if (actions.size() > 1)
    for (std::string& line : act(those_in(processes, CudaState::locked), "unlock"))
      failed.push_back(std::move(line));
  for (const auto& [pid, state] : states(processes))
    if (state != CudaState::running)
      failed.push_back(
          fmt::format("pid {} is {}", pid, state ? name_of(*state) : "no CUDA process any more"));
  return failed;
}

std::vector<std::string> CudaFreezer::freezing_actions() const {
  if (dialect_.has("--toggle") && !dialect_.has("--action")) return {"toggle"};
  if (!dialect_.locks) return {"checkpoint"};
  return {"lock", "checkpoint"};
}

std::vector<std::string> CudaFreezer::thawing_actions() const {
  if (dialect_.has("--toggle") && !dialect_.has("--action")) return {"toggle"};
  if (!dialect_.locks) return {"restore"};
  return {"restore", "unlock"};
}

std::vector<Argv> CudaFreezer::commands(const std::vector<GpuHolder>& processes,
                                        const std::vector<std::string>& actions) const {
  const std::vector<pid_t> pids = pids_of(processes);
  const bool together = pids.size() > 1 && dialect_.many_pids;
  std::vector<Argv> all;
  for (const std::string& action : actions) {
    const auto add = [&](const std::string& whose) {
      all.push_back(command_(cuda_args(dialect_, action, whose, limits_.lock)).argv());
    };
    if (together) add(fmt::format("{}", fmt::join(pids, ",")));
    for (const pid_t pid : pids)
      if (!together) add(fmt::format("{}", pid));
  }
  return all;
}

void CudaFreezer::freeze(const std::vector<GpuHolder>& processes) {
  const std::vector<pid_t> pids = pids_of(processes);
  std::vector<std::string> failed;
  for (const std::string& action : freezing_actions())
    if (failed.empty() && !interrupted()) failed = act(pids, action);
  if (failed.empty() && !interrupted()) return;
  const std::vector<std::string> left = [&] {
    const HoldInterrupts hold;
    return bring_back(processes, "");
  }();
  const std::string back = left.empty() ? fmt::format("all {} processes run on", processes.size())
                                        : fmt::format("not brought back: {}", fmt::join(left, "; "));
  if (failed.empty()) {
    if (left.empty()) throw_if_interrupted();
    failed.emplace_back("it was interrupted");
  }
  throw Error(ErrorCode::gpu_failed,
              fmt::format("the GPU could not be frozen: {}; {}", fmt::join(failed, "; "), back))
      .with_hint(left.empty() ? "a long kernel needs a longer --cuda-timeout"
                              : "'ckpt gpu-thaw ID' tries again to bring them back");
}

void CudaFreezer::thaw(const std::vector<GpuHolder>& processes, const std::string& device_map) {
  const HoldInterrupts hold;
  if (believed_.empty())
    for (const GpuHolder& process : processes) believed_[process.pid] = CudaState::checkpointed;
  const std::vector<std::string> failed = bring_back(processes, device_map);
  if (failed.empty()) return;
  throw Error(ErrorCode::gpu_failed, fmt::format("the GPU could not be thawed: {}", fmt::join(failed, "; ")))
      .with_hint("'ckpt gpu-thaw ID' tries again");
}

}  // namespace ckpt
