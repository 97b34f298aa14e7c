// A runtime for tests: called as runc, crun or runsc it keeps states, starts a real process as the container,
// writes images, records every call, and misbehaves as told. Called as criu it only tells its version.
//
//   FAKE_RECORD        file that gets one JSON array per call, argv as it came
//   FAKE_DIR/help/     NAME-VERB.txt and NAME-global.txt, printed as help; a verb without a file does not
//   exist FAKE_DIR/version/  NAME: the version FAKE_DIR/do/       VERB (or VERB@<last part of --root>): lines
//   "WHEN WHAT [TEXT]" with WHEN before, instead or after
//                      the verb's effect, and WHAT
//                        gate        write the pid into FAKE_DIR/at/VERB, wait until FAKE_DIR/go/VERB exists
//                        gate-hard   the same, ignoring SIGTERM and SIGINT
//                        hang, hang-hard   gates that nobody opens
//                        sigkill     die of it
//                        fail TEXT   report an error as this runtime does, exit 1
//                        fail-N TEXT the same the first N times
//                        say TEXT    on stdout
//                        flood       100 MB on stderr
//                        quit        exit 0
//   FAKE_DIR/no-dirty-tracking  when there, `criu check` says no
//   FAKE_DIR/fail-image  a checkpoint into a directory with this in its name fails
//   FAKE_DIR/exit      when there, a container ends with this status as soon as it runs
//   FAKE_DIR/holds     devices, one in each line: a container holds null devices of these names open, in a
//                      mount namespace of its own
//   FAKE_DIR/comm      the name that a container's process gives itself once it runs
//   FAKE_DIR/pages     what a checkpoint writes as the memory
//   FAKE_DIR/images/   files that a checkpoint writes besides, or instead of its own
//   FAKE_DIR/restored  gets the memory that a restore was given
//   FAKE_DIR/restore.log  what a restore writes as CRIU's log
//   FAKE_DIR/criu.conf gets the CRIU configuration that a checkpoint or restore was given, FAKE_DIR/path its
//                      PATH
//   FAKE_DIR/pids      gets the pid of every container
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kText = 16384, kPath = 4096 };

static const char* name;  // runc, crun, runsc
static const char* home;  // FAKE_DIR
static const char *root = "/nonexistent", *log_file, *verb = "";
static const char *id, *image, *work, *bundle = ".", *pid_file, *signal_name;
static int leave_running, force, detach, no_image;
static char** rest;  // what stands behind the id

struct state {
  char status[32], bundle[kPath];
  int pid;
};

static void __attribute__((format(printf, 2, 3))) form(char* into, const char* how, ...) {
  va_list args;
  va_start(args, how);
  const int n = vsnprintf(into, kPath, how, args);
  va_end(args);
  if (n < 0 || n >= kPath) abort();
}

static int is(const char* a, const char* b) {
  return strcmp(a, b) == 0;
}

static void nap(void) {
  usleep(5000);
}

// ---- what was asked

static void record(int argc, char** argv) {
  static char line[1 << 16];
  size_t n = 0;
  const char* file = getenv("FAKE_RECORD");
  if (file == NULL) return;
  line[n++] = '[';
  for (int i = 0; i < argc; ++i) {
    if (i > 0) line[n++] = ',';
    line[n++] = '"';
    for (const char* c = argv[i]; *c != '\0' && n < sizeof line - 16; ++c) {
      if (*c == '"' || *c == '\\') line[n++] = '\\';
      if ((unsigned char)*c < ' ')
        n += (size_t)sprintf(line + n, "\\u%04x", *c);
      else
        line[n++] = *c;
    }
    line[n++] = '"';
  }
  n += (size_t)sprintf(line + n, "]\n");
  const int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, line, n) != (ssize_t)n) abort();
  close(fd);
}

static char* slurp(const char* path) {
  static char text[1 << 16];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  ssize_t n = 0, got;
  while ((got = read(fd, text + n, sizeof text - 1 - (size_t)n)) > 0) n += got;
  close(fd);
  text[n] = '\0';
  return text;
}

static void put(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
    fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
    exit(1);
  }
  close(fd);
}

/// As this runtime does: a line on stderr, and in the log when --log named one.
static void __attribute__((noreturn)) fail(const char* text) {
  if (log_file != NULL) {
    FILE* log = fopen(log_file, "a");
    if (log != NULL)
      fprintf(log, "{\"level\":\"error\",\"msg\":\"%s\",\"time\":\"2026-11-21T20:48:22Z\"}\n", text);
    if (log != NULL) fclose(log);
  }
  if (work != NULL && !is(name, "runsc") && (is(verb, "checkpoint") || is(verb, "restore"))) {
    char path[kPath], line[kPath];
    form(path, "%s/%s.log", work, is(verb, "restore") ? "restore" : "dump");
    form(line, "(00.000100) Error (criu/files.c:1): %s\n", text);
    put(path, line);
  }
  if (is(name, "runc"))
    fprintf(stderr, "time=\"2026-11-21T20:48:22Z\" level=error msg=\"%s\"\n", text);
  else
    fprintf(stderr, "%s\n", text);
  exit(is(name, "runsc") ? 128 : 1);
}

// ---- misbehaving

static void gate(int hard, int opens) {
  char path[kPath];
  if (hard) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
  }
  char pid[16];
  snprintf(pid, sizeof pid, "%d", getpid());
  form(path, "%s/at", home);
  mkdir(path, 0700);
  form(path, "%s/at/%s", home, verb);
  put(path, pid);
  form(path, "%s/go/%s", home, verb);
  while (!opens || access(path, F_OK) != 0) nap();
}

static void flood(void) {
  static char block[1 << 16];
  memset(block, 'x', sizeof block);
  for (size_t i = 79; i < sizeof block; i += 80) block[i] = '\n';
  for (long left = 100L << 20; left > 0;) {
    const ssize_t n = write(2, block, sizeof block);
    if (n < 0) exit(1);
    left -= n;
  }
}

/// How often this has been asked with this verb, with this time.
static int times(void) {
  char path[kPath], count[16];
  form(path, "%s/times", home);
  mkdir(path, 0700);
  form(path, "%s/times/%s", home, verb);
  const char* before = slurp(path);
  const int now = (before != NULL ? atoi(before) : 0) + 1;
  snprintf(count, sizeof count, "%d", now);
  put(path, count);
  return now;
}

static void misbehave(const char* what, const char* text) {
  if (is(what, "gate") || is(what, "gate-hard")) gate(is(what, "gate-hard"), 1);
  if (is(what, "hang") || is(what, "hang-hard")) gate(is(what, "hang-hard"), 0);
  if (is(what, "sigkill")) kill(getpid(), SIGKILL);
  if (is(what, "flood")) flood();
  if (is(what, "say")) printf("%s\n", text);
  if (is(what, "fail")) fail(text);
  if (strncmp(what, "fail-", 5) == 0 && times() <= atoi(what + 5)) fail(text);
  if (is(what, "no-image")) no_image = 1;
  if (is(what, "quit")) exit(0);
}

/// Returns whether anything was to be done at that time.
static int told(const char* when) {
  char path[kPath], lines[kText];
  const char* part = strrchr(root, '/');
  form(path, "%s/do/%s@%s", home, verb, part != NULL ? part + 1 : root);
  const char* text = slurp(path);
  form(path, "%s/do/%s", home, verb);
  if (text == NULL) text = slurp(path);
  if (text == NULL) return 0;
  snprintf(lines, sizeof lines, "%s", text);
  int any = 0;
  char* save = NULL;
  for (char* line = strtok_r(lines, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
    char at[16] = "", what[16] = "";
    int skip = 0;
    sscanf(line, "%15s %15s %n", at, what, &skip);
    if (!is(at, when)) continue;
    any = 1;
    misbehave(what, line + skip);
  }
  return any;
}

// ---- states, in the place and under the name where each runtime has them

static void state_path(char* into, const char* of) {
  if (is(name, "runsc"))
    form(into, "%s/%s_sandbox:%s.state", root, of, of);
  else
    form(into, "%s/%s/%s", root, of, is(name, "runc") ? "state.json" : "status");
}

static int lives(int pid) {
  char path[kPath];
  form(path, "/proc/%d/stat", pid);
  const char* text = slurp(path);
  const char* end = text != NULL ? strrchr(text, ')') : NULL;
  return end != NULL && end[2] != 'Z' && end[2] != 'X';
}

static int load(const char* of, struct state* state) {
  char path[kPath];
  state_path(path, of);
  const char* text = slurp(path);
  if (text == NULL || sscanf(text, "{\"status\":\"%31[^\"]\",\"pid\":%d,\"bundle\":\"%4095[^\"]\"}",
                             state->status, &state->pid, state->bundle) != 3)
    return 0;
  if (!lives(state->pid)) strcpy(state->status, "stopped");
  return 1;
}

static void save(const struct state* state) {
  char path[kPath], beside[kPath], text[kText];
  mkdir(root, 0711);
  form(path, "%s/%s", root, id);
  if (!is(name, "runsc")) mkdir(path, 0700);
  state_path(path, id);
  form(beside, "%.4000s.new", path);
  snprintf(text, sizeof text,
           "{\"status\":\"%s\",\"pid\":%d,\"bundle\":\"%s\",\"bundleDir\":\"%s\",\"config\":{\"labels\":["
           "\"bundle=%s\"]}}",
           state->status, state->pid, state->bundle, state->bundle, state->bundle);
  put(beside, text);
  if (rename(beside, path) != 0) abort();
}

static struct state need(void) {
  struct state state;
  if (id == NULL) fail("a container id is needed");
  if (!load(id, &state)) fail("container does not exist");
  return state;
}

static void forget(void) {
  char path[kPath];
  state_path(path, id);
  unlink(path);
  form(path, "%s/%s", root, id);
  rmdir(path);
}

static void print_state(const char* of, const struct state* state) {
  printf(
      "{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"pid\":%d,\"status\":\"%s\",\"bundle\":\"%s\",\"created\":"
      "\"2026-11-21T20:48:22Z\"}",
      of, is(state->status, "stopped") ? 0 : state->pid, state->status, state->bundle);
}

// ---- the container

/// The host's /dev stays as it is: the devices are in a file system that only this process sees.
static void hold_devices(void) {
  char path[kPath];
  form(path, "%s/holds", home);
  char *lines = slurp(path), *save = NULL;
  if (lines == NULL) return;
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("tmpfs", "/dev", "tmpfs", 0, NULL) != 0)
    _exit(1);
  for (char* line = strtok_r(lines, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
    if (mknod(line, S_IFCHR | 0600, makedev(1, 3)) != 0 || open(line, O_RDONLY) < 0) _exit(1);
}

static void __attribute__((noreturn)) container(int started, int ready) {
  char path[kPath];
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  setsid();
  prctl(PR_SET_NAME, "fake-container");
  const int told = dup2(ready, 3);
  close_range(4, ~0U, 0);
  hold_devices();
  if (write(told, "r", 1) != 1) _exit(1);
  close(told);
  while (!started) {
    const int signal = sigwaitinfo(&all, NULL);
    if (signal == SIGUSR1) started = 1;
    if (signal == SIGTERM || signal == SIGINT) _exit(128 + signal);
  }
  dprintf(1, "hello from the container\n");
  form(path, "%s/exit", home);
  const char* status = slurp(path);
  if (status != NULL) _exit(atoi(status));
  form(path, "%s/comm", home);
  const char* comm = slurp(path);
  if (comm != NULL) prctl(PR_SET_NAME, comm);
  for (;;) {
    const int signal = sigwaitinfo(&all, NULL);
    if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) _exit(128 + signal);
  }
}

/// In a pid namespace of its own; its parent will be whoever is the subreaper.
static int begin(int started) {
  int ready[2];
  char byte, path[kPath], line[32];
  if (pipe2(ready, O_CLOEXEC) != 0 || unshare(CLONE_NEWPID) != 0) fail("cannot make a pid namespace");
  fflush(NULL);
  const int pid = fork();
  if (pid == 0) container(started, ready[1]);
  close(ready[1]);
  if (pid < 0 || read(ready[0], &byte, 1) != 1) fail("cannot start the container");
  form(path, "%s/pids", home);
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || dprintf(fd, "%d\n", pid) < 0) abort();
  close(fd);
  snprintf(line, sizeof line, "%d", pid);
  struct state state = {.pid = pid};
  strcpy(state.status, started ? "running" : "created");
  snprintf(state.bundle, sizeof state.bundle, "%s", bundle);
  save(&state);
  if (pid_file != NULL) put(pid_file, line);
  return pid;
}

static void finish(int pid) {
  kill(pid, SIGKILL);
  while (lives(pid)) nap();
}

// ---- verbs

static void do_create(void) {
  struct state state;
  char path[kPath];
  form(path, "%.4000s/config.json", bundle);
  if (access(path, R_OK) != 0) fail("JSON specification file config.json not found");
  if (load(id, &state)) fail("container with given ID already exists");
  begin(0);
}

static void do_start(void) {
  struct state state = need();
  if (!is(state.status, "created")) fail("cannot start a container that is not created");
  kill(state.pid, SIGUSR1);
  strcpy(state.status, "running");
  save(&state);
}

static void change(const char* from, const char* to) {
  struct state state = need();
  if (!is(state.status, from)) fail(is(to, "paused") ? "container not running" : "container not paused");
  strcpy(state.status, to);
  save(&state);
}

static void do_pause(void) {
  change("running", "paused");
}
static void do_resume(void) {
  change("paused", "running");
}

static void do_kill(void) {
  struct state state = need();
  if (is(state.status, "stopped")) fail("container not running");
  for (int signal = 1; signal < NSIG; ++signal)
    if (sigabbrev_np(signal) != NULL && signal_name != NULL && is(signal_name, sigabbrev_np(signal)))
      kill(state.pid, signal);
}

static void do_delete(void) {
  struct state state;
  if (!load(id, &state)) {
    if (force) exit(0);
    fail("container does not exist");
  }
  if (!is(state.status, "stopped") && !force) fail("cannot delete a container that is not stopped");
  finish(state.pid);
  forget();
}

static void do_state(void) {
  const struct state state = need();
  print_state(id, &state);
  printf("\n");
}

static void do_list(void) {
  int any = 0;
  DIR* directory = opendir(root);
  printf("[");
  for (const struct dirent* entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
    char one[256];
    struct state state;
    snprintf(one, sizeof one, "%s", entry->d_name);
    char* mark = strstr(one, "_sandbox:");
    if (is(name, "runsc") && mark == NULL) continue;
    if (mark != NULL) *mark = '\0';
    if (one[0] == '.' || !load(one, &state)) continue;
    if (any++ > 0) printf(",");
    print_state(one, &state);
  }
  printf("]\n");
}

static void do_ps(void) {
  const struct state state = need();
  if (is(name, "runsc"))
    printf(
        "UID       PID       PPID      C         TTY       STIME     TIME      CMD\n"
        "0         1         0         0         ?         20:48     10ms      sleep\n");
  else
    printf("[%d]\n", state.pid);
}

static void do_exec(void) {
  need();
  if (rest[0] == NULL) fail("no command");
  const pid_t child = detach ? fork() : 0;
  if (child == 0 && detach) setsid();
  char line[32];
  snprintf(line, sizeof line, "%d", child > 0 ? child : getpid());
  if (pid_file != NULL && (!detach || child > 0)) put(pid_file, line);
  if (child > 0) exit(0);
  execvp(rest[0], rest);
  fail("executable file not found");
}

static void do_wait(void) {
  const struct state state = need();
  while (lives(state.pid)) nap();
  printf("{\"id\":\"%s\",\"exitStatus\":0}\n", id);
}

static void keep_criu_config(void) {
  char path[kPath];
  const char* file = getenv("CRIU_CONFIG_FILE");
  const char* text = file != NULL ? slurp(file) : NULL;
  form(path, "%s/criu.conf", home);
  if (text != NULL)
    put(path, text);
  else
    unlink(path);
  form(path, "%s/path", home);
  put(path, getenv("PATH") != NULL ? getenv("PATH") : "");
}

static void copy_file(const char* from, const char* to) {
  static char block[1 << 16];
  const int in = open(from, O_RDONLY | O_CLOEXEC);
  if (in < 0) return;
  const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (ssize_t n; (n = read(in, block, sizeof block)) > 0;)
    if (write(out, block, (size_t)n) != n) fail("cannot write pages");
  close(in);
  close(out);
}

/// FAKE_DIR/pages, if there is one.
static void copy_pages(const char* to) {
  char path[kPath];
  form(path, "%s/pages", home);
  copy_file(path, to);
}

/// The pages that a restore was given, as FAKE_DIR/restored.
static void keep_restored(void) {
  static char block[1 << 16];
  char path[kPath];
  form(path, "%.4000s/pages-1.img", image);
  const int in = open(path, O_RDONLY | O_CLOEXEC);
  if (in < 0) return;
  form(path, "%s/restored", home);
  const int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (ssize_t n; (n = read(in, block, sizeof block)) > 0;)
    if (write(out, block, (size_t)n) != n) abort();
  close(in);
  close(out);
}

/// Whatever is in FAKE_DIR/images.
static void copy_images(void) {
  char from[kPath], to[kPath];
  form(from, "%s/images", home);
  DIR* directory = opendir(from);
  if (directory == NULL) return;
  for (struct dirent* one; (one = readdir(directory)) != NULL;) {
    if (one->d_name[0] == '.') continue;
    form(from, "%s/images/%s", home, one->d_name);
    form(to, "%.3000s/%.255s", image, one->d_name);
    copy_file(from, to);
  }
  closedir(directory);
}

static void do_checkpoint(void) {
  struct state state = need();
  char path[kPath];
  keep_criu_config();
  if (!is(state.status, "running") && !is(state.status, "paused"))
    fail("cannot checkpoint a container that is not running");
  form(path, "%s/fail-image", home);
  const char* fails = slurp(path);
  if (fails != NULL && strstr(image, fails) != NULL) fail("told to fail");
  mkdir(image, 0700);
  form(path, "%.4000s/pages-1.img", image);
  put(path, "memory");
  copy_pages(path);
  form(path, "%.4000s/%s", image, is(name, "runsc") ? "checkpoint.img" : "inventory.img");
  if (!no_image) put(path, "inventory");
  copy_images();
  if (work != NULL && !is(name, "runsc")) {
    form(path, "%.4000s/dump.log", work);
    put(path, "(00.000100) Dumping finished successfully\n");
  }
  if (leave_running) return;
  finish(state.pid);
  forget();
}

static void do_restore(void) {
  struct state state;
  char path[kPath];
  keep_criu_config();
  if (load(id, &state)) fail("container with given ID already exists");
  form(path, "%.4000s/%s", image, is(name, "runsc") ? "checkpoint.img" : "inventory.img");
  if (access(path, R_OK) != 0) fail("no image");
  keep_restored();
  if (work != NULL && !is(name, "runsc")) {
    form(path, "%s/restore.log", home);
    const char* text = slurp(path);
    form(path, "%.4000s/restore.log", work);
    put(path, text != NULL ? text : "(00.000100) Restore finished successfully\n");
  }
  begin(1);
}

static const struct {
  const char* name;
  void (*run)(void);
} kVerbs[] = {
    {"create", do_create},   {"start", do_start},   {"pause", do_pause}, {"resume", do_resume},
    {"kill", do_kill},       {"delete", do_delete}, {"state", do_state}, {"list", do_list},
    {"ps", do_ps},           {"exec", do_exec},     {"wait", do_wait},   {"checkpoint", do_checkpoint},
    {"restore", do_restore},
};

// ---- the command line

static int __attribute__((noreturn)) help(const char* of) {
  char path[kPath];
  form(path, "%s/help/%s-%s.txt", home, name, of);
  const char* text = slurp(path);
  if (text == NULL && is(name, "runc")) fprintf(stderr, "No help topic for '%s'\n", of), exit(3);
  if (text == NULL) fprintf(stderr, "unknown command %s\n", of), exit(is(name, "runsc") ? 128 : 1);
  fputs(text, stdout);
  exit(0);
}

/// `criu check --feature mem_dirty_track`
static void check_feature(void) {
  char path[kPath];
  form(path, "%s/no-dirty-tracking", home);
  exit(access(path, F_OK) == 0);
}

static void version(void) {
  char path[kPath];
  form(path, "%s/version/%s", home, name);
  const char* text = slurp(path);
  printf(is(name, "criu") ? "Version: %s\n" : "%s version %s\n",
         is(name, "criu") ? (text != NULL ? text : "4.2") : name, text != NULL ? text : "1.0");
  exit(0);
}

static int takes_value(const char* flag) {
  static const char* const kFlags[] = {"--image-path",   "--work-path",
                                       "--work-dir",     "--bundle",
                                       "--pid-file",     "--console-socket",
                                       "--log",          "--log-format",
                                       "--root",         "--platform",
                                       "--format",       "--manage-cgroups-mode",
                                       "--compression",  "--cuda-checkpoint-path",
                                       "--parent-path",  "--cwd",
                                       "--user",         "--env",
                                       "--preserve-fds", "--pass-fd",
                                       "--network-lock", "--empty-ns",
                                       "--lsm-profile",  "--lsm-mount-context",
                                       "--status-fd"};
  for (size_t i = 0; i < sizeof kFlags / sizeof *kFlags; ++i)
    if (is(flag, kFlags[i])) return 1;
  return 0;
}

/// A flag that its own help does not show is refused, as the real ones do.
static void check_flag(const char* flag) {
  char path[kPath], shown[kPath];
  if (!is(verb, "checkpoint") && !is(verb, "restore")) return;
  form(path, "%s/help/%s-%s.txt", home, name, verb);
  const char* text = slurp(path);
  form(shown, "%s", is(name, "runsc") ? flag + 1 : flag);
  if (text != NULL && strstr(text, shown) != NULL) return;
  form(shown, "flag provided but not defined: %s", flag);
  fail(shown);
}

static void take(const char* flag, const char* value) {
  const struct {
    const char *flag, **into;
  } known[] = {{"--root", &root},     {"--log", &log_file},  {"--image-path", &image}, {"--work-path", &work},
               {"--work-dir", &work}, {"--bundle", &bundle}, {"--pid-file", &pid_file}};
  for (size_t i = 0; value != NULL && i < sizeof known / sizeof *known; ++i)
    if (is(flag, known[i].flag)) *known[i].into = value;
  if (is(flag, "--leave-running")) leave_running = 1;
  if (is(flag, "--force")) force = 1;
  if (is(flag, "--detach")) detach = 1;
}

/// Up to the verb, or up to the id.
static char** flags(char** argv) {
  for (; *argv != NULL && (*argv)[0] == '-'; ++argv) {
    if (is(*argv, "--version")) version();
    if (is(*argv, "--help")) help(*verb != '\0' ? verb : "global");
    check_flag(*argv);
    const int value = takes_value(*argv);
    take(*argv, value ? argv[1] : NULL);
    if (value && *++argv == NULL) fail("flag needs an argument");
  }
  return argv;
}

int main(int argc, char** argv) {
  name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
  home = getenv("FAKE_DIR");
  if (home == NULL) return 99;
  record(argc, argv);
  argv = flags(argv + 1);
  if (*argv == NULL) help("global");
  verb = *argv++;
  if (is(name, "criu") && is(verb, "check")) check_feature();
  if (is(verb, "flags")) help("global");
  if (is(verb, "help")) help(*argv != NULL ? *argv : "global");
  argv = flags(argv);
  if (*argv != NULL) id = *argv++;
  signal_name = *argv;
  rest = argv;
  for (size_t i = 0; i < sizeof kVerbs / sizeof *kVerbs; ++i) {
    if (!is(verb, kVerbs[i].name)) continue;
    told("before");
    if (told("instead")) return 0;
    kVerbs[i].run();
    fflush(stdout);
    told("after");
    return 0;
  }
  fprintf(stderr, "unknown command %s\n", verb);
  return 1;
}
