// PATH search with the sbin directories behind.
#include "runtimes/program.h"

#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::string_view kSbin = "/usr/local/sbin:/usr/sbin:/sbin";
constexpr std::string_view kTrusted = "/usr/local/bin:/usr/bin:/bin";

bool executable(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

/// A user can have a set-uid program in a directory of their own, by a hard link, and other helpers beside
/// it.
bool is_where_it_was_put(const fs::path& directory) {
  if (::getauxval(AT_SECURE) == 0) return true;
  struct stat status = {};
  return ::stat(directory.c_str(), &status) == 0 && status.st_uid == 0 && (status.st_mode & 022U) == 0;
}

/// Empty: the one in the search path.
std::string& named_criu() {
  static std::string path;
  return path;
}

}  // namespace

std::optional<std::string> own_helper(const std::string& name) {
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::vector<fs::path> directories = {CKPT_LIBEXECDIR};
  if (is_where_it_was_put(here))
    directories = {here.parent_path() / "libexec/ckpt", here / "helpers", CKPT_LIBEXECDIR};
  for (const fs::path& directory : directories)
    if (fs::is_regular_file(directory / name, error)) return absolute_path(directory / name).string();
  return std::nullopt;
}

std::optional<std::string> environment_variable(const char* name) {
  const char* value = ::secure_getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string search_path() {
  return environment_variable("PATH").value_or(std::string(kTrusted)) + ":" + std::string(kSbin);
}

void heed_criu_argument(const std::vector<std::string>& runtime_args) {
  constexpr std::string_view kFlag = "--criu";
  for (auto arg = runtime_args.begin(); arg != runtime_args.end(); ++arg) {
    if (arg->starts_with("--criu=")) named_criu() = arg->substr(kFlag.size() + 1);
    if (*arg == kFlag && std::next(arg) != runtime_args.end()) named_criu() = *std::next(arg);
  }
}

std::optional<std::string> find_program(std::string_view name) {
  if (name == "criu" && !named_criu().empty() && named_criu() != name) return find_program(named_criu());
  if (name.find('/') != std::string_view::npos) {
    const fs::path path = absolute_path(name);
    return executable(path) ? std::optional(path.string()) : std::nullopt;
  }
  const std::string path = search_path();
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const fs::path candidate = fs::path(path.substr(begin, end - begin)) / name;
    if (candidate.is_absolute() && executable(candidate)) return candidate.string();
    begin = end + 1;
  }
  return std::nullopt;
}

}  // namespace ckpt
