// iptables and nft, run inside the namespace by a thread that has entered it.
#include "runtimes/network_lock.h"

#include <unistd.h>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"
#include "runtimes/network_namespace.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

using nlohmann::json;

Result ask(Runner& runner, const std::string& program, const Argv& args) {
  Command command{.program = program, .args = args};
  command.timeout = std::chrono::seconds(10);
  command.on_interrupt = OnInterrupt::finish;
  return runner.run(command);
}

void require(Runner& runner, const std::string& program, const Argv& args) {
  const Result result = ask(runner, program, args);
  if (!result.ok())
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot take CRIU's network lock away: '{}': {}", program, result.err));
}

/// A rule that jumps to the chain is there as often as CRIU was killed.
void drop_jumps(Runner& runner, const std::string& program, const char* chain) {
  constexpr int kMost = 100;
  for (int i = 0; i < kMost && ask(runner, program, {"-w", "5", "-D", chain, "-j", "CRIU"}).ok(); ++i) {
  }
}

bool remove_chain(Runner& runner, const char* name) {
  const auto program = find_program(name);
  if (!program || !ask(runner, *program, {"-w", "5", "-S", "CRIU"}).ok()) return false;
  drop_jumps(runner, *program, "INPUT");
  drop_jumps(runner, *program, "OUTPUT");
  require(runner, *program, {"-w", "5", "-F", "CRIU"});
  require(runner, *program, {"-w", "5", "-X", "CRIU"});
  return true;
}

bool remove_tables(Runner& runner) {
  const auto program = find_program("nft");
  if (!program) return false;
  const json listed = parse_json(ask(runner, *program, {"-j", "list", "tables"}).out);
  bool any = false;
  for (const json& entry : listed.is_object() ? listed.value("nftables", json::array()) : json::array()) {
    const json table = entry.value("table", json::object());
    const std::string name = table.value("name", "");
    if (!name.starts_with("CRIU-")) continue;
    require(runner, *program, {"delete", "table", table.value("family", "inet"), name});
    any = true;
  }
  return any;
}

}  // namespace

bool remove_network_lock(Runner& runner, const std::string& path) {
  bool any = false;
  in_other_network(path, [&] {
    for (const char* name : {"iptables", "ip6tables"}) any |= remove_chain(runner, name);
    any |= remove_tables(runner);
  });
  return any;
}

}  // namespace ckpt
