// os-release(5) and the package managers.
#include "runtimes/distribution.h"

#include <fmt/ranges.h>

#include <sstream>

namespace ckpt {
namespace {

using Family = Distribution::Family;

struct FamilyRow {
  Family family;
  std::string_view ids;  ///< words of ID and ID_LIKE
  std::string_view command;
};
constexpr FamilyRow kFamilies[] = {
    {Family::debian, " debian ubuntu ", "apt-get install"},
    {Family::fedora, " fedora rhel centos rocky almalinux amzn ", "dnf install"},
    {Family::arch, " arch ", "pacman -S"},
    {Family::suse, " suse opensuse opensuse-leap opensuse-tumbleweed sles ", "zypper install"},
};

/// The value of KEY=value or KEY="value".
std::string value_of(std::string_view text, const std::string& key) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key + "=")) continue;
    std::string value = line.substr(key.size() + 1);
    std::erase_if(value, [](char c) { return c == '"' || c == '\'' || c == '\r'; });
    return value;
  }
  return "";
}

Family family_of(const std::string& words) {
  std::istringstream each(words);
  for (std::string word; each >> word;)
    for (const FamilyRow& row : kFamilies)
      if (row.ids.find(" " + word + " ") != std::string_view::npos) return row.family;
  return Family::unknown;
}

std::string package_of(Family family, const std::string& program) {
  return program == "iptables" && family == Family::fedora ? "iptables-nft" : program;
}

}  // namespace

Distribution distribution_of(std::string_view os_release) {
  const std::string id = value_of(os_release, "ID");
  return {family_of(id + " " + value_of(os_release, "ID_LIKE")), id};
}

std::vector<std::string> install_commands(const Distribution& distribution,
                                          const std::set<std::string>& programs) {
  std::vector<std::string> commands, packages;
  for (const std::string& program : programs)
    if (program != "runsc") packages.push_back(package_of(distribution.family, program));
  // Ubuntu 24.04 has no package of CRIU; its developers keep an archive.
  if (distribution.id == "ubuntu" && programs.contains("criu"))
    commands.emplace_back("add-apt-repository -y ppa:criu/ppa");
  for (const FamilyRow& row : kFamilies)
    if (row.family == distribution.family && !packages.empty())
      commands.push_back(fmt::format("{} {}", row.command, fmt::join(packages, " ")));
  if (distribution.family == Family::unknown && !packages.empty())
    commands.push_back(fmt::format("# no package command is known for '{}'; missing: {}", distribution.id,
                                   fmt::join(packages, " ")));
  if (programs.contains("runsc"))
    commands.emplace_back("# runsc: https://gvisor.dev/docs/user_guide/install/");
  return commands;
}

}  // namespace ckpt
