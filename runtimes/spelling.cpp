// The walk over a runtime's option table: first advertised flag, else CRIU's configuration, else built in,
// else refused.
#include "runtimes/spelling.h"

#include <fmt/format.h>

#include "runtimes/error.h"

namespace ckpt {
namespace {

/// One option that the user (or ckpt) asked for; `value` is nullopt for a switch.
struct Given {
  Opt opt;
  std::string name;  ///< as the user spells it
  std::optional<std::string> value;
};

class GivenList {
 public:
  void text(Opt opt, const char* name, const std::optional<std::string>& value) {
    if (value) list_.push_back({opt, name, value});
  }
  void on(Opt opt, const char* name, const std::optional<bool>& value) {
    if (value.value_or(false)) list_.push_back({opt, name, std::nullopt});
  }
  template <class N>
  void number(Opt opt, const char* name, const std::optional<N>& value) {
    if (value) list_.push_back({opt, name, fmt::format("{}", *value)});
  }
  const Given* find(Opt opt) const {
    for (const Given& given : list_)
      if (given.opt == opt) return &given;
    return nullptr;
  }

 private:
  std::vector<Given> list_;
};

/// What ckpt does itself must not be done by the runtime before: it would gain nothing any more.
void give_compression(GivenList& list, const std::string& method) {
  const bool ours = method == "auto" || method.starts_with("zstd");
  list.text(ours               ? Opt::later_compression
            : method == "none" ? Opt::no_compression
                               : Opt::compression,
            "--compression", ours ? "none" : method);
}

GivenList given(const CheckpointOpts& o) {
  GivenList list;
  list.text(Opt::image_path, "--image-path", o.image_path);
  list.text(Opt::work_dir, "--work-path", o.work_dir);
  list.on(Opt::leave_running, "--leave-running", o.leave_running);
  list.on(Opt::pre_dump, "--pre-dump", o.pre_dump);
  list.text(Opt::parent_path, "--parent-path", o.parent_path);
  list.on(Opt::allow_open_tcp, "--tcp-established", o.allow_open_tcp);
  list.on(Opt::skip_in_flight, "--skip-in-flight", o.skip_in_flight);
  list.on(Opt::link_remap, "--link-remap", o.link_remap);
  list.on(Opt::file_locks, "--file-locks", o.file_locks);
  list.on(Opt::ext_unix_sk, "--ext-unix-sk", o.ext_unix_sk);
  list.on(Opt::shell_job, "--shell-job", o.shell_job);
  list.text(Opt::manage_cgroups, "--manage-cgroups-mode", o.manage_cgroups);
  if (o.compression) give_compression(list, *o.compression);
  list.text(Opt::cuda_checkpoint_path, "--cuda native", o.cuda_checkpoint_path);
  list.number(Opt::ghost_limit, "ghost-limit", o.ghost_limit);
  list.text(Opt::network_lock, "--network-lock", o.network_lock);
  list.text(Opt::empty_ns, "--empty-ns", o.empty_ns);
  if (o.criu_timeout) list.number(Opt::criu_timeout, "timeout", std::optional(o.criu_timeout->count()));
  return list;
}

GivenList given(const RestoreOpts& o) {
  GivenList list;
  list.text(Opt::image_path, "--image-path", o.image_path);
  list.text(Opt::work_dir, "--work-path", o.work_dir);
  list.text(Opt::bundle, "--bundle", o.bundle_path);
  list.on(Opt::allow_open_tcp, "--tcp-established", o.allow_open_tcp);
  list.on(Opt::tcp_close, "--tcp-close", o.tcp_close);
  list.on(Opt::link_remap, "--link-remap", o.link_remap);
  list.on(Opt::file_locks, "--file-locks", o.file_locks);
  list.on(Opt::ext_unix_sk, "--ext-unix-sk", o.ext_unix_sk);
  list.on(Opt::shell_job, "--shell-job", o.shell_job);
  list.text(Opt::manage_cgroups, "--manage-cgroups-mode", o.manage_cgroups);
  list.number(Opt::ghost_limit, "ghost-limit", o.ghost_limit);
  list.text(Opt::network_lock, "--network-lock", o.network_lock);
  list.text(Opt::empty_ns, "--empty-ns", o.empty_ns);
  list.text(Opt::lsm_profile, "--lsm-profile", o.lsm_profile);
  list.text(Opt::lsm_mount_context, "--lsm-mount-context", o.lsm_mount_context);
  list.on(Opt::no_pivot, "--no-pivot", o.no_pivot);
  list.on(Opt::detach, "--detach", o.detach);
  list.text(Opt::pid_file, "--pid-file", o.pid_file);
  list.text(Opt::console_socket, "--console-socket", o.console_socket);
  return list;
}

/// A mode that the help of the flag does not name is refused by the runtime, after the container was touched.
bool value_known(const Dialect& dialect, const Spelling& spelling, const Given& option) {
  const bool from_a_list = option.opt == Opt::manage_cgroups || option.opt == Opt::compression ||
                           option.opt == Opt::no_compression || option.opt == Opt::later_compression;
  if (!from_a_list) return true;
  const std::string& words = dialect.flags.flags.at(std::string(spelling.text));
  const auto part_of_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
  };
  for (std::size_t at = words.find(*option.value); at != std::string::npos;
       at = words.find(*option.value, at + 1)) {
    const std::size_t end = at + option.value->size();
    if ((at == 0 || !part_of_word(words[at - 1])) && (end == words.size() || !part_of_word(words[end])))
      return true;
  }
  return false;
}

void deliver(const Dialect& dialect, const OptionRow& row, const Given& option, Delivery& delivery) {
  for (const Spelling& spelling : row.spellings) {
    const std::string text(spelling.text);
    if (spelling.how == Spelling::How::builtin) return;
    if (spelling.how == Spelling::How::criu_config) {
      delivery.criu_config.push_back(option.value ? text + " " + *option.value : text);
      return;
    }
    if (!dialect.flags.has(text) || !value_known(dialect, spelling, option)) continue;
    delivery.args.push_back(text);
    if (option.value) delivery.args.push_back(*option.value);
    return;
  }
  throw cannot_take(dialect, option.name + (option.value ? " " + *option.value : ""),
                    std::string(row.instead));
}

Delivery walk(const Dialect& dialect, const OptionTable& table, const GivenList& options,
              const std::string& id) {
  Delivery delivery;
  for (const OptionRow& row : table)
    if (const Given* option = options.find(row.opt)) deliver(dialect, row, *option, delivery);
  delivery.args.push_back(id);
  return delivery;
}

Argv start_args(const RunOpts& opts, const std::string& id) {
  Argv args;
  const auto add = [&](const char* flag, const std::optional<std::string>& value) {
    if (value) args.insert(args.end(), {flag, *value});
  };
  add("--bundle", opts.bundle_path);
  add("--pid-file", opts.pid_file);
  add("--console-socket", opts.console_socket);
  if (opts.no_pivot.value_or(false)) args.emplace_back("--no-pivot");
  args.push_back(id);
  return args;
}

}  // namespace

Error cannot_take(const Dialect& dialect, const std::string& what, const std::string& instead) {
  return Error(ErrorCode::unsupported, fmt::format("{} {} ('{}') has no way to take {}", dialect.table.name,
                                                   dialect.version, dialect.path, what))
      .with_runtime(std::string(dialect.table.name))
      .with_hint(instead);
}

Delivery checkpoint_delivery(const Dialect& dialect, const CheckpointOpts& opts, const std::string& id) {
  return walk(dialect, dialect.table.checkpoint, given(opts), id);
}

Delivery restore_delivery(const Dialect& dialect, const RestoreOpts& opts, const std::string& id) {
  return walk(dialect, dialect.table.restore, given(opts), id);
}

Argv global_args(const Target& target) {
  Argv args = {"--root", target.root};
  if (target.platform) args.insert(args.end(), {"--platform", *target.platform});
  if (target.nvproxy) args.emplace_back("--nvproxy=true");
  args.insert(args.end(), target.runtime_args.begin(), target.runtime_args.end());
  return args;
}

Argv create_args(const RunOpts& opts, const std::string& id) {
  return start_args(opts, id);
}
Argv run_args(const RunOpts& opts, const std::string& id) {
  return start_args(opts, id);
}

}  // namespace ckpt
