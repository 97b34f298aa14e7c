// Choosing among the containers that are listed.
#include "commands/listing.h"

#include <algorithm>
#include <map>

#include "commands/options.h"

namespace ckpt {
namespace {

const std::vector<std::string>& filter_keys() {
  static const std::vector<std::string> keys = {"id", "name", "status", "namespace", "pod", "container"};
  return keys;
}

CLI::Validator key_and_value() {
  return CLI::Validator(
      [](std::string& value) {
        const std::size_t at = value.find('=');
        if (at == std::string::npos) return "'" + value + "' is not KEY=VALUE";
        std::string key = value.substr(0, at);
        return not_one_of(key, filter_keys());
      },
      "");
}

bool has(const Listed& container, const std::string& key, const std::string& value) {
  const Engine engine = container.engine.value_or(Engine{});
  if (key == "id") return container.id == value;
  if (key == "status") return container.status == value;
  if (key == "namespace") return engine.space == value;
  if (key == "pod") return engine.pod == value;
  if (key == "container") return engine.container == value;
  return container.engine ? plain(full_name(engine)) == value || engine.container == value
                          : container.id == value;
}

/// As users say it; CRI-O calls itself cri-o.
std::string manager_of(const Listed& container) {
  if (!container.engine) return "none";
  return container.engine->name == "cri-o" ? "crio" : container.engine->name;
}

}  // namespace

void declare_filter(CLI::App& app, ListFilter& filter) {
  app.add_option("--manager", filter.manager, "only containers of this engine; none: of no engine")
      ->check(one_of({"docker", "containerd", "podman", "crio", "none"}));
  app.add_option("--filter", filter.filters,
                 "only those: id, name, status, namespace, pod or container =VALUE; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(key_and_value());
}

bool fits(const Listed& container, const ListFilter& filter) {
  if (filter.manager && manager_of(container) != *filter.manager) return false;
  std::map<std::string, bool> wanted;
  for (const std::string& one : filter.filters) {
    const std::size_t at = one.find('=');
    bool& any = wanted[one.substr(0, at)];
    any = any || has(container, one.substr(0, at), one.substr(at + 1));
  }
  return std::all_of(wanted.begin(), wanted.end(), [](const auto& one) { return one.second; });
}

Globals globals_for(const Context& context, const Listed& container) {
  Globals globals = context.globals;
  globals.runtime = container.runtime;
  globals.root = container.root;
  return globals;
}

}  // namespace ckpt
