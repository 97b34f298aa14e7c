// By the names of files.
#include "runtimes/sandbox.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "runtimes/fs.h"

namespace ckpt {

std::vector<std::string> sandbox_neighbours(const std::string& root, const std::string& id) {
  constexpr std::string_view kBetween = "_sandbox:", kEnd = ".state";
  std::map<std::string, std::string> sandboxes;  // by container
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::size_t between = name.rfind(kBetween);
    if (between == std::string::npos || !name.ends_with(kEnd)) continue;
    const std::size_t begin = between + kBetween.size();
    sandboxes[name.substr(0, between)] = name.substr(begin, name.size() - kEnd.size() - begin);
  }
  std::vector<std::string> others;
  if (const auto own = sandboxes.find(id); own != sandboxes.end())
    for (const auto& [container, sandbox] : sandboxes)
      if (sandbox == own->second && container != id) others.push_back(container);
  return others;
}

namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream text(line);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

}  // namespace

std::optional<std::vector<SandboxRow>> sandbox_rows(const std::string& ps_table) {
  std::istringstream lines(ps_table);
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> heading = words_of(line);
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(heading.begin(), heading.end(), name) - heading.begin());
  };
  const std::size_t pid = column("PID"), parent = column("PPID"), command = column("CMD");
  const std::size_t last = std::max({pid, parent, command});
  if (last >= heading.size()) return std::nullopt;
  std::vector<SandboxRow> rows;
  while (std::getline(lines, line)) {
    const std::vector<std::string> row = words_of(line);
    if (row.size() > last) rows.push_back({row[pid], row[parent], row[command]});
  }
  return rows;
}

std::vector<SandboxedFact> sandbox_processes(const std::string& ps_table) {
  std::vector<SandboxedFact> processes;
  for (const SandboxRow& row : sandbox_rows(ps_table).value_or(std::vector<SandboxRow>{}))
    if (row.pid != "1" && (row.parent == "0" || row.parent == "1"))
      processes.push_back({std::atoi(row.pid.c_str()), row.command});
  return processes;
}

std::vector<SandboxedFact> lost_of_sandbox(const std::vector<SandboxedFact>& before,
                                           const std::vector<SandboxedFact>& now) {
  const auto without = [](std::vector<SandboxedFact> all, const std::vector<SandboxedFact>& some) {
    std::erase_if(all, [&](const auto& one) { return std::count(some.begin(), some.end(), one) > 0; });
    return all;
  };
  std::vector<SandboxedFact> lost = without(before, now);
  for (const SandboxedFact& begun : without(now, before)) {
    const auto same = [&](const SandboxedFact& one) { return one.command == begun.command; };
    const auto last = std::find_if(lost.rbegin(), lost.rend(), same);
    if (last != lost.rend()) lost.erase(std::next(last).base());
  }
  return lost;
}

}  // namespace ckpt
