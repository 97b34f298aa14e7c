// How runc and crun are told the options of CRIU: one pair of tables, since the first spelling that a binary
// advertises is used. runc 1.3.0 brought --tcp-skip-in-flight and --link-remap, runc 1.2.0 the cgroups mode
// `ignore`, crun 1.23 --tcp-close; the documents' own spellings are used when a binary advertises them. What
// is no flag goes to CRIU's configuration file.
#include "runtimes/runtime.h"

namespace ckpt {
namespace {

using How = Spelling::How;

}  // namespace

OptionTable criu_checkpoint_options() {
  return {
      {Opt::image_path, {{How::flag, "--image-path"}}},
      {Opt::work_dir, {{How::flag, "--work-path"}, {How::flag, "--work-dir"}}},
      {Opt::leave_running, {{How::flag, "--leave-running"}}},
      {Opt::pre_dump, {{How::flag, "--pre-dump"}}},
      {Opt::parent_path, {{How::flag, "--parent-path"}}},
      {Opt::allow_open_tcp, {{How::flag, "--tcp-established"}, {How::flag, "--allow-open-tcp"}}},
      {Opt::skip_in_flight,
       {{How::flag, "--skip-in-flight"},
        {How::flag, "--tcp-skip-in-flight"},
        {How::criu_config, "skip-in-flight"}}},
      {Opt::link_remap, {{How::flag, "--link-remap"}, {How::criu_config, "link-remap"}}},
      {Opt::file_locks, {{How::flag, "--file-locks"}}},
      {Opt::ext_unix_sk, {{How::flag, "--ext-unix-sk"}}},
      {Opt::shell_job, {{How::flag, "--shell-job"}}},
      {Opt::manage_cgroups, {{How::flag, "--manage-cgroups-mode"}}, "runc >= 1.2 has the mode 'ignore'"},
      {Opt::compression, {}, "CRIU's images are not compressed by the runtime; --compression zstd works"},
      {Opt::no_compression, {{How::builtin, "never compresses"}}},
      {Opt::later_compression, {{How::builtin, "never compresses"}}},
      {Opt::cuda_checkpoint_path, {}, "CRIU's plugin does it: --cuda plugin"},
      {Opt::ghost_limit, {{How::criu_config, "ghost-limit"}}},
      {Opt::criu_timeout, {{How::criu_config, "timeout"}}},
      {Opt::network_lock, {{How::flag, "--network-lock"}, {How::criu_config, "network-lock"}}},
      {Opt::empty_ns, {{How::flag, "--empty-ns"}}, "runc has --empty-ns"},
  };
}

OptionTable criu_restore_options() {
  return {
      {Opt::image_path, {{How::flag, "--image-path"}}},
      {Opt::work_dir, {{How::flag, "--work-path"}, {How::flag, "--work-dir"}}},
      {Opt::link_remap, {{How::flag, "--link-remap"}, {How::criu_config, "link-remap"}}},
      {Opt::allow_open_tcp, {{How::flag, "--tcp-established"}, {How::flag, "--allow-open-tcp"}}},
      {Opt::tcp_close, {{How::flag, "--tcp-close"}, {How::criu_config, "tcp-close"}}},
      {Opt::file_locks, {{How::flag, "--file-locks"}}},
      {Opt::ext_unix_sk, {{How::flag, "--ext-unix-sk"}}},
      {Opt::shell_job, {{How::flag, "--shell-job"}}},
      {Opt::manage_cgroups, {{How::flag, "--manage-cgroups-mode"}}, "runc >= 1.2 has the mode 'ignore'"},
      {Opt::ghost_limit, {{How::criu_config, "ghost-limit"}}},
      {Opt::network_lock, {{How::flag, "--network-lock"}, {How::criu_config, "network-lock"}}},
      {Opt::empty_ns, {{How::flag, "--empty-ns"}}, "runc has --empty-ns"},
      {Opt::lsm_profile, {{How::flag, "--lsm-profile"}}, "runc and crun have --lsm-profile"},
      {Opt::lsm_mount_context,
       {{How::flag, "--lsm-mount-context"}},
       "runc and crun have --lsm-mount-context"},
      {Opt::no_pivot, {{How::flag, "--no-pivot"}}, "runc has --no-pivot at a restore"},
      {Opt::detach, {{How::flag, "--detach"}}},
      {Opt::pid_file, {{How::flag, "--pid-file"}}},
      {Opt::console_socket, {{How::flag, "--console-socket"}}},
      {Opt::bundle, {{How::flag, "--bundle"}}},
  };
}

}  // namespace ckpt
