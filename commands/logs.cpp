// ckpt logs [-f] ID: what the container wrote, over all its lives; -f goes on until it ends.
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
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

Fd open_log(const fs::path& path) {
  return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

bool same_file(int a, int b) {
  struct stat one = {}, other = {};
  return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_ino == other.st_ino &&
         one.st_dev == other.st_dev;
}

/// A log in its order. Its monitor may begin it anew at any moment.
struct Parts {
  Fd older, newest;
  unsigned number = 0;  ///< of `older`
  bool dropped() const { return number > 1; }
};

Parts open_parts(const fs::path& path) {
  Parts parts;
  for (int tries = 0; tries < 5; ++tries) {
    if (tries > 0) ::poll(nullptr, 0, 5);
    parts = {.older = {}, .newest = open_log(path)};
    const int error = errno;
    const auto older = older_log(path);
    if (older) parts.older = open_log(older->path);
    parts.number = older ? older->number : 0;
    errno = error;
    const bool both = parts.newest && parts.older;
    if (parts.newest && (!older || (both && !same_file(parts.older.get(), parts.newest.get())))) break;
    if (!parts.newest && !older) break;
  }
  return parts;
}

/// The log so far as one document; bytes that are no UTF-8 are replaced in it.
void show_document(const Context& context, const std::string& id, const std::string& path,
                   const Parts& parts) {
  std::string text;
  for (const Fd* part : {&parts.older, &parts.newest})
    if (*part)
      text += read_file(fmt::format("/proc/self/fd/{}", part->get()), std::string::npos).value_or("");
  context.out.document({{"id", id}, {"log", path}, {"output", text}, {"dropped", parts.dropped()}});
}

/// After what was the newest part is read to its end: true when that became an older one meanwhile, and there
/// is more to read.
bool go_on_in_next(const Context& context, Parts& at, const fs::path& path) {
  Parts now = open_parts(path);
  if (!now.newest || same_file(now.newest.get(), at.newest.get())) return false;
  copy_rest(context, at.newest.get());
  if (now.number > at.number + 2)
    context.out.warn("more was written than the log may have before it was read; a part is left out");
  if (now.number > at.number + 1) copy_rest(context, now.older.get());
  at = std::move(now);
  return true;
}

void follow(const Context& context, Parts at, const fs::path& path, const Record& record) {
  const Fd monitor(static_cast<int>(::syscall(SYS_pidfd_open, record.monitor, 0)));
  const Fd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  // A log that begins anew is a new name in the directory.
  ::inotify_add_watch(changes.get(), path.parent_path().c_str(), IN_CREATE | IN_MOVED_TO);
  int watched = ::inotify_add_watch(changes.get(), path.c_str(), IN_MODIFY);
  while (monitor && monitor_alive(record)) {
    copy_rest(context, at.newest.get());
    if (go_on_in_next(context, at, path)) {
      ::inotify_rm_watch(changes.get(), watched);
      watched = ::inotify_add_watch(changes.get(), path.c_str(), IN_MODIFY);
      continue;
    }
    pollfd polled[] = {{changes.get(), POLLIN, 0}, {monitor.get(), POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
    ::poll(polled, 3, -1);
    throw_if_interrupted();
    char events[4096];
    while (::read(changes.get(), events, sizeof events) > 0) {
    }
  }
  do copy_rest(context, at.newest.get());
  while (go_on_in_next(context, at, path));
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
  Parts parts = open_parts(path);
  const int error = errno;
  const bool any = parts.newest || parts.older;
  if (!any && !record) context.find(o.id);
  if (!any)
    throw Error(ErrorCode::not_found,
                fmt::format("there is no log of '{}': cannot read '{}': {}", o.id, path, errno_text(error)))
        .with_hint("only containers that ckpt started have one");
  if (parts.dropped())
    context.out.warn(fmt::format(
        "the beginning of the output of '{}' is gone: its log had the size that --log-max allows", o.id));
  if (context.globals.json)
    show_document(context, o.id, path, parts);
  else
    for (const Fd* part : {&parts.older, &parts.newest})
      if (*part) copy_rest(context, part->get());
  if (o.follow && record) follow(context, std::move(parts), path, *record);
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
