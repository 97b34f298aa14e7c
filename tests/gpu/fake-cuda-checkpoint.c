// A cuda-checkpoint for tests on machines without a GPU: static, so that it runs inside any container, and
// stateful, so that what ckpt does to a process can be seen. FAKE_CUDA_DIR (else /cuda) is its memory, shared
// by all its calls:
//
//   PID.state          running (also when absent), locked, checkpointed; PID as the container sees it
//   PID.none           that process has no CUDA
//   fail-ACTION-PID    the action fails with this text
//   hang-ACTION-PID    the action never ends
//   delay              milliseconds that each action takes
//   help               what -h prints, in place of all options; "broken" makes -h fail
//   calls              gets a line "begin ACTION PID" and "end ACTION PID" of each action, and the arguments
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char kHelp[] =
    "--get-state --get-restore-tid --action lock|checkpoint|restore|unlock --toggle --pid PID --timeout MS "
    "--device-map MAP\n";
static const char* home;

static void __attribute__((format(printf, 1, 2), noreturn)) refuse(const char* format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
  exit(1);
}

static char* file(const char* format, ...) __attribute__((format(printf, 1, 2)));
static char* file(const char* format, ...) {
  char *name = NULL, *path = NULL;
  va_list values;
  va_start(values, format);
  if (vasprintf(&name, format, values) < 0 || asprintf(&path, "%s/%s", home, name) < 0) abort();
  va_end(values);
  free(name);
  return path;
}

// The first line, without its end; nothing when there is no such file.
static int read_line(const char* path, char* into, int size) {
  FILE* in = fopen(path, "r");
  if (in == NULL) return 0;
  if (fgets(into, size, in) == NULL) into[0] = '\0';
  into[strcspn(into, "\n")] = '\0';
  fclose(in);
  return 1;
}

// The last number of NSpid: what the container itself calls the process, the same after a restore.
static int inner_pid(int pid) {
  char path[64], line[256];
  int inner = pid;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE* in = fopen(path, "r");
  if (in == NULL) refuse("process %d does not exist", pid);
  while (fgets(line, sizeof line, in) != NULL)
    if (strncmp(line, "NSpid:", 6) == 0) inner = atoi(strrchr(line, '\t') + 1);
  fclose(in);
  return inner;
}

static void record(const char* text, const char* action, int pid, int argc, char** argv) {
  char line[4096];
  int n = snprintf(line, sizeof line, "%s %s %d:", text, action, pid);
  for (int i = 1; i < argc; i++) n += snprintf(line + n, sizeof line - (size_t)n, " %s", argv[i]);
  line[n++] = '\n';
  const int out = open(file("calls"), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (out < 0 || write(out, line, (size_t)n) != n) refuse("cannot record: %s", strerror(errno));
  close(out);
}

static const char* state_of(int pid) {
  static char state[64];
  char ignored[8];
  if (read_line(file("%d.none", pid), ignored, sizeof ignored))
    refuse("Error getting process state for process ID %d: \"initialization error\"", pid);
  if (!read_line(file("%d.state", pid), state, sizeof state)) strcpy(state, "running");
  return state;
}

static void change(int pid, const char* from, const char* to) {
  if (strcmp(state_of(pid), from) != 0) refuse("process %d is %s, not %s", pid, state_of(pid), from);
  FILE* out = fopen(file("%d.state", pid), "w");
  if (out == NULL || fprintf(out, "%s\n", to) < 0 || fclose(out) != 0) refuse("cannot write the state");
}

static void misbehave(const char* action, int pid) {
  char text[256];
  if (read_line(file("delay"), text, sizeof text)) usleep((unsigned)atoi(text) * 1000U);
  if (read_line(file("hang-%s-%d", action, pid), text, sizeof text))
    for (;;) pause();
  if (read_line(file("fail-%s-%d", action, pid), text, sizeof text)) refuse("%s", text);
}

static void act(const char* action, int pid) {
  misbehave(action, pid);
  if (strcmp(action, "lock") == 0) change(pid, "running", "locked");
  if (strcmp(action, "checkpoint") == 0) change(pid, "locked", "checkpointed");
  if (strcmp(action, "restore") == 0) change(pid, "checkpointed", "locked");
  if (strcmp(action, "unlock") == 0) change(pid, "locked", "running");
  if (strcmp(action, "toggle") == 0) {
    const int back = strcmp(state_of(pid), "checkpointed") == 0;
    change(pid, back ? "checkpointed" : "running", back ? "running" : "checkpointed");
  }
}

static int help(void) {
  char text[1024];
  if (!read_line(file("help"), text, sizeof text)) return fputs(kHelp, stdout), 0;
  if (strcmp(text, "broken") == 0) refuse("Insufficient driver");
  puts(text);
  return 0;
}

int main(int argc, char** argv) {
  const char* action = NULL;
  int pid = 0;
  home = getenv("FAKE_CUDA_DIR") != NULL ? getenv("FAKE_CUDA_DIR") : "/cuda";
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-h") == 0) return help();
    if (strcmp(argv[i], "--get-state") == 0) action = "get-state";
    if (strcmp(argv[i], "--toggle") == 0) action = "toggle";
    if (strcmp(argv[i], "--action") == 0 && i + 1 < argc) action = argv[++i];
    if (strcmp(argv[i], "--pid") == 0 && i + 1 < argc) pid = atoi(argv[++i]);
  }
  if (action == NULL || pid <= 0) refuse("wrong use");
  pid = inner_pid(pid);
  record("begin", action, pid, argc, argv);
  if (strcmp(action, "get-state") == 0)
    puts(state_of(pid));
  else
    act(action, pid);
  record("end", action, pid, argc, argv);
  return 0;
}
