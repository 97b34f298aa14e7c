// Runs a command and stops at each of its steps, the system calls by which it changes something; and at one
// of them, or at each, does something to it.
//
//   stepper TRACE COMMAND...                    only writes TRACE
//   stepper TRACE N kill|term COMMAND...        at step N: SIGKILL, SIGTERM, before the call is made
//   stepper TRACE N enospc|eio COMMAND...       the N-th call that a disk can refuse fails so
//   stepper TRACE each HOOK COMMAND...          at each step HOOK, a shell command, is run with STEP=N; it
//   waits for it
//
// TRACE gets one line per step: number, number among those that a disk can refuse or '-', call, what it is
// about. Only the main thread is looked at: not the other threads, which only read in ckpt, and not the
// children. A number of equal calls after each other that only flush or set modes is one step. The first wait
// after a child was started is a step as well: the child runs then. The exit status is the command's, 128 and
// the signal's number when one killed it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the registers of other processors are to be written"
#endif

enum { kPath = 512, kBroken = 120 };

/// What tells of a call what it is about: an argument that is a path, or a descriptor.
enum subject { kNothing, kPath0, kPath1, kFd0 };
static const struct call {
  long number;
  const char* name;
  enum subject subject;
  char refusable;  ///< a full or broken disk makes it fail
  char merges;
} calls[] = {
    {SYS_openat, "openat", kPath1, 1, 0},     {SYS_open, "open", kPath0, 1, 0},
    {SYS_creat, "creat", kPath0, 1, 0},       {SYS_write, "write", kFd0, 1, 0},
    {SYS_writev, "writev", kFd0, 1, 0},       {SYS_pwrite64, "pwrite64", kFd0, 1, 0},
    {SYS_sendfile, "sendfile", kFd0, 1, 0},   {SYS_copy_file_range, "copy_file_range", kNothing, 1, 0},
    {SYS_fallocate, "fallocate", kFd0, 1, 0}, {SYS_ftruncate, "ftruncate", kFd0, 1, 0},
    {SYS_mkdir, "mkdir", kPath0, 1, 0},       {SYS_mkdirat, "mkdirat", kPath1, 1, 0},
    {SYS_mknodat, "mknodat", kPath1, 1, 0},   {SYS_rename, "rename", kPath0, 1, 0},
    {SYS_renameat, "renameat", kPath1, 1, 0}, {SYS_renameat2, "renameat2", kPath1, 1, 0},
    {SYS_link, "link", kPath0, 1, 0},         {SYS_linkat, "linkat", kPath1, 1, 0},
    {SYS_symlink, "symlink", kPath0, 1, 0},   {SYS_symlinkat, "symlinkat", kPath0, 1, 0},
    {SYS_fsync, "fsync", kFd0, 1, 1},         {SYS_fdatasync, "fdatasync", kFd0, 1, 1},
    {SYS_syncfs, "syncfs", kFd0, 1, 1},       {SYS_unlink, "unlink", kPath0, 0, 0},
    {SYS_unlinkat, "unlinkat", kPath1, 0, 0}, {SYS_rmdir, "rmdir", kPath0, 0, 0},
    {SYS_chmod, "chmod", kPath0, 0, 1},       {SYS_fchmod, "fchmod", kFd0, 0, 1},
    {SYS_fchmodat, "fchmodat", kPath1, 0, 1}, {SYS_chown, "chown", kPath0, 0, 1},
    {SYS_fchownat, "fchownat", kPath1, 0, 1}, {SYS_mount, "mount", kPath1, 0, 0},
    {SYS_umount2, "umount2", kPath0, 0, 0},   {SYS_flock, "flock", kFd0, 0, 0},
    {SYS_kill, "kill", kNothing, 0, 0},       {SYS_clone, "clone", kNothing, 0, 0},
    {SYS_clone3, "clone3", kNothing, 0, 0},   {SYS_vfork, "vfork", kNothing, 0, 0},
    {SYS_poll, "poll", kNothing, 0, 0},
};

static void broken(const char* what) {
  fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno));
  exit(kBroken);
}

static const struct call* call_of(long number) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i)
    if (calls[i].number == number) return &calls[i];
  return NULL;
}

static void read_path(pid_t pid, unsigned long address, char* into) {
  size_t n = 0;
  // Page by page: what lies behind the string need not be there.
  while (n < kPath - 1) {
    size_t want = 4096 - (address + n) % 4096;
    if (want > kPath - 1 - n) want = kPath - 1 - n;
    struct iovec here = {into + n, want}, there = {(void*)(address + n), want};
    const ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    if (got <= 0) break;
    if (memchr(into + n, '\0', (size_t)got) != NULL) return;
    n += (size_t)got;
  }
  into[n] = '\0';
}

static void read_link(pid_t pid, long fd, char* into) {
  char link[64];
  snprintf(link, sizeof link, "/proc/%d/fd/%ld", pid, fd);
  const ssize_t n = readlink(link, into, kPath - 1);
  into[n > 0 ? n : 0] = '\0';
}

static void subject_of(pid_t pid, const struct call* call, const struct user_regs_struct* r, char* into) {
  into[0] = '\0';
  if (call->subject == kPath0) read_path(pid, r->rdi, into);
  if (call->subject == kPath1) read_path(pid, r->rsi, into);
  if (call->subject == kFd0) read_link(pid, (int)r->rdi, into);
}

/// Whether it changes something: not an open that only reads, not what is said to a pipe or a person.
static int changes(const struct call* call, const struct user_regs_struct* r, const char* subject) {
  if (call->number == SYS_openat) return (r->rdx & O_CREAT) != 0;
  if (call->number == SYS_open) return (r->rsi & O_CREAT) != 0;
  if (call->number == SYS_write || call->number == SYS_writev) return subject[0] == '/' && (int)r->rdi != 2;
  return 1;
}

static int starts_child(const struct call* call) {
  return call->number == SYS_clone || call->number == SYS_clone3 || call->number == SYS_vfork;
}

static const char* wanted;  // kill, term, enospc, eio
static const char* hook;    // for each step
static long at;
static FILE* trace;
static const struct call* last;
static int child_started;
static long steps, refusables;

static void run_hook(void) {
  char step[32];
  snprintf(step, sizeof step, "%ld", steps);
  setenv("STEP", step, 1);
  if (system(hook) != 0) {
    fprintf(stderr, "stepper: the hook failed at step %ld\n", steps);
    exit(kBroken);
  }
}

static void fail_with(pid_t pid, struct user_regs_struct* r, int error) {
  int status = 0;
  r->orig_rax = (unsigned long)-1;
  if (ptrace(PTRACE_SETREGS, pid, 0, r) != 0 || ptrace(PTRACE_SYSCALL, pid, 0, 0) != 0 ||
      waitpid(pid, &status, 0) != pid)
    broken("cannot make a call fail");
  r->rax = (unsigned long)(long)-error;
  if (ptrace(PTRACE_SETREGS, pid, 0, r) != 0) broken("cannot set a call's result");
}

/// Returns 1 when the call's end has been seen already.
static int enter(pid_t pid) {
  struct user_regs_struct r;
  char subject[kPath];
  if (ptrace(PTRACE_GETREGS, pid, 0, &r) != 0) return 0;
  const struct call* call = call_of((long)r.orig_rax);
  if (call == NULL) return 0;
  subject_of(pid, call, &r, subject);
  if (!changes(call, &r, subject)) return 0;
  if (call->number == SYS_poll && !child_started) return 0;
  child_started = starts_child(call);
  const int merged = call->merges && call == last;
  last = call;
  if (merged) return 0;
  ++steps;
  if (call->refusable) ++refusables;
  fprintf(trace, "%ld ", steps);
  fprintf(trace, call->refusable ? "%ld" : "-", refusables);
  fprintf(trace, " %s %s\n", call->number == SYS_poll ? "wait" : call->name, subject);
  fflush(trace);
  if (hook != NULL) run_hook();
  if (wanted == NULL) return 0;
  const int error = strcmp(wanted, "enospc") == 0 ? ENOSPC : strcmp(wanted, "eio") == 0 ? EIO : 0;
  if (error != 0 ? refusables != at || !call->refusable : steps != at) return 0;
  if (strcmp(wanted, "kill") == 0) kill(pid, SIGKILL);
  if (strcmp(wanted, "term") == 0) kill(pid, SIGTERM);
  if (error != 0) fail_with(pid, &r, error);
  return error != 0;
}

static int follow(pid_t pid) {
  int status = 0, inside = 0, signal = 0;
  if (waitpid(pid, &status, 0) != pid) broken("it did not start");
  if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) broken("ptrace");
  for (;;) {
    if (ptrace(PTRACE_SYSCALL, pid, 0, signal) != 0 && errno != ESRCH) broken("ptrace");
    if (waitpid(pid, &status, 0) != pid) broken("wait");
    signal = 0;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      inside = !inside;
      if (inside && enter(pid)) inside = 0;
    } else if (WSTOPSIG(status) != SIGTRAP) {
      signal = WSTOPSIG(status);
    }
  }
}

int main(int argc, char** argv) {
  static const char* const things[] = {"kill", "term", "enospc", "eio"};
  int first = 2;
  if (argc > 4 && strcmp(argv[2], "each") == 0) {
    hook = argv[3];
    first = 4;
  } else if (argc > 4 && (at = strtol(argv[2], NULL, 10)) > 0) {
    for (size_t i = 0; i < sizeof things / sizeof *things; ++i)
      if (strcmp(argv[3], things[i]) == 0) wanted = things[i];
    first = 4;
  }
  if (argc <= first || (at > 0 && wanted == NULL)) {
    fprintf(stderr, "usage: stepper TRACE [N kill|term|enospc|eio | each HOOK] COMMAND...\n");
    return kBroken;
  }
  trace = fopen(argv[1], "we");
  if (trace == NULL) broken(argv[1]);
  const pid_t pid = fork();
  if (pid < 0) broken("fork");
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execv(argv[first], argv + first);
    broken(argv[first]);
  }
  return follow(pid);
}
