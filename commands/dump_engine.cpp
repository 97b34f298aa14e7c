// Choosing between CRIU and Cedana, and looking for Cedana's program and daemon.
#include "commands/dump_engine.h"

#include "commands/options.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

using std::chrono::seconds;

/// Throws for an engine that does not fit the runtime.
void require_fitting(const std::string& engine, const RuntimeTable& table, const std::string& what) {
  if (engine == "cedana" ? table.kind == RuntimeKind::runc : table.uses_criu) return;
  const bool gvisor = !table.uses_criu;
  const std::string why =
      engine == "criu" ? "gVisor saves its processes itself, without CRIU"
      : gvisor         ? "Cedana dumps processes of the host's kernel, and gVisor has a kernel of its own"
                       : "Cedana reads and writes the state of runc's containers, and crun keeps another";
  throw Error(ErrorCode::unsupported,
              fmt::format("--engine {} is not for {}, which is of {}: {}", engine, what, table.name, why))
      .with_runtime(std::string(table.name))
      .with_hint(fmt::format("leave --engine out; {} does it itself", table.name));
}

Cedana find_cedana(const Context& context, const std::string& verb) {
  const auto path = find_program("cedana");
  if (!path)
    throw Error(ErrorCode::unsupported, "cedana is not installed; --engine cedana needs it")
        .with_runtime("cedana")
        .with_hint("install Cedana and its runc plugin, or leave --engine out; looked in " + search_path());
  return {*path, context.prober.version(*path), context.prober.flags(cedana_table(), *path, verb)};
}

/// A dump goes through it; without it cedana fails after its own time, in words about connections.
void require_daemon(const Context& context, const Cedana& cedana) {
  Command check = cedana_command(cedana.path, {"daemon", "check"});
  check.timeout = seconds(30);
  const Result result = context.runner.run(check);
  if (result.interrupted) throw interrupted_error(*result.interrupted);
  if (result.ok()) return;
  const std::string said = last_error("", result.err);
  throw Error(ErrorCode::unsupported,
              fmt::format("the daemon of cedana {} is not ready: {}", cedana.version,
                          result.timed_out ? "no answer within 30 s"
                          : said.empty()   ? "'cedana daemon check' " + describe(result.outcome)
                                           : said))
      .with_runtime("cedana")
      .with_command(check.argv())
      .with_hint(
          "'cedana daemon start', or its systemd unit, starts it; 'cedana daemon check --full' says what is "
          "missing");
}

std::string name_of(const std::string& engine) {
  return engine == "cedana" ? "Cedana" : "the runtime with CRIU";
}

}  // namespace

void declare_engine(CLI::App& app, std::optional<std::string>& into, const std::string& text) {
  app.add_option("--engine", into, text)->check(one_of({"criu", "cedana"}));
}

std::optional<Cedana> engine_for_dump(const Context& context, const std::optional<std::string>& asked,
                                      const RuntimeTable& table, const std::string& id) {
  if (!asked) return std::nullopt;
  require_fitting(*asked, table, fmt::format("container '{}'", id));
  if (*asked != "cedana") return std::nullopt;
  Cedana cedana = find_cedana(context, "dump");
  require_daemon(context, cedana);
  return cedana;
}

std::optional<Cedana> dump_engine_of(const Context& context, const std::optional<std::string>& asked,
                                     const Image& image, const RuntimeTable& table) {
  const std::string where = image.directory.string();
  const std::string made_by =
      image.manifest ? image.manifest->options.engine.value_or("criu") : asked.value_or("criu");
  if (asked) require_fitting(*asked, table, fmt::format("the image in '{}'", where));
  if (asked && *asked != made_by)
    throw Error(ErrorCode::host_incompatible,
                fmt::format("the image in '{}' was made by {}; {} cannot restore it", where, name_of(made_by),
                            name_of(*asked)))
        .with_runtime(std::string(table.name))
        .with_hint(fmt::format("leave --engine out, or say --engine {}", made_by));
  if (made_by != "cedana") return std::nullopt;
  return find_cedana(context, "restore");
}

}  // namespace ckpt
