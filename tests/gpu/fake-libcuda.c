// A libcuda for tests of cuda-checkpoint. What it knows of processes lies in files, so that every program
// that loads it sees the same; several may at once. It reads the structures by their documented offsets, not
// by our declarations.
//
//   FAKE_CUDA_DIR     where the files below lie; without it there is no device
//   state-PID         running, locked, checkpointed, failed or a number; changed by the calls. Without it the
//   process has
//                     no CUDA state, unless there is a file `state`, which all processes without one of their
//                     own begin in
//   tid-PID           its restore thread, else PID
//   busy-PID          it can be locked only after so many milliseconds
//   fail-WHAT[-PID]   the CUresult with which a call fails, leaving the state
//   delay-WHAT[-PID]  milliseconds that a call takes
//   hang-WHAT[-PID]   the call does not come back
//   version           the CUDA version of the driver, else 13000
//   record            gets a line when a call begins, with its arguments, and one when it ends, with its
//   result
//
// WHAT is init, version, lock, checkpoint, restore, unlock, state or tid. Built with FAKE_CUDA_OLD it is from
// before driver 570: it has none of the checkpoint functions.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
  kSuccess = 0,
  kInvalid = 1,
  kNotInitialized = 3,
  kNoDevice = 100,
  kIllegalState = 401,
  kNotReady = 600,
  kPath = 4096,
  kLine = 8192
};

// ---- files

static const char* home(void) {
  return getenv("FAKE_CUDA_DIR");
}

static void path_of(char* into, const char* name) {
  if (snprintf(into, kPath, "%s/%s", home(), name) >= kPath) abort();
}

// The content of the file without its newline; 0 when there is none.
static int get(const char* name, char* into, size_t size) {
  char path[kPath];
  path_of(path, name);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t length = read(file, into, size - 1);
  close(file);
  into[length < 0 ? 0 : length] = '\0';
  into[strcspn(into, "\n")] = '\0';
  return 1;
}

// The file PREFIX-WHAT-PID, else PREFIX-WHAT.
static int told(const char* prefix, const char* what, int pid, long* value) {
  char name[64], text[64];
  snprintf(name, sizeof name, "%s-%s-%d", prefix, what, pid);
  if (!get(name, text, sizeof text)) {
    snprintf(name, sizeof name, "%s-%s", prefix, what);
    if (!get(name, text, sizeof text)) return 0;
  }
  *value = atol(text);
  return 1;
}

static void __attribute__((format(printf, 1, 2))) record(const char* format, ...) {
  char path[kPath], line[kLine];
  va_list values;
  if (home() == NULL) return;
  va_start(values, format);
  const int length = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  path_of(path, "record");
  const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (length < 0 || length >= kLine || file < 0 || write(file, line, (size_t)length) != length) abort();
  close(file);
}

static void pass(long milliseconds) {
  const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

// ---- calls

// What a call does before its effect; its result when it is to fail.
static int begin(const char* what, int pid) {
  long value = 0;
  if (told("hang", what, pid, &value)) {
    for (;;) pause();
  }
  if (told("delay", what, pid, &value)) pass(value);
  return told("fail", what, pid, &value) ? (int)value : kSuccess;
}

static int end(const char* what, int pid, int result) {
  record("end %s %d %d\n", what, pid, result);
  return result;
}

int cuInit(unsigned flags) {
  if (home() == NULL) return kNoDevice;
  record("begin init %u\n", flags);
  return end("init", 0, begin("init", 0));
}

int cuDriverGetVersion(int* version) {
  char text[64];
  *version = 13000;
  if (home() == NULL) return kSuccess;
  if (get("version", text, sizeof text)) *version = atoi(text);
  return begin("version", 0);
}

int cuGetErrorName(int error, const char** name) {
  static const struct {
    int error;
    const char* name;
  } kNames[] = {{1, "CUDA_ERROR_INVALID_VALUE"},
                {2, "CUDA_ERROR_OUT_OF_MEMORY"},
                {3, "CUDA_ERROR_NOT_INITIALIZED"},
                {34, "CUDA_ERROR_STUB_LIBRARY"},
                {100, "CUDA_ERROR_NO_DEVICE"},
                {401, "CUDA_ERROR_ILLEGAL_STATE"},
                {600, "CUDA_ERROR_NOT_READY"},
                {801, "CUDA_ERROR_NOT_SUPPORTED"},
                {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}};
  *name = NULL;
  for (size_t i = 0; i < sizeof kNames / sizeof *kNames; ++i) {
    if (kNames[i].error == error) *name = kNames[i].name;
  }
  return *name != NULL ? kSuccess : kInvalid;
}

int cuGetErrorString(int error, const char** text) {
  const char* name;
  *text = cuGetErrorName(error, &name) == kSuccess ? "what the driver says" : NULL;
  return *text != NULL ? kSuccess : kInvalid;
}

#ifndef FAKE_CUDA_OLD

// ---- states

static const char* const kStates[] = {"running", "locked", "checkpointed", "failed"};

static int read_state(int pid) {
  char name[64], text[64];
  snprintf(name, sizeof name, "state-%d", pid);
  if (!get(name, text, sizeof text) && !get("state", text, sizeof text)) return -1;
  for (int i = 0; i < 4; ++i) {
    if (strcmp(text, kStates[i]) == 0) return i;
  }
  return atoi(text);
}

static void write_state(int pid, int state) {
  char name[64], path[kPath], fresh[kPath + 32];
  snprintf(name, sizeof name, "state-%d", pid);
  path_of(path, name);
  snprintf(fresh, sizeof fresh, "%s.%d.%d", path, getpid(), gettid());
  FILE* file = fopen(fresh, "we");
  if (file == NULL || fprintf(file, "%s\n", kStates[state]) < 0 || fclose(file) != 0) abort();
  if (rename(fresh, path) != 0) abort();
}

// From one state to another, as one step whoever else does it.
static int change(int pid, int from, int to) {
  char path[kPath];
  path_of(path, "lock");
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0 || flock(file, LOCK_EX) != 0) abort();
  const int state = read_state(pid);
  if (state == from) write_state(pid, to);
  close(file);
  return state == from ? kSuccess : state < 0 ? kNotInitialized : kIllegalState;
}

// ---- checkpoints

static int all_zero(const unsigned char* bytes, size_t from, size_t to) {
  while (from < to && bytes[from] == 0) ++from;
  return from == to;
}

// Waits until the process can be locked, at most TIMEOUT milliseconds unless that is 0.
static int wait_for_lock(int pid, uint32_t timeout) {
  char name[64], text[64];
  snprintf(name, sizeof name, "busy-%d", pid);
  const long busy = get(name, text, sizeof text) ? atol(text) : 0;
  const int in_time = timeout == 0 || busy < (long)timeout;
  pass(in_time ? busy : (long)timeout);
  return in_time ? kSuccess : kNotReady;
}

int cuCheckpointProcessLock(int pid, const unsigned char* args) {
  uint32_t timeout = 0;
  if (args != NULL) memcpy(&timeout, args, sizeof timeout);
  record("begin lock %d timeout=%u\n", pid, timeout);
  int result = begin("lock", pid);
  if (result == kSuccess && args != NULL && !all_zero(args, 4, 64)) result = kInvalid;
  if (result == kSuccess) result = wait_for_lock(pid, timeout);
  return end("lock", pid, result != kSuccess ? result : change(pid, 0, 1));
}

// One of those whose arguments are all reserved.
static int plain(const char* what, int pid, const unsigned char* args, int from, int to) {
  record("begin %s %d\n", what, pid);
  int result = begin(what, pid);
  if (result == kSuccess && args != NULL && !all_zero(args, 0, 64)) result = kInvalid;
  return end(what, pid, result != kSuccess ? result : change(pid, from, to));
}

int cuCheckpointProcessCheckpoint(int pid, const unsigned char* args) {
  return plain("checkpoint", pid, args, 1, 2);
}

int cuCheckpointProcessUnlock(int pid, const unsigned char* args) {
  return plain("unlock", pid, args, 1, 0);
}

static void print_uuid(char* into, const unsigned char* bytes) {
  into += sprintf(into, "GPU-");
  for (int i = 0; i < 16; ++i) {
    into += sprintf(into, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
  }
}

// " map=OLD=NEW,..." of the pairs: a pointer at 0, their number at 8.
static void print_map(char* into, size_t size, const unsigned char* args) {
  const unsigned char* pairs;
  uint32_t count;
  memcpy(&pairs, args, sizeof pairs);
  memcpy(&count, args + 8, sizeof count);
  for (uint32_t i = 0; i < count; ++i, pairs += 32) {
    char from[64], to[64];
    const size_t used = strlen(into);
    print_uuid(from, pairs);
    print_uuid(to, pairs + 16);
    snprintf(into + used, size - used, "%s%s=%s", i == 0 ? " map=" : ",", from, to);
  }
}

int cuCheckpointProcessRestore(int pid, const unsigned char* args) {
  char map[kLine / 2] = "";
  if (args != NULL) print_map(map, sizeof map, args);
  record("begin restore %d%s\n", pid, map);
  int result = begin("restore", pid);
  if (result == kSuccess && args != NULL && !all_zero(args, 12, 64)) result = kInvalid;
  return end("restore", pid, result != kSuccess ? result : change(pid, 2, 1));
}

int cuCheckpointProcessGetState(int pid, int* state) {
  record("begin state %d\n", pid);
  int result = begin("state", pid);
  if (result == kSuccess) {
    *state = read_state(pid);
    if (*state < 0) result = kNotInitialized;
  }
  return end("state", pid, result);
}

int cuCheckpointProcessGetRestoreThreadId(int pid, int* tid) {
  char name[64], text[64];
  record("begin tid %d\n", pid);
  int result = begin("tid", pid);
  if (result == kSuccess && read_state(pid) < 0) result = kNotInitialized;
  snprintf(name, sizeof name, "tid-%d", pid);
  *tid = get(name, text, sizeof text) ? atoi(text) : pid;
  return end("tid", pid, result);
}

#endif
