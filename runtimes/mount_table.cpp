// Its fields: id parent device root point options OPTIONAL... - type source super-options.
#include "runtimes/mount_table.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::size_t kMost = 16U << 20U;
/// What the kernel adds to a name that is gone (fs/d_path.c).
constexpr std::string_view kDeleted = "//deleted";

/// \040 and the like for blanks.
std::string plain(const std::string& field) {
  std::string out;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      out += static_cast<char>(std::strtol(field.substr(i + 1, 3).c_str(), nullptr, 8));
      i += 3;
    } else {
      out += field[i];
    }
  }
  return out;
}

MountLine line_of(const std::string& text) {
  std::istringstream words(text);
  MountLine line;
  std::string device, root, point, options, word;
  words >> line.id >> line.parent >> device >> root >> point >> options;
  unsigned major = 0, minor = 0;
  if (std::sscanf(device.c_str(), "%u:%u", &major, &minor) == 2) line.device = makedev(major, minor);
  while (words >> word && word != "-")
    if (word.starts_with("shared:")) line.shared = std::atoi(word.c_str() + 7);
  words >> line.type;
  line.root = plain(root);
  line.point = plain(point);
  line.deleted = line.root.ends_with(kDeleted);
  if (line.deleted) line.root.resize(line.root.size() - kDeleted.size());
  return line;
}

}  // namespace

std::vector<MountLine> parse_mountinfo(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::vector<MountLine> mounts;
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) mounts.push_back(line_of(line));
  return mounts;
}

std::vector<MountLine> mounts_of(pid_t pid) {
  return parse_mountinfo(read_file(fmt::format("/proc/{}/mountinfo", pid), kMost).value_or(""));
}

}  // namespace ckpt
