// The judgements before a checkpoint, a topic each.
#include "commands/obstacles.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "commands/images.h"

namespace ckpt {
namespace {

using Status = Check::Status;
using Names = std::vector<std::string>;

std::string list_of(const Names& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

Check about(const Case& one, const char* name, std::string fine) {
  return {.area = one.id, .name = name, .status = Status::ok, .found = std::move(fine)};
}

Check judged(Check check, Status status, std::string found, std::string fix) {
  check.status = status;
  check.found = std::move(found);
  check.fix = std::move(fix);
  return check;
}

Check exec_sessions(const Case& one) {
  Check check = about(one, "exec-sessions", "none");
  const Names& sessions = one.findings.exec_sessions;
  if (sessions.empty()) return check;
  if (!one.runtime.shares_host_kernel)
    return judged(check, Status::fails,
                  "exec sessions are alive, and an image with them cannot be restored: " + list_of(sessions),
                  "end them first");
  return judged(check, Status::warning,
                "processes of exec sessions are not part of the checkpoint: " + list_of(sessions), "");
}

Check stdio(const Case& one) {
  const auto& kinds = one.findings.stdio;
  Check check = about(one, "stdio", fmt::format("{}", fmt::join(kinds, ", ")));
  if (one.findings.bad_stdio.empty() || one.opts.shell_job.value_or(false)) return check;
  return judged(check, Status::fails, fmt::format("{}", fmt::join(one.findings.bad_stdio, "; ")),
                "start it with 'ckpt run', or with pipes or /dev/null as its stdio");
}

Check deleted_files(const Case& one) {
  Check check = about(one, "deleted-files", "none that needs --link-remap");
  const Names& files = one.findings.linked_deleted;
  if (files.empty()) return check;
  if (!one.opts.link_remap.value_or(false))
    return judged(check, Status::fails, "deleted files that have another name are open: " + list_of(files),
                  "pass --link-remap (without --leave-running)");
  if (!one.stop)
    return judged(
        check, Status::fails,
        "--link-remap with --leave-running makes an image that cannot be restored: " + list_of(files),
        "leave --leave-running out");
  check.found = "saved by --link-remap: " + list_of(files);
  return check;
}

Check ghost_files(const Case& one) {
  const std::uint64_t largest = one.findings.largest_ghost;
  return about(one, "ghost-files",
               largest == 0 ? "none" : fmt::format("the largest deleted open file has {}", human(largest)));
}

Check connections(const Case& one) {
  Check check = about(one, "tcp", "no established connection");
  const Names& open = one.findings.connections;
  if (open.empty()) return check;
  if (!one.opts.allow_open_tcp.value_or(false))
    return judged(check, Status::fails, "it has an established TCP connection, " + list_of(open),
                  "pass --tcp-established or --tcp close, or close it");
  if (one.opts.tcp_close.value_or(false))
    return judged(check, Status::warning,
                  "its processes will find these connections closed when restored: " + list_of(open), "");
  if (cannot_keep_connections(one))
    return judged(check, Status::fails,
                  "runc cannot restore its TCP connections into a network namespace of its own making",
                  "pass --tcp close, give it a network namespace by path with lo up, or use crun");
  check.found = "saved by --tcp-established: " + list_of(open);
  return check;
}

Check file_locks(const Case& one) {
  const Names& holders = one.findings.lock_holders;
  return about(one, "file-locks", holders.empty() ? "none" : "saved: " + list_of(holders));
}

Check watches(const Case& one) {
  Check check = about(one, "watches", "none that CRIU needs a path for");
  if (!one.watches.lost.empty())
    return judged(
        check, Status::fails,
        "inotify or fanotify watches a file that CRIU cannot find again, since its file system opens "
        "none by a handle and no path of it is known: " +
            list_of(one.watches.lost),
        "watch the directory instead, or what lies on a volume");
  if (!one.watches.paths.empty()) check.found = "found by their paths: " + list_of(one.watches.paths);
  return check;
}

Check pid_namespace(const Case& one) {
  Check check = about(one, "pid-namespace", "its own");
  if (!one.findings.host_pid_namespace) return check;
  return judged(check, Status::warning,
                "it shares the host's pid namespace, and restores only while its pids are free", "");
}

// ---- what CRIU would refuse

struct Topic {
  const char* name;
  Names CloserFindings::*found;
  Status status;
  const char* says;
  const char* fix;
};
constexpr Topic kTopics[] = {
    {"io-uring", &CloserFindings::io_uring, Status::fails, "CRIU cannot dump io_uring",
     "run it without io_uring (Node.js and libuv: UV_USE_IO_URING=0) or block io_uring_setup by seccomp"},
    {"devices", &CloserFindings::devices, Status::fails, "CRIU dumps a device only with a plugin for it",
     "close it before the checkpoint"},
    {"unix-streams", &CloserFindings::unix_streams, Status::fails,
     "a unix socket is connected to a process outside the container",
     "close the connection before the checkpoint"},
    {"tracer", &CloserFindings::traced, Status::fails, "a debugger or tracer holds a process",
     "detach it before the checkpoint"},
    {"namespaces", &CloserFindings::namespaces, Status::fails,
     "a process made a namespace of its own, of a kind that CRIU does not nest",
     "stop that process before the checkpoint"},
    {"kernel-objects", &CloserFindings::anonymous, Status::fails,
     "a descriptor is of a kind that CRIU cannot save", "close it before the checkpoint"},
    {"sockets", &CloserFindings::sockets, Status::fails, "a socket's protocol is none that CRIU can save",
     "close it before the checkpoint (Go programs use MPTCP no more with GODEBUG=multipathtcp=0)"},
    {"users", &CloserFindings::users, Status::fails,
     "ckpt has no CAP_SYS_RESOURCE, without which CRIU cannot read the limits of other users' processes",
     "run ckpt with that capability; in a container or a service it must be granted"},
    {"personality", &CloserFindings::personalities, Status::warning,
     "a process has a personality(2), which CRIU does not restore", ""},
    {"inotify", &CloserFindings::inotify, Status::warning,
     "watched files must be there, the same, at the restore", ""},
};

Check datagrams(const Case& one, const CloserFindings& found) {
  Check check = about(one, "unix-datagrams", "none goes outside");
  if (found.unix_datagrams.empty()) return check;
  if (found.private_network)
    return judged(
        check, Status::fails,
        "a unix socket is connected to a process outside, and CRIU takes it along only in the host's "
        "network namespace: " +
            list_of(found.unix_datagrams),
        "close it before the checkpoint");
  if (one.opts.ext_unix_sk.value_or(false)) {
    check.found = "connected again by --ext-unix-sk: " + list_of(found.unix_datagrams);
    return check;
  }
  return judged(
      check, Status::fails,
      "a unix socket is connected to a process outside the container: " + list_of(found.unix_datagrams),
      "pass --ext-unix-sk at checkpoint and restore");
}

/// CRIU connects them again, which needs a way to the other end.
Check udp(const Case& one, const CloserFindings& found) {
  Check check = about(one, "udp", "none is connected");
  if (found.udp.empty()) return check;
  check.found = "connected: " + list_of(found.udp);
  if (!cannot_keep_connections(one)) return check;
  return judged(check, Status::fails,
                "runc cannot restore its connected UDP sockets into a network namespace of its own making: " +
                    list_of(found.udp),
                "give it a network namespace by path with lo up, or use crun");
}

Check sessions(const Case& one, const CloserFindings& found) {
  Check check = about(one, "sessions", "all begun inside");
  if (found.sessions.empty() || one.opts.shell_job.value_or(false)) return check;
  return judged(check, Status::fails,
                "a process belongs to a session that was begun outside: " + list_of(found.sessions),
                "start it with a session of its own, or pass --shell-job");
}

/// Nobody tells an engine of a checkpoint; it sees a container that ends.
std::vector<Check> engine(const Case& one) {
  if (!one.engine) return {};
  Check check = about(one, "engine", fmt::format("a container of {}", one.engine->name));
  if (!one.stop) return {check};
  return {judged(check, Status::warning, fmt::format("{}: {}", check.found, after_its_end(*one.engine)),
                 "--leave-running leaves it to its engine")};
}

}  // namespace

bool within(const Names& connections) {
  constexpr std::string_view kArrow = " -> ";
  const std::set<std::string> all(connections.begin(), connections.end());
  return std::all_of(all.begin(), all.end(), [&](const std::string& one) {
    const std::size_t arrow = one.find(kArrow);
    return arrow != std::string::npos && all.contains(fmt::format("{}{}{}", one.substr(arrow + kArrow.size()),
                                                                  kArrow, one.substr(0, arrow)));
  });
}

bool cannot_keep_connections(const Case& one) {
  return one.runtime.kind == RuntimeKind::runc && one.own_network;
}

std::vector<Check> obstacles(const Case& one) {
  std::vector<Check> checks = {exec_sessions(one)};
  for (Check& check : engine(one)) checks.push_back(std::move(check));
  if (one.runtime.shares_host_kernel)
    for (const auto& judge :
         {stdio, deleted_files, ghost_files, connections, file_locks, watches, pid_namespace})
      checks.push_back(judge(one));
  return checks;
}

std::vector<Check> closer_obstacles(const Case& one, const CloserFindings& found) {
  std::vector<Check> checks;
  for (const Topic& topic : kTopics) {
    Check check = about(one, topic.name, "none");
    const Names& names = found.*topic.found;
    checks.push_back(names.empty() ? check
                                   : judged(check, topic.status,
                                            fmt::format("{}: {}", topic.says, list_of(names)), topic.fix));
  }
  checks.push_back(datagrams(one, found));
  checks.push_back(udp(one, found));
  checks.push_back(sessions(one, found));
  return checks;
}

Check room_for(const std::string& id, std::uint64_t memory, std::uint64_t free, const std::string& store) {
  Check check{.area = id, .name = "space", .status = Status::ok};
  check.found = fmt::format("at most {} of memory, {} free in '{}'", human(memory), human(free), store);
  if (memory <= free) return check;
  return judged(check, Status::fails, check.found,
                "make room ('ckpt images prune'), or name another disk with --store or --image-path");
}

}  // namespace ckpt
