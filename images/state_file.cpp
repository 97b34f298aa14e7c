// The facts as JSON, each where there is something to say.
#include "images/state_file.h"

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
constexpr std::size_t kLargest = 16U << 20U;

json to_json(const LinkFact& link) {
  json routes = json::array();
  for (const RouteFact& one : link.routes)
    routes.push_back({{"destination", one.destination},
                      {"gateway", one.gateway},
                      {"source", one.source},
                      {"metric", one.metric}});
  return {{"name", link.name}, {"up", link.up}, {"addresses", link.addresses}, {"routes", routes}};
}

LinkFact link_from_json(const json& in) {
  LinkFact link{in.at("name"), in.at("up"), in.at("addresses").get<std::vector<std::string>>(), {}};
  for (const json& one : in.at("routes"))
    link.routes.push_back({one.at("destination"), one.at("gateway"), one.at("source"), one.at("metric")});
  return link;
}

StateFacts from_json(const json& in) {
  const json none = json::array();
  StateFacts facts;
  for (const json& one : in.value("links", none)) facts.links.push_back(link_from_json(one));
  if (in.contains("threads")) {
    facts.threads.emplace();
    for (const json& one : in["threads"])
      facts.threads->push_back(
          {one.at("tid"), one.value("cpus", ""), one.value("timer_slack", std::uint64_t{0})});
  }
  for (const json& one : in.value("moved_sockets", none))
    facts.moved_sockets.push_back({one.at("inode"), one.at("bound"), one.at("path")});
  for (const json& one : in.value("sandboxed", none))
    facts.sandboxed.push_back({one.at("pid"), one.at("command")});
  return facts;
}

}  // namespace

json to_json(const StateFacts& facts) {
  json out = json::object();
  for (const LinkFact& link : facts.links) out["links"].push_back(to_json(link));
  if (facts.threads) out["threads"] = json::array();
  for (const ThreadFact& one : facts.threads.value_or(std::vector<ThreadFact>())) {
    json thread = {{"tid", one.tid}};
    if (!one.cpus.empty()) thread["cpus"] = one.cpus;
    if (one.timer_slack != 0) thread["timer_slack"] = one.timer_slack;
    out["threads"].push_back(std::move(thread));
  }
  for (const MovedSocketFact& one : facts.moved_sockets)
    out["moved_sockets"].push_back({{"inode", one.inode}, {"bound", one.bound}, {"path", one.path}});
  for (const SandboxedFact& one : facts.sandboxed)
    out["sandboxed"].push_back({{"pid", one.pid}, {"command", one.command}});
  return out;
}

void write_state_facts(const fs::path& directory, const StateFacts& facts) {
  write_file_atomic(directory / kStateName,
                    to_json(facts).dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

std::optional<StateFacts> read_state_facts(const fs::path& directory) {
  const fs::path file = directory / kStateName;
  const auto text = read_file(file, kLargest);
  if (!text) return std::nullopt;
  try {
    return from_json(parse_json_or_throw(*text));
  } catch (const json::exception& error) {
    throw Error(ErrorCode::image_invalid, fmt::format("'{}' is damaged: {}", file.string(), error.what()));
  }
}

}  // namespace ckpt
