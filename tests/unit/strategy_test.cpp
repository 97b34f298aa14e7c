// Which way is chosen for what is asked and what is installed, as one table.
#include "gpu/strategy.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// What is there: n the native flag, m cuda-checkpoint mounted, p the plugin, a actions, t a tool that works.
CudaOffer offer(RuntimeKind kind, std::string_view has, const std::string& problem = "") {
  const auto is = [&](char what) { return has.find(what) != has.npos; };
  return {.runtime = table_of(kind),
          .native_flag = is('n'),
          .mounted = is('m'),
          .plugin = is('p'),
          .plugin_place = "/usr/lib/criu/cuda_plugin.so",
          .actions = is('a'),
          .works = is('a') || is('t'),
          .tool_name = {},
          .tool_problem = problem};
}

/// The name of the way, or of the refusal.
std::string chosen(std::string_view asked, const CudaOffer& from) {
  try {
    return std::string(name_of(choose_cuda_strategy(asked, from, "c1")));
  } catch (const Error& error) {
    return std::string(code_name(error.code));
  }
}

}  // namespace

TEST_CASE("strategy: every request with every offer") {
  struct Row {
    RuntimeKind kind;
    const char* has;
    const char *automatic, *native, *plugin, *manual;
  };
  constexpr auto runc = RuntimeKind::runc, crun = RuntimeKind::crun, runsc = RuntimeKind::runsc;
  constexpr const char* no = "unsupported";
  const Row rows[] = {
      {runc, "", no, no, no, no},
      {runc, "p", no, no, no, no},
      {runc, "t", "manual", no, no, "manual"},
      {runc, "pt", "manual", no, no, "manual"},
      {runc, "a", "manual", no, no, "manual"},
      {runc, "pa", "plugin", no, "plugin", "manual"},
      {runc, "nmpa", "plugin", no, "plugin", "manual"},
      {crun, "pa", "plugin", no, "plugin", "manual"},
      {crun, "a", "manual", no, no, "manual"},
      {runsc, "", no, no, no, no},
      {runsc, "nm", no, no, no, no},
      {runsc, "nma", "native", "native", no, "manual"},
      {runsc, "nmt", "native", "native", no, "manual"},
      {runsc, "na", "manual", no, no, "manual"},
      {runsc, "ma", "manual", no, no, "manual"},
      {runsc, "pa", "manual", no, no, "manual"},
      {runsc, "t", "manual", no, no, "manual"},
  };
  for (const Row& row : rows) {
    INFO(table_of(row.kind).name << " with '" << row.has << "'");
    const CudaOffer here = offer(row.kind, row.has, "it does not start");
    CHECK(chosen("auto", here) == row.automatic);
    CHECK(chosen("native", here) == row.native);
    CHECK(chosen("plugin", here) == row.plugin);
    CHECK(chosen("manual", here) == row.manual);
    CHECK(chosen("off", here) == "none");
  }
}

TEST_CASE("strategy: a refusal says what is missing for each way") {
  const auto why = [](std::string_view asked, const CudaOffer& from) {
    return error_of([&] { choose_cuda_strategy(asked, from, "c1"); }).message;
  };
  const std::string lead = "the CUDA processes of 'c1' cannot be frozen: ";
  using enum RuntimeKind;
  CHECK(why("auto", offer(runc, "", "there is no cuda-checkpoint on this host")) ==
        lead +
            "native: runc does not call cuda-checkpoint itself; plugin: CRIU's plugin "
            "'/usr/lib/criu/cuda_plugin.so' is not there; manual: there is no cuda-checkpoint on this host");
  CHECK(why("plugin", offer(crun, "pt")) ==
        lead + "plugin: cuda-checkpoint has no --action (driver 555 or newer)");
  CHECK(why("plugin", offer(crun, "p", "broken")) == lead + "plugin: broken");
  CHECK(why("plugin", offer(runsc, "pa")) == lead + "plugin: runsc does not use CRIU");
  CHECK(why("native", offer(runsc, "ma")) == lead + "native: this runsc has no --cuda-checkpoint-path");
  CHECK(why("native", offer(runsc, "na")) ==
        lead + "native: cuda-checkpoint is not mounted in the container; 'ckpt run' does that");
  CHECK(why("native", offer(runsc, "nm", "broken")) == lead + "native: broken");
  CudaOffer renamed = offer(runc, "pa");
  renamed.tool_name = "mine";
  CHECK(why("plugin", renamed) ==
        lead + "plugin: CRIU's plugin calls 'cuda-checkpoint', and this one's name is 'mine'");
  CHECK(chosen("auto", renamed) == "manual");
  renamed.tool_name = "cuda-checkpoint";
  CHECK(chosen("auto", renamed) == "plugin");
  renamed.driver = "555.42.02";
  CHECK(why("plugin", renamed) == lead + "plugin: CRIU's plugin needs driver 570, this one is 555.42.02");
  CHECK(chosen("auto", renamed) == "manual");
  renamed.driver = "570.86.15";
  CHECK(chosen("auto", renamed) == "plugin");
  CHECK(why("manual", offer(runsc, "nm")) == lead + "manual: cuda-checkpoint does not work");
  const Error error = error_of([&] { choose_cuda_strategy("manual", offer(runsc, ""), "c1"); });
  CHECK(error.runtime == "runsc");
  CHECK(error.hint == "'ckpt gpu-detect' shows what this host lacks");
}

TEST_CASE("strategy: names") {
  for (const CudaStrategy one :
       {CudaStrategy::none, CudaStrategy::native, CudaStrategy::plugin, CudaStrategy::manual})
    CHECK(strategy_named(name_of(one)) == one);
  CHECK(strategy_named("auto") == CudaStrategy::none);
  CHECK(strategy_named("") == CudaStrategy::none);
}
