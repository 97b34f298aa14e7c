// Looking through /proc for them.
#include "runtimes/orphans.h"

#include <algorithm>

#include "runtimes/fs.h"
#include "runtimes/procfs.h"

namespace ckpt {
namespace {

constexpr const char* kVerbs[] = {"pause", "resume", "checkpoint", "restore", "start", "delete"};

bool is_ckpt(pid_t pid) {
  std::error_code error, own_error;
  const fs::path program = fs::read_symlink(fs::path("/proc") / std::to_string(pid) / "exe", error);
  return !error && program == fs::read_symlink("/proc/self/exe", own_error) && !own_error;
}

/// Driver::command(): PROGRAM --root ROOT [GLOBAL...] VERB [OPTION...] ID; a script has its shell before
/// that.
bool works_on(const Argv& words, const Target& target, const std::string& id) {
  const std::size_t at = words.size() > 1 && words[1] == target.path ? 2 : 1;
  if (words.size() < at + 4 || words.back() != id || words[at] != "--root" || words[at + 1] != target.root)
    return false;
  return std::any_of(words.begin() + static_cast<std::ptrdiff_t>(at) + 2, words.end() - 1,
                     [](const std::string& word) {
                       return std::find(std::begin(kVerbs), std::end(kVerbs), word) != std::end(kVerbs);
                     });
}

bool brings_up(const Argv& words, const std::string& record_dir) {
  return words.size() == 3 && words[1] == "__monitor" && words[2] == record_dir;
}

}  // namespace

std::optional<pid_t> orphan_at_work(const Target& target, const std::string& id,
                                    const std::string& record_dir, const std::optional<Record>& record) {
  for (const pid_t pid : all_processes()) {
    if (record && (pid == record->monitor || pid == record->pid)) continue;
    const Argv words = zero_terminated(pid, "cmdline");
    const bool at_work = (works_on(words, target, id) && !is_ckpt(pid)) || brings_up(words, record_dir);
    if (at_work && alive(pid)) return pid;
  }
  return std::nullopt;
}

}  // namespace ckpt
