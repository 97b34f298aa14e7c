// Probing by help output, with one small JSON file per binary as memory.
#include "runtimes/probe.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

using nlohmann::json;
using std::chrono::seconds;
constexpr int kFormat = 1;

/// What identifies a binary; a rebuilt one differs.
json identity(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0)
    throw Error(ErrorCode::unsupported, fmt::format("cannot look at '{}': {}", path, errno_text(errno)));
  return {{"format", kFormat},
          {"path", path},
          {"size", status.st_size},
          {"mtime", {status.st_mtim.tv_sec, status.st_mtim.tv_nsec}}};
}

fs::path file_for(const fs::path& cache, const std::string& path) {
  std::string name = path;
  for (char& c : name)
    if (c == '/') c = '!';
  if (name.size() > 200) name = name.substr(name.size() - 200);
  return cache / (name + ".json");
}

json remembered(const fs::path& file, const json& id) {
  if (const auto text = read_file(file)) {
    json known = parse_json(*text);
    if (known.is_object() && known.value("identity", json()) == id) return known;
  }
  return {{"identity", id}, {"answers", json::object()}};
}

void remember(const fs::path& file, const json& known) {
  try {
    make_private_dirs(file.parent_path());
    write_file_atomic(file, known.dump(1, ' ', false, json::error_handler_t::replace));
  } catch (const Error&) {
    // A cache that cannot be written (read-only /run, not root) costs time, nothing else.
  }
}

}  // namespace

std::string Prober::answer(const std::string& path, const Argv& args) {
  const fs::path file = file_for(cache_, path);
  const json id = identity(path);
  json& known = known_[path];
  if (!known.is_object() || known["identity"] != id) known = remembered(file, id);
  const std::string key = shell_quote(args);
  if (known["answers"].contains(key)) return known["answers"][key];
  const Result result =
      runner_.run({.program = path, .args = args, .env = {{"PATH", search_path()}}, .timeout = seconds(10)});
  if (result.interrupted) throw interrupted_error(*result.interrupted);
  const std::string command = shell_quote(Command{.program = path, .args = args}.argv());
  if (std::holds_alternative<NotStarted>(result.outcome) || std::holds_alternative<Killed>(result.outcome) ||
      result.timed_out)
    throw Error(ErrorCode::unsupported,
                fmt::format("'{}' {}", command,
                            result.timed_out ? "did not answer within 10 s" : describe(result.outcome)))
        .with_hint("name a working binary with --runtime-path");
  // Help goes to stdout or to stderr depending on runtime and version.
  std::string text = result.out.find_first_not_of(" \n") != std::string::npos ? result.out : result.err;
  if (!result.ok() && parse_help(text).flags.empty()) return "";
  known["answers"][key] = text.substr(0, 256U << 10U);
  remember(file, known);
  return text;
}

Advertised Prober::flags(const RuntimeTable& table, const std::string& path, const std::string& verb) {
  const Argv args = verb.empty() ? table.global_help : table.verb_help(verb);
  Advertised advertised = parse_help(answer(path, args));
  if (!advertised.flags.empty()) return advertised;
  throw Error(ErrorCode::unsupported, fmt::format("'{}' does not show the options of {}", path,
                                                  verb.empty() ? "its command line" : "'" + verb + "'"))
      .with_runtime(std::string(table.name))
      .with_hint(
          table.kind == RuntimeKind::crun
              ? "a crun built without CRIU has no checkpoint and restore; look for +CRIU in 'crun --version'"
              : "name a working binary with --runtime-path");
}

std::string Prober::version(const std::string& path) {
  std::string word = version_in(answer(path, {"--version"}));
  if (word.empty())
    throw Error(ErrorCode::unsupported, fmt::format("cannot read a version from '{} --version'", path))
        .with_hint("name a working binary with --runtime-path");
  return word;
}

std::string version_in(std::string_view text) {
  if (text.starts_with("git: ")) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const std::size_t line_end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, line_end);
  for (const std::string_view lead : {"version ", "Version: "})
    if (const std::size_t at = line.find(lead); at != std::string_view::npos) {
      line.remove_prefix(at + lead.size());
      return std::string(line.substr(0, line.find_first_of(" \r,")));
    }
  return "";
}

bool version_at_least(std::string_view version, int major, int minor) {
  const std::size_t digit = version.find_first_of("0123456789");
  if (digit == std::string_view::npos) return false;
  int has_major = 0, has_minor = 0;
  const char* end = version.data() + version.size();
  const auto first = std::from_chars(version.data() + digit, end, has_major);
  if (first.ptr < end && *first.ptr == '.') std::from_chars(first.ptr + 1, end, has_minor);
  return has_major > major || (has_major == major && has_minor >= minor);
}

}  // namespace ckpt
