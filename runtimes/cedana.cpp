// Cedana's options, as its command line reference has them since 0.9.240. It writes its dump into a directory
// that it makes itself, and is told `--compression none`: else its own configuration may make the image a
// file.
#include "runtimes/cedana.h"

#include <fmt/format.h>

#include <filesystem>
#include <initializer_list>

#include "runtimes/error.h"
#include "runtimes/program.h"

namespace ckpt {
namespace {

using How = Spelling::How;
constexpr std::string_view kOwnOption =
    "it is an option of CRIU that Cedana does not pass on; leave --engine out";
constexpr std::string_view kInItsConfiguration =
    "Cedana takes it from its configuration, criu.manage_cgroups";

OptionTable dump_options() {
  return {
      {Opt::work_dir, {}, "CRIU's logs are in Cedana's image"},
      {Opt::leave_running, {{How::flag, "--leave-running"}}},
      {Opt::pre_dump, {}, "Cedana has no dump of memory alone"},
      {Opt::parent_path, {}, "Cedana has no dump of memory alone"},
      {Opt::allow_open_tcp, {{How::flag, "--tcp-established"}}},
      {Opt::skip_in_flight, {{How::flag, "--skip-in-flight"}}},
      {Opt::link_remap, {{How::flag, "--link-remap"}}},
      {Opt::file_locks, {{How::flag, "--file-locks"}}},
      {Opt::ext_unix_sk, {}, kOwnOption},
      {Opt::shell_job, {{How::flag, "--shell-job"}}},
      {Opt::manage_cgroups, {}, kInItsConfiguration},
      {Opt::compression, {}, "--compression zstd, which ckpt does itself, works"},
      {Opt::no_compression, {{How::builtin, "is always told so"}}},
      {Opt::later_compression, {{How::builtin, "is always told not to"}}},
      {Opt::cuda_checkpoint_path, {}, kOwnOption},
      {Opt::ghost_limit, {}, kOwnOption},
      {Opt::criu_timeout, {}, kOwnOption},
      {Opt::network_lock, {}, kOwnOption},
      {Opt::empty_ns, {}, kOwnOption},
  };
}

OptionTable restore_options() {
  return {
      {Opt::image_path, {{How::flag, "--path"}}},
      {Opt::work_dir, {}, "CRIU's logs are in Cedana's image"},
      {Opt::link_remap, {{How::flag, "--link-remap"}}},
      {Opt::allow_open_tcp, {{How::flag, "--tcp-established"}}},
      {Opt::tcp_close, {{How::flag, "--tcp-close"}}},
      {Opt::file_locks, {{How::flag, "--file-locks"}}},
      {Opt::ext_unix_sk, {}, kOwnOption},
      {Opt::shell_job, {{How::flag, "--shell-job"}}},
      {Opt::manage_cgroups, {}, kInItsConfiguration},
      {Opt::ghost_limit, {}, kOwnOption},
      {Opt::network_lock, {}, kOwnOption},
      {Opt::empty_ns, {}, kOwnOption},
      {Opt::lsm_profile, {}, kOwnOption},
      {Opt::lsm_mount_context, {}, kOwnOption},
      {Opt::no_pivot, {{How::flag, "--no-pivot"}}, kOwnOption},
      {Opt::detach, {{How::flag, "--detach"}}},
      {Opt::pid_file, {{How::flag, "--pid-file"}}},
      {Opt::console_socket, {{How::flag, "--console-socket"}}},
      {Opt::bundle, {{How::flag, "--bundle"}}},
  };
}

Argv verb_help(const std::string& verb) {
  return {verb, "runc", "--help"};
}

/// Without the plugin it answers for `cedana dump` alone, which has no --root.
void require(const Dialect& dialect, std::initializer_list<const char*> flags) {
  for (const char* flag : flags)
    if (!dialect.flags.has(flag))
      throw Error(ErrorCode::unsupported, fmt::format("cedana {} ('{}') has no {} for containers of runc",
                                                      dialect.version, dialect.path, flag))
          .with_runtime("cedana")
          .with_hint("'cedana plugin install runc' installs its runc plugin; ckpt needs 0.9.240 or newer");
}

}  // namespace

const RuntimeTable& cedana_table() {
  static const RuntimeTable table{
      .kind = RuntimeKind::runc,
      .name = "cedana",
      .default_root = "/run/runc",
      .uses_criu = true,
      .shares_host_kernel = true,
      .capabilities = {.checkpoint_restore = true},
      .checkpoint = dump_options(),
      .restore = restore_options(),
      .global_help = {"--help"},
      .verb_help = verb_help,
  };
  return table;
}

Delivery cedana_dump(const Dialect& dialect, const CheckpointOpts& opts, const std::string& root,
                     const std::string& id) {
  require(dialect, {"--root", "--dir", "--name", "--compression"});
  CheckpointOpts rest = opts;
  rest.image_path.reset();
  Delivery delivery = checkpoint_delivery(dialect, rest, id);
  const std::filesystem::path image = opts.image_path.value_or("");
  const Argv first = {"dump",          "runc",
                      "--root",        root,
                      "--dir",         image.parent_path().string(),
                      "--name",        image.filename().string(),
                      "--compression", "none"};
  delivery.args.insert(delivery.args.begin(), first.begin(), first.end());
  return delivery;
}

Delivery cedana_restore(const Dialect& dialect, const RestoreOpts& opts, const std::string& root,
                        const std::string& id) {
  require(dialect, {"--root", "--id", "--no-server"});
  Delivery delivery = restore_delivery(dialect, opts, id);
  delivery.args.pop_back();  // the id, which is a flag here
  const Argv first = {"restore", "runc", "--root", root, "--id", id, "--no-server"};
  delivery.args.insert(delivery.args.begin(), first.begin(), first.end());
  return delivery;
}

Command cedana_command(const std::string& path, const Argv& args) {
  return {.program = path,
          .args = args,
          .env = {{"PATH", search_path()}, {"NO_COLOR", "1"}, {"CEDANA_PROFILING_ENABLED", "false"}}};
}

}  // namespace ckpt
