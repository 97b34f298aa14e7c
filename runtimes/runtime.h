// What a runtime is: one table each for runc, crun and runsc. A new runtime is one new file and one row in
// kRuntimes.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/spawn.h"

namespace ckpt {

enum class RuntimeKind { runc, crun, runsc };

/// The options of checkpoint and restore that the tables spell.
enum class Opt {
  image_path,
  work_dir,
  leave_running,
  pre_dump,
  parent_path,
  allow_open_tcp,
  skip_in_flight,
  link_remap,
  file_locks,
  ext_unix_sk,
  shell_job,
  manage_cgroups,
  compression,        ///< with a method of the runtime's own
  no_compression,     ///< the user wants none
  later_compression,  ///< ckpt compresses the image afterwards
  cuda_checkpoint_path,
  ghost_limit,
  criu_timeout,
  network_lock,
  empty_ns,
  lsm_profile,
  lsm_mount_context,
  no_pivot,
  tcp_close,
  bundle,
  detach,
  pid_file,
  console_socket,
};

/// One way to tell a runtime an option. The first way that the installed binary has is used.
struct Spelling {
  enum class How {
    flag,         ///< `text` is a flag that its help must advertise
    criu_config,  ///< `text` is a keyword of CRIU's configuration file (criu(8))
    builtin,      ///< the runtime always does it
  };
  How how;
  std::string_view text;
};

struct OptionRow {
  Opt opt;
  std::vector<Spelling> spellings;
  std::string_view instead = {};  ///< hint when none of the spellings is there
};
/// In the order in which the options stand in the argument vector.
using OptionTable = std::vector<OptionRow>;

struct RuntimeCapabilities {
  bool checkpoint_restore = false;
  bool gpu = false;
  bool oom_events = false;
  bool join_existing_netns = false;
  bool cdi = false;
};

struct RuntimeTable {
  RuntimeKind kind;
  std::string_view name;
  std::string_view default_root;
  bool uses_criu;
  bool shares_host_kernel;  ///< processes are seen in the host's /proc; false for a sandbox
  RuntimeCapabilities capabilities;
  OptionTable checkpoint;
  OptionTable restore;
  Argv global_help;  ///< arguments that print the global flags
  Argv (*verb_help)(const std::string& verb);
};

/// The options of the runtimes that use CRIU (runc, crun).
OptionTable criu_checkpoint_options();
OptionTable criu_restore_options();

const RuntimeTable& runc_table();
const RuntimeTable& crun_table();
const RuntimeTable& runsc_table();

/// In the order in which `--runtime auto` tries them for `run`.
std::vector<const RuntimeTable*> all_runtimes();
const RuntimeTable& table_of(RuntimeKind kind);
/// nullptr for an unknown name.
const RuntimeTable* runtime_named(std::string_view name);

/// One runtime as it will be called: binary, root and global flags.
struct Target {
  RuntimeKind kind = RuntimeKind::runc;
  std::string path;                          ///< absolute path of the binary
  std::string root;                          ///< absolute; always passed as --root
  std::optional<std::string> platform = {};  ///< runsc --platform
  bool nvproxy = false;                      ///< runsc --nvproxy=true: the container has GPUs
  Argv runtime_args = {};                    ///< --runtime-arg, verbatim, before the verb
};

}  // namespace ckpt
