// From what was found before the dump to what the restore makes of it.
#include "commands/container_state.h"

#include <fmt/ranges.h>

#include <chrono>
#include <thread>

#include "images/imported.h"
#include "images/state_file.h"
#include "runtimes/bound_sockets.h"
#include "runtimes/cgroup_names.h"
#include "runtimes/json.h"
#include "runtimes/links.h"
#include "runtimes/procfs.h"
#include "runtimes/sandbox.h"
#include "runtimes/spec.h"
#include "runtimes/thread_state.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Names = std::vector<std::string>;

/// The path of its network namespace; empty: the runtime makes it, or it is the host's.
std::string network_path(const json& spec) {
  const auto namespaces = spec_namespaces(spec);
  const auto network = namespaces.find("network");
  return network == namespaces.end() ? "" : network->second;
}

bool has_address(const LinkFact& link) {
  return link.name == "lo" || !link.up || !link.addresses.empty();
}

/// As they were before runsc took the addresses; known when ckpt has started the container.
std::vector<LinkFact> links_before_runsc(const Context& context, const CheckpointPlan& plan) {
  const std::string path =
      plan.config.empty() ? "" : network_path(parse_spec(plan.config, plan.state.bundle));
  if (path.empty()) return {};
  if (plan.found.record)
    if (const auto noted = read_state_facts(context.records.directory(*plan.found.record)))
      return noted->links;
  const std::vector<LinkFact> links = links_in(path);
  for (const LinkFact& link : links)
    if (!has_address(link))
      context.out.warn(
          fmt::format("container '{}': runsc has taken the addresses of '{}' away from the network namespace "
                      "'{}', and ckpt does not know them; before a restore, give them to it again",
                      plan.id(), link.name, path));
  return {};
}

/// What the image says; of a foreign one, or one without, what the runtime does for every new container.
StateFacts facts_of(const RestorePlan& plan) {
  const bool vouched_for = plan.image.manifest && !from_elsewhere(plan.image);
  auto told = vouched_for ? read_state_facts(plan.image.directory) : std::nullopt;
  if (told) return std::move(*told);
  StateFacts facts;
  if (plan.driver.table().uses_criu && makes_network_namespace(plan.spec))
    facts.links = {{"lo", true, {}, {}}};
  return facts;
}

/// Another container's links are its own: of them only lo must be as it was.
std::vector<LinkFact> wanted_links(const RestorePlan& plan, std::vector<LinkFact> links) {
  if (!plan.image.manifest || plan.image.manifest->bundle != plan.record.bundle)
    std::erase_if(links, [](const LinkFact& link) { return link.name != "lo"; });
  return links;
}

void repair_links(const RestorePlan& plan, pid_t pid, const StateFacts& facts, Names& failed) {
  if (!makes_network_namespace(plan.spec)) return;
  const std::string network = fmt::format("/proc/{}/ns/net", pid);
  const std::vector<LinkFact> wanted = wanted_links(plan, facts.links);
  if (lost_of_links(wanted, links_in(network)).empty()) return;
  put_links_back(network, wanted);
  for (std::string& lost : lost_of_links(wanted, links_in(network))) failed.push_back(std::move(lost));
}

void repair_threads(const Context& context, const RestorePlan& plan, pid_t pid, const StateFacts& facts,
                    Names& failed) {
  if (!facts.threads) return;
  ThreadRepair repair = put_threads_back(descendants(pid), *facts.threads);
  for (std::string& one : repair.failed) failed.push_back(std::move(one));
  for (const std::string& one : repair.impossible)
    context.out.warn(fmt::format("container '{}': {}", plan.record.id, one));
}

void prove_sockets(pid_t pid, const StateFacts& facts, Names& failed) {
  for (const MovedSocketFact& one : facts.moved_sockets) {
    const fs::path path = fmt::format("/proc/{}/root{}", pid, one.path);
    if (alive(pid) && kind_of_path(path) != "socket")
      failed.push_back(fmt::format("the socket '{}' is not there", one.path));
  }
}

/// What is on its way from one process to the next is there at a later look.
std::vector<SandboxedFact> lost_processes(const RestorePlan& plan, const std::vector<SandboxedFact>& before) {
  constexpr int kLooks = 10;
  constexpr auto kBetween = std::chrono::milliseconds(100);
  std::vector<SandboxedFact> lost;
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(kBetween);
    lost = lost_of_sandbox(before, sandbox_processes(plan.driver.do_verb("ps", {plan.record.id}).out));
    if (lost.empty()) break;
  }
  return lost;
}

/// gVisor leaves out what an exec session has left behind when it ended. A process may also have ended by
/// itself since: it is told, and no failure.
void tell_lost_processes(const Context& context, const RestorePlan& plan, const StateFacts& facts) {
  if (facts.sandboxed.empty()) return;
  Names lost;
  for (const SandboxedFact& one : lost_processes(plan, facts.sandboxed))
    lost.push_back(fmt::format("'{}' (pid {})", one.command, one.pid));
  if (!lost.empty())
    context.out.warn(fmt::format(
        "container '{}': these processes of the checkpoint are not there: {}; runsc does not take "
        "along what an exec session has left behind",
        plan.record.id, fmt::join(lost, ", ")));
}

std::string list_of(const Names& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

Check bound_sockets_check(const std::string& id, const StateFindings& found) {
  Check check{.area = id, .name = "bound-sockets", .status = Check::Status::ok, .found = "each has its name"};
  Names moved;
  for (const MovedSocketFact& socket : found.facts.moved_sockets)
    moved.push_back(fmt::format("'{}' as '{}'", socket.bound, socket.path));
  if (!moved.empty()) check.found = "saved under their new names: " + list_of(moved);
  if (found.lost_sockets.empty()) return check;
  check.status = Check::Status::fails;
  check.found = "a unix socket's file has another name than it was bound to, which is not found: " +
                list_of(found.lost_sockets);
  check.fix = "have it bound again, by a reload of its server";
  return check;
}

/// What CRIU saves of a network namespace that runc makes has no links.
Check links_check(const std::string& id, const RuntimeTable& runtime, const StateFindings& found) {
  Check check{.area = id, .name = "links", .status = Check::Status::ok, .found = "brought back"};
  if (runtime.kind != RuntimeKind::runc || !found.own_network) return check;
  Names lost;
  for (const LinkFact& link : found.facts.links)
    if (link.name != "lo" && link.up) lost.push_back("'" + link.name + "'");
  if (lost.empty()) return check;
  check.status = Check::Status::warning;
  check.found = "runc restores into a new network namespace, without these links: " + list_of(lost);
  check.fix = "give it a network namespace by path, or use crun";
  return check;
}

Check sandbox_check(const std::string& id, const StateFindings& found) {
  Check check{
      .area = id, .name = kSandboxCheck, .status = Check::Status::ok, .found = "it is alone in its sandbox"};
  if (found.neighbours.empty()) return check;
  check.status = Check::Status::fails;
  check.found = "runsc saves and restores a sandbox as a whole, and there are other containers in it: " +
                list_of(found.neighbours);
  check.fix = "run it in a sandbox of its own";
  return check;
}

}  // namespace

StateFindings state_findings(const CheckpointPlan& plan) {
  StateFindings found;
  const Driver& driver = plan.driver();
  found.own_network = !plan.config.empty() &&
                      makes_network_namespace(parse_spec(plan.config, plan.state.bundle + "/config.json"));
  if (!driver.table().shares_host_kernel) {
    found.facts.sandboxed = plan.findings.sandboxed;
    found.neighbours = sandbox_neighbours(driver.target().root, plan.id());
    return found;
  }
  const std::vector<pid_t> own = descendants(plan.state.pid);
  found.facts.links = links_in(fmt::format("/proc/{}/ns/net", plan.state.pid));
  found.facts.threads = unusual_threads(own);
  BoundSockets sockets = bound_sockets(plan.state.pid, own);
  found.facts.moved_sockets = std::move(sockets.moved);
  found.lost_sockets = std::move(sockets.lost);
  return found;
}

std::vector<Check> state_obstacles(const std::string& id, const RuntimeTable& runtime,
                                   const StateFindings& found) {
  if (!runtime.shares_host_kernel) return {sandbox_check(id, found)};
  return {bound_sockets_check(id, found), links_check(id, runtime, found)};
}

CheckedItem check_hierarchies(const std::string& proc_cgroup) {
  const Names foreign = foreign_hierarchies(proc_cgroup);
  CheckedItem item{.item = "cgroup hierarchies", .image = "", .host = list_of(foreign)};
  if (foreign.empty()) return item;
  item.verdict = CheckedItem::Verdict::fails;
  item.reason = fmt::format(
      "this host has cgroup hierarchies of version 1 by name, {}, beside which crun restores into the root "
      "cgroup and, when it cleans up, ends the host's processes",
      item.host);
  item.hint = "unmount them, or use runc";
  return item;
}

void note_addresses(const Driver& driver, const json& spec, const fs::path& home) {
  const std::string path = network_path(spec);
  if (driver.table().shares_host_kernel || path.empty()) return;
  StateFacts facts;
  facts.links = links_in(path);
  write_state_facts(home, facts);
}

void save_state_facts(const Context& context, const CheckpointPlan& plan, const fs::path& directory) {
  StateFacts facts = plan.standing.facts;
  if (!plan.driver().table().shares_host_kernel) facts.links = links_before_runsc(context, plan);
  write_state_facts(directory, facts);
}

void give_addresses_back(const RestorePlan& plan) {
  if (plan.driver.table().shares_host_kernel || !plan.image.manifest) return;
  const std::string path = network_path(plan.spec);
  const auto before = plan.image.manifest->namespaces.find("network");
  if (path.empty() || before == plan.image.manifest->namespaces.end() || before->second != path) return;
  const std::vector<LinkFact> links = facts_of(plan).links;
  put_links_back(path, links);
  const Names lost = lost_of_links(links, links_in(path));
  if (!lost.empty())
    throw Error(ErrorCode::host_incompatible,
                fmt::format("the network namespace '{}' is not as it was, and runsc takes its addresses from "
                            "there: {}",
                            path, fmt::join(lost, "; ")))
        .with_runtime("runsc")
        .with_hint("make its links as they were, or name another namespace with --spec");
}

void bring_state_back(const Context& context, const RestorePlan& plan, bool prove) {
  const auto state = plan.driver.state(plan.record.id);
  if (!state || !alive(state->pid)) return;
  const StateFacts facts = facts_of(plan);
  if (!plan.driver.table().shares_host_kernel) {
    if (prove) tell_lost_processes(context, plan, facts);
    return;
  }
  Names failed;
  repair_links(plan, state->pid, facts, failed);
  repair_threads(context, plan, state->pid, facts, failed);
  prove_sockets(state->pid, facts, failed);
  if (failed.empty()) return;
  const std::string what =
      fmt::format("'{}' was restored, but is not as it was: {}", plan.record.id, fmt::join(failed, "; "));
  if (!prove) return context.out.warn(what);
  throw Error(ErrorCode::verify_failed, what)
      .with_runtime(std::string(plan.driver.table().name))
      .with_hint("the container runs on; --no-verify accepts it");
}

}  // namespace ckpt
