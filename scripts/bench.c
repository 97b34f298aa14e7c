/* What scripts/bench measures with. Compiled plain, it runs a command:
 *
 *     bench FILE COMMAND...        appends "BEGIN END" to FILE, its nanoseconds on the monotonic clock
 *     bench -m FILE COMMAND...     appends "KIB", the most memory that the command itself had resident
 *
 * Compiled with PROGRAM and FILE_OF_TIMES as strings, it stands in for a runtime: it runs PROGRAM with its own arguments
 * and appends "BEGIN END" to FILE_OF_TIMES. The exit status is the command's, 127 when it could not be started. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void die(const char* what) {
  perror(what);
  exit(127);
}

/* One write, so that lines of several programs do not mix. */
static void append(const char* file, const char* line) {
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, line, strlen(line)) < 0) die(file);
}

static int status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

static int time_it(const char* file, const char* program, char** argv) {
  long long begin = now();
  pid_t pid;
  int status, error = posix_spawnp(&pid, program, NULL, NULL, argv, environ);
  if (error != 0) {
    fprintf(stderr, "%s: %s\n", program, strerror(error));
    return 127;
  }
  if (waitpid(pid, &status, 0) < 0) die("waitpid");
  char line[64];
  snprintf(line, sizeof line, "%lld %lld\n", begin, now());
  append(file, line);
  return status_of(status);
}

#ifdef PROGRAM

int main(int argc, char** argv) {
  (void)argc;
  return time_it(FILE_OF_TIMES, PROGRAM, argv);
}

#else

/* VmHWM of a process that is about to exit; ru_maxrss would be the largest of it and its children. */
static void append_peak(const char* file, pid_t pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE* status = fopen(path, "re");
  if (status == NULL) die(path);
  while (fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, "VmHWM:", 6) == 0) append(file, strcat(strtok(line + 6, " \t"), "\n"));
  fclose(status);
}

static int watch(const char* file, char** argv) {
  pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    execvp(argv[0], argv);
    die(argv[0]);
  }
  int status;
  waitpid(pid, &status, 0);
  if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC) != 0) die("ptrace");
  for (int signal = 0;;) {
    ptrace(PTRACE_CONT, pid, NULL, signal);
    if (waitpid(pid, &status, 0) < 0) die("waitpid");
    if (!WIFSTOPPED(status)) return status_of(status);
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) append_peak(file, pid);
    signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;
  }
}

int main(int argc, char** argv) {
  if (argc > 3 && strcmp(argv[1], "-m") == 0) return watch(argv[2], argv + 3);
  if (argc > 2) return time_it(argv[1], argv[2], argv + 2);
  fputs("usage: bench [-m] FILE COMMAND...\n", stderr);
  return 2;
}

#endif
