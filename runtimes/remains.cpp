// Only what has these names and is in these places.
#include "runtimes/remains.h"

#include <unistd.h>

#include <algorithm>

#include "runtimes/fs.h"
#include "runtimes/procfs.h"
#include "runtimes/roots.h"

namespace ckpt {
namespace {

/// A runtime's command line with this root and this id.
bool at_work(const std::string& root, const std::string& id) {
  const std::vector<pid_t> all = all_processes();
  return std::any_of(all.begin(), all.end(), [&](pid_t pid) {
    const Argv words = zero_terminated(pid, "cmdline");
    const auto at = std::find(words.begin(), words.end(), "--root");
    return words.size() > 3 && words.back() == id && at != words.end() && at + 1 != words.end() &&
           at[1] == root && alive(pid);
  });
}

}  // namespace

std::optional<fs::path> half_made(const std::string& root, const std::string& id) {
  const fs::path place = fs::path(root) / id;
  struct stat status = {};
  if (::lstat(place.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() ||
      !holders(root, id).empty() || at_work(root, id))
    return std::nullopt;
  return place;
}

void remove_half_made(const std::string& root, const std::string& id) {
  if (const auto place = half_made(root, id)) remove_tree(*place);
}

void remove_cgyard(const fs::path& work_dir) {
  std::error_code error;
  std::vector<fs::path> yards;
  for (fs::directory_iterator it(work_dir, error), end; !error && it != end; it.increment(error))
    if (it->path().filename().string().starts_with(".criu.cgyard.")) yards.push_back(it->path());
  for (const fs::path& yard : yards) {
    unmount_below(yard);
    ::rmdir(yard.c_str());
  }
}

}  // namespace ckpt
