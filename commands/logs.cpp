// ckpt logs [-f] ID: what the container wrote, over all its lives; -f goes on until it ends.
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands/engine_names.h"
#include "commands/verbs.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

struct LogsOptions {
  std::string id;
  bool follow = false;
};

void copy_rest(const Context& context, int fd) {
  char buffer[65536];
  for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
    context.out.raw({buffer, static_cast<std::size_t>(n)});
}

/// The log so far as one document; bytes that are no UTF-8 are replaced in it.
void show_document(const Context& context, const std::string& id, const std::string& path) {
  const auto text = read_file(path, std::string::npos);
  context.out.document({{"id", id}, {"log", path}, {"output", text.value_or("")}});
}

void follow(const Context& context, int fd, const std::string& path, const Record& record) {
  const Fd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ::inotify_add_watch(changes.get(), path.c_str(), IN_MODIFY);
  const Fd monitor(static_cast<int>(::syscall(SYS_pidfd_open, record.monitor, 0)));
  while (monitor && monitor_alive(record)) {
    copy_rest(context, fd);
    pollfd polled[] = {{changes.get(), POLLIN, 0}, {monitor.get(), POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
    ::poll(polled, 3, -1);
    throw_if_interrupted();
    char events[4096];
    while (::read(changes.get(), events, sizeof events) > 0) {
    }
  }
  copy_rest(context, fd);
}

/// The log outlives the container: after its end or its checkpoint it is found by its default place.
int show_logs(Context& context, LogsOptions o) {
  o.id = id_of(context, o.id);
  if (o.follow && context.globals.json)
    throw Error(ErrorCode::usage, "--follow has no end, and --json prints one document; leave one out");
  std::optional<Record> record;
  std::string path = context.default_log(o.id).string();
  for (Record& known : context.records.of_id(o.id)) record = std::move(known);
  if (record && record->log_path.empty())
    throw Error(ErrorCode::not_found, fmt::format("the output of '{}' is not logged: it {}", o.id,
                                                  record->attached   ? "runs attached"
                                                  : record->terminal ? "has a console socket"
                                                                     : "has the streams of who started it"))
        .with_hint("run it with --log-path");
  if (record) path = record->log_path;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && !record) context.find(o.id);
  if (!fd)
    throw Error(ErrorCode::not_found,
                fmt::format("there is no log of '{}': cannot read '{}': {}", o.id, path, errno_text(errno)))
        .with_hint("only containers that ckpt started have one");
  if (context.globals.json)
    show_document(context, o.id, path);
  else
    copy_rest(context, fd.get());
  if (o.follow && record) follow(context, fd.get(), path, *record);
  if (const std::string lost = record ? context.records.lost_output(*record) : ""; !lost.empty())
    context.out.warn(
        fmt::format("part of the output of '{}' could not be written to '{}' {}", o.id, path, lost));
  return 0;
}

}  // namespace

Action declare_logs(CLI::App& app) {
  auto o = std::make_shared<LogsOptions>();
  app.add_flag("-f,--follow", o->follow, "go on until the container ends");
  app.add_option("ID", o->id, "container")->required();
  return [o](Context& context) { return show_logs(context, *o); };
}

}  // namespace ckpt
