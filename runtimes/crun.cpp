// crun: a row; its options are those of criu_options.cpp.
#include "runtimes/runtime.h"

namespace ckpt {
namespace {

Argv verb_help(const std::string& verb) {
  return {verb, "--help"};
}

}  // namespace

const RuntimeTable& crun_table() {
  static const RuntimeTable table{
      .kind = RuntimeKind::crun,
      .name = "crun",
      .default_root = "/run/crun",
      .uses_criu = true,
      .shares_host_kernel = true,
      .capabilities = {.checkpoint_restore = true,
                       .gpu = true,
                       .oom_events = false,
                       .join_existing_netns = true,
                       .cdi = true},
      .checkpoint = criu_checkpoint_options(),
      .restore = criu_restore_options(),
      .global_help = {"--help"},
      .verb_help = verb_help,
  };
  return table;
}

}  // namespace ckpt
