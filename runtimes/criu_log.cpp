// CRIU's log: reading the one word of its configuration that moves it, and looking at its disk.
#include "runtimes/criu_log.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <vector>

#include "runtimes/diagnosis.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::size_t kLongestConfiguration = 64U << 10U;
constexpr std::string_view kWord = "log-file";
constexpr std::string_view kBlank = " \t\r";
/// Less is left for CRIU's log than it writes at once.
constexpr unsigned long long kNoRoom = 16U << 10U;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

/// The value of a line `log-file VALUE`, `log-file=VALUE`; empty for another line.
std::string_view value_in(std::string_view line) {
  line = trimmed(line.substr(0, line.find('#')));
  if (line.starts_with("--")) line.remove_prefix(2);
  if (!line.starts_with(kWord)) return {};
  line.remove_prefix(kWord.size());
  if (line.empty() || (line[0] != '=' && kBlank.find(line[0]) == std::string_view::npos)) return {};
  line = trimmed(line.substr(1));
  if (line.size() > 1 && line.front() == line.back() && (line.front() == '"' || line.front() == '\''))
    line = line.substr(1, line.size() - 2);
  return line;
}

std::vector<fs::path> configurations(RuntimeKind kind, const std::string& annotated) {
  if (!annotated.empty()) return {annotated};
  if (kind == RuntimeKind::crun) return {"/etc/criu/crun.conf", "/etc/criu/runc.conf"};
  return {"/etc/criu/runc.conf"};
}

}  // namespace

std::optional<std::string> configured_log(std::string_view configuration) {
  std::optional<std::string> found;
  for_each_line(configuration, [&](const LogLine& line) {
    if (const std::string_view value = value_in(line.text); !value.empty()) found = value;
  });
  return found;
}

fs::path criu_log_of(RuntimeKind kind, const std::string& annotated, const fs::path& asked) {
  for (const fs::path& file : configurations(kind, annotated)) {
    const auto text = read_file(file, kLongestConfiguration);
    if (!text) continue;
    const auto named = configured_log(*text);
    return named ? asked.parent_path() / *named : asked;
  }
  return asked;
}

std::optional<std::string> full_disk_of(const fs::path& path) {
  struct statvfs disk = {};
  const fs::path directory = path.parent_path();
  if (::statvfs(directory.c_str(), &disk) != 0 || disk.f_blocks == 0) return std::nullopt;
  const bool room = static_cast<unsigned long long>(disk.f_bavail) * disk.f_frsize >= kNoRoom;
  const bool inodes = disk.f_files == 0 || disk.f_favail > 0;
  if (room && inodes) return std::nullopt;
  return fmt::format("the disk of '{}' is full", directory.string());
}

}  // namespace ckpt
