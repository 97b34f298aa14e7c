// gVisor's runsc: its own checkpoint, no CRIU. The 2024 package and the current one are two dialects of one
// table;
// --work-path is accepted and ignored by both; TCP and file locks live in the sandbox and are always saved.
#include "runtimes/runtime.h"

namespace ckpt {
namespace {

using How = Spelling::How;

OptionTable checkpoint_options() {
  return {
      {Opt::image_path, {{How::flag, "--image-path"}}},
      {Opt::work_dir, {{How::flag, "--work-dir"}, {How::flag, "--work-path"}}},
      {Opt::compression, {{How::flag, "--compression"}}, "this runsc has no --compression"},
      {Opt::no_compression, {{How::flag, "--compression"}}, "this runsc has no --compression"},
      {Opt::later_compression, {{How::flag, "--compression"}, {How::builtin, "as it likes"}}},
      {Opt::cuda_checkpoint_path, {{How::flag, "--cuda-checkpoint-path"}}, "'--cuda manual' works without"},
      {Opt::leave_running, {{How::flag, "--leave-running"}}},
      {Opt::pre_dump, {}, "gVisor saves all of the memory at once; leave the option out"},
      {Opt::parent_path, {}, "gVisor saves all of the memory at once; leave the option out"},
      {Opt::allow_open_tcp, {{How::flag, "--allow-open-tcp"}, {How::builtin, "always saved"}}},
      {Opt::skip_in_flight,
       {{How::flag, "--skip-in-flight"}, {How::flag, "--tcp-skip-in-flight"}},
       "gVisor saves its own network stack whole; leave the option out"},
      {Opt::link_remap, {{How::flag, "--link-remap"}}, "link-remap is CRIU's; runc and crun have it"},
      {Opt::file_locks, {{How::flag, "--file-locks"}, {How::builtin, "always saved"}}},
      {Opt::ext_unix_sk,
       {{How::flag, "--ext-unix-sk"}},
       "run the container with --runtime-arg=--host-uds=all instead"},
      {Opt::shell_job, {{How::flag, "--shell-job"}, {How::builtin, "always saved"}}},
      {Opt::manage_cgroups,
       {{How::flag, "--manage-cgroups-mode"}},
       "a sandbox's own cgroups are always saved; leave the option out"},
      {Opt::ghost_limit, {{How::builtin, "no limit"}}},
      {Opt::criu_timeout, {{How::builtin, "no limit"}}},
      {Opt::network_lock,
       {{How::flag, "--network-lock"}},
       "gVisor has its own network stack, which nobody has to lock"},
      {Opt::empty_ns, {{How::flag, "--empty-ns"}}, "gVisor saves its own network stack whole"},
  };
}

OptionTable restore_options() {
  return {
      {Opt::image_path, {{How::flag, "--image-path"}}},
      {Opt::work_dir, {{How::flag, "--work-dir"}, {How::flag, "--work-path"}}},
      {Opt::link_remap, {{How::flag, "--link-remap"}}, "link-remap is CRIU's; runc and crun have it"},
      {Opt::allow_open_tcp, {{How::flag, "--allow-open-tcp"}, {How::builtin, "always restored"}}},
      {Opt::tcp_close,
       {{How::flag, "--tcp-close"}},
       "gVisor restores its own connections; those to other hosts are reset"},
      {Opt::file_locks, {{How::flag, "--file-locks"}, {How::builtin, "always restored"}}},
      {Opt::ext_unix_sk, {{How::flag, "--ext-unix-sk"}}, "restore with --runtime-arg=--host-uds=all instead"},
      {Opt::shell_job, {{How::flag, "--shell-job"}, {How::builtin, "always restored"}}},
      {Opt::manage_cgroups,
       {{How::flag, "--manage-cgroups-mode"}},
       "a sandbox's own cgroups are always restored; leave the option out"},
      {Opt::ghost_limit, {{How::builtin, "no limit"}}},
      {Opt::network_lock,
       {{How::flag, "--network-lock"}},
       "gVisor has its own network stack, which nobody has to lock"},
      {Opt::empty_ns, {{How::flag, "--empty-ns"}}, "gVisor saves its own network stack whole"},
      {Opt::lsm_profile, {{How::flag, "--lsm-profile"}}, "the profile of a sandbox is the host's choice"},
      {Opt::lsm_mount_context,
       {{How::flag, "--lsm-mount-context"}},
       "the mounts of a sandbox are gVisor's own"},
      {Opt::no_pivot, {{How::flag, "--no-pivot"}}, "runsc does without pivot_root"},
      {Opt::detach, {{How::flag, "--detach"}}},
      {Opt::pid_file, {{How::flag, "--pid-file"}}},
      {Opt::console_socket, {{How::flag, "--console-socket"}}},
      {Opt::bundle, {{How::flag, "--bundle"}}},
  };
}

Argv verb_help(const std::string& verb) {
  return {"help", verb};
}

}  // namespace

const RuntimeTable& runsc_table() {
  static const RuntimeTable table{
      .kind = RuntimeKind::runsc,
      .name = "runsc",
      .default_root = "/run/gvisor",
      .uses_criu = false,
      .shares_host_kernel = false,
      .capabilities = {.checkpoint_restore = true,
                       .gpu = true,
                       .oom_events = true,
                       .join_existing_netns = true,
                       .cdi = true},
      .checkpoint = checkpoint_options(),
      .restore = restore_options(),
      .global_help = {"flags"},
      .verb_help = verb_help,
  };
  return table;
}

}  // namespace ckpt
