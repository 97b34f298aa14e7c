// One call after another of a program that reaches far stores.
#include "commands/far_program.h"

#include <fcntl.h>
#include <unistd.h>

#include "commands/progress.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

using std::chrono::milliseconds;
constexpr auto kTimeout = std::chrono::hours(24);
constexpr std::size_t kMostSaid = 256U << 10U;

/// A program's stderr, line by line while it runs.
class Lines {
 public:
  explicit Lines(std::function<void(const std::string&)> each) : each_(std::move(each)) {
    ::fcntl(pipe_.read.get(), F_SETFL, O_NONBLOCK);
  }
  int in() const { return pipe_.write.get(); }
  int out() const { return pipe_.read.get(); }
  void drain() {
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(pipe_.read.get(), buffer, sizeof buffer)) > 0;)
      rest_.append(buffer, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1)
      each_(rest_.substr(begin, end - begin));
    rest_.erase(0, begin);
    if (rest_.size() > kMostSaid) rest_.clear();
  }
  void finish() {
    drain();
    if (!rest_.empty()) each_(rest_);
  }

 private:
  std::function<void(const std::string&)> each_;
  Pipe pipe_ = make_pipe();
  std::string rest_;
};

/// By rclone's exit status, or by what registries and layouts say.
bool is_not_there(const Outcome& outcome, const std::string& program, const std::string& cause) {
  const auto* exited = std::get_if<Exited>(&outcome);
  if (exited == nullptr) return false;
  if (program == "rclone") return exited->status == 3 || exited->status == 4;
  for (const char* words : {"manifest unknown", "name unknown", "no such file or directory",
                            "no descriptor found for reference", "no image found in manifest"})
    if (cause.find(words) != std::string::npos) return true;
  return false;
}

}  // namespace

std::string far_program(const std::string& name) {
  if (const auto path = find_program(name)) return *path;
  throw Error(ErrorCode::unsupported,
              fmt::format("{} is not installed; it carries checkpoints to and from {}", name,
                          name == "rclone" ? "remote stores" : "registries and OCI layouts"))
      .with_hint(fmt::format("install the package {}; looked in {}", name, search_path()));
}

FarProgram::FarProgram(const Context& context, const FarPlace& place, int lock)
    : context_(context),
      place_(place),
      lock_(lock),
      path_(far_program(place.program)),
      timeout_(context.timeout_or(kTimeout)) {}

std::optional<milliseconds> FarProgram::time_left() const {
  if (!timeout_) return std::nullopt;
  const auto spent = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin_);
  return std::max(milliseconds(1), *timeout_ - spent);
}

Error FarProgram::failure(const std::string& what, const Command& command, const Result& result,
                          const std::string& said) const {
  if (result.interrupted) return interrupted_error(*result.interrupted);
  const std::string& name = place_.program;
  Error error(ErrorCode::runtime_failed, "");
  if (result.timed_out) {
    error.code = ErrorCode::timeout;
    error.message = fmt::format("{}: {} did not finish within {:.0f} s and was stopped", what, name,
                                std::chrono::duration<double>(timeout_.value_or(milliseconds(0))).count());
    error.with_hint("give it more time with --timeout");
  } else {
    const std::string cause = far_cause(said);
    if (is_not_there(result.outcome, name, cause)) error.code = ErrorCode::not_found;
    error.message =
        fmt::format("{}: {} {}{}", what, name, describe(result.outcome), cause.empty() ? "" : ": " + cause);
    error.with_cause(cause);
  }
  return error.with_command(command.argv());
}

std::uint64_t FarProgram::moved() const {
  const pid_t pid = silent_;
  return pid > 0 ? bytes_read_by(pid) : moved_.load();
}

std::string FarProgram::run(const std::string& what, const Argv& args) {
  throw_if_interrupted();
  Command command{.program = path_, .args = args, .timeout = time_left()};
  constexpr std::size_t kMostManifest = 64U << 20U;
  command.capture_limit = kMostManifest;
  if (lock_ >= 0) command.in = ToFd{lock_};
  std::string said;
  Lines lines([&](const std::string& line) {
    if (const auto bytes = rclone_bytes(line))
      moved_ = *bytes;
    else if (said.size() < kMostSaid)
      said += line + "\n";
  });
  command.err = ToFd{lines.in()};
  command.also.push_back({lines.out(), [&] { lines.drain(); }});
  if (place_.program == "skopeo") command.started = [&](pid_t pid) { silent_ = pid; };
  context_.out.detail(shell_quote(command.argv()));
  Result result = context_.runner.run(command);
  silent_ = 0;
  lines.finish();
  if (!result.ok()) throw failure(what, command, result, said);
  return std::move(result.out);
}

std::optional<std::string> FarProgram::ask(const std::string& what, const Argv& args) {
  try {
    return run(what, args);
  } catch (const Error& error) {
    if (error.code == ErrorCode::not_found) return std::nullopt;
    throw;
  }
}

}  // namespace ckpt
