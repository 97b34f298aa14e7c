// cuda-finder: which processes hold NVIDIA devices, for containers whose images have neither lsof nor a
// shell.
//
//   cuda-finder [--proc DIR]
//
// One JSON object a line for each process with a descriptor on /dev/nvidia*, in the order of pids:
//   {"pid":7,"comm":"python","devices":["/dev/nvidia0","/dev/nvidiactl"]}
// What is not UTF-8 becomes U+FFFD. A process that ends meanwhile is none; one whose descriptors cannot be
// read is noted on stderr. Exit status: 0 also when there is none, 1 stdout cannot be written, 2 wrong use, 3
// DIR (/proc) cannot be read.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers.h"

const char kProgram[] = "cuda-finder";

enum { kWriteFailed = 1, kWrongUse = 2, kNoProc = 3, kPath = 4096 };

static const char kDevices[] = "/dev/nvidia";

// ---- what grows

struct devices {
  char** paths;
  size_t count;
};

static void add_once(struct devices* into, const char* path) {
  for (size_t i = 0; i < into->count; ++i) {
    if (strcmp(into->paths[i], path) == 0) return;
  }
  const size_t size = strlen(path) + 1;
  into->paths = grow(into->paths, into->count + 1, sizeof *into->paths);
  into->paths[into->count++] = memcpy(grow(NULL, size, 1), path, size);
}

static void release(struct devices* devices) {
  for (size_t i = 0; i < devices->count; ++i) free(devices->paths[i]);
  free(devices->paths);
}

static int compare_paths(const void* a, const void* b) {
  return strcmp(*(char* const*)a, *(char* const*)b);
}

static int compare_pids(const void* a, const void* b) {
  const int left = *(const int*)a, right = *(const int*)b;
  return (left > right) - (left < right);
}

// ---- JSON

// How many bytes at TEXT are one character of UTF-8, 0 when they are none (overlong, surrogate, cut short).
static size_t utf8(const unsigned char* text) {
  const unsigned char first = text[0];
  const size_t length = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  for (size_t i = 1; i < length; ++i) {
    if ((text[i] & 0xc0) != 0x80) return 0;
  }
  if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f)) return 0;
  if ((first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f)) return 0;
  return length;
}

static void print_character(const unsigned char* at, size_t length) {
  if (length == 0) {
    fputs("\\ufffd", stdout);
  } else if (*at < 0x20 || *at == 0x7f) {
    printf("\\u%04x", *at);
  } else {
    if (*at == '"' || *at == '\\') putchar('\\');
    fwrite(at, 1, length, stdout);
  }
}

static void print_string(const char* text) {
  const unsigned char* at = (const unsigned char*)text;
  putchar('"');
  while (*at != '\0') {
    const size_t length = utf8(at);
    print_character(at, length);
    at += length > 0 ? length : 1;
  }
  putchar('"');
}

static void print_holder(int pid, const char* comm, const struct devices* devices) {
  printf("{\"pid\":%d,\"comm\":", pid);
  print_string(comm);
  fputs(",\"devices\":[", stdout);
  for (size_t i = 0; i < devices->count; ++i) {
    if (i > 0) putchar(',');
    print_string(devices->paths[i]);
  }
  puts("]}");
}

// ---- /proc

static int has_vanished(int error) {
  return error == ENOENT || error == ESRCH;
}

static void note_unreadable(const char* proc, int pid, int error) {
  fprintf(stderr, "cuda-finder: cannot read '%s/%d/fd': %s; it may hold devices\n", proc, pid, reason(error));
}

// The name of an entry of DIRECTORY, NULL at its end or, with errno set, when it cannot be read on.
static const char* next(DIR* directory) {
  errno = 0;
  const struct dirent* entry = readdir(directory);
  return entry != NULL ? entry->d_name : NULL;
}

static void add_if_device(struct devices* into, DIR* descriptors, const char* name) {
  char target[kPath];
  const ssize_t length = readlinkat(dirfd(descriptors), name, target, sizeof target - 1);
  if (length < 0) return;
  target[length] = '\0';
  if (strncmp(target, kDevices, sizeof kDevices - 1) == 0) add_once(into, target);
}

static void read_devices(struct devices* into, const char* proc, int pid) {
  char path[kPath];
  const char* name;
  snprintf(path, sizeof path, "%s/%d/fd", proc, pid);
  DIR* descriptors = opendir(path);
  if (descriptors == NULL) {
    if (!has_vanished(errno)) note_unreadable(proc, pid, errno);
    return;
  }
  while ((name = next(descriptors)) != NULL) add_if_device(into, descriptors, name);
  if (errno != 0 && !has_vanished(errno)) note_unreadable(proc, pid, errno);
  closedir(descriptors);
}

// A name may contain a newline; the one behind it is not part of it.
static void read_comm(char* into, size_t size, const char* proc, int pid) {
  char path[kPath];
  snprintf(path, sizeof path, "%s/%d/comm", proc, pid);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? 0 : read(file, into, size - 1);
  if (file >= 0) close(file);
  if (length < 0) length = 0;
  if (length > 0 && into[length - 1] == '\n') --length;
  into[length] = '\0';
}

static void look_at(const char* proc, int pid) {
  struct devices devices = {NULL, 0};
  char comm[256];
  read_devices(&devices, proc, pid);
  if (devices.count > 0) {
    qsort(devices.paths, devices.count, sizeof *devices.paths, compare_paths);
    read_comm(comm, sizeof comm, proc, pid);
    print_holder(pid, comm, &devices);
  }
  release(&devices);
}

// 0 for what is no pid.
static int pid_of(const char* name) {
  const size_t length = strlen(name);
  if (length > 9 || name[0] == '0' || strspn(name, "0123456789") != length) return 0;
  return atoi(name);
}

static size_t read_pids(DIR* proc, int** pids) {
  const char* name;
  size_t count = 0;
  while ((name = next(proc)) != NULL) {
    if (pid_of(name) == 0) continue;
    *pids = grow(*pids, count + 1, sizeof **pids);
    (*pids)[count++] = pid_of(name);
  }
  return count;
}

static _Noreturn void no_proc(const char* proc) {
  fprintf(stderr, "cuda-finder: cannot read '%s': %s\n", proc, reason(errno));
  exit(kNoProc);
}

static void look_at_all(const char* proc) {
  int* pids = NULL;
  DIR* directory = opendir(proc);
  if (directory == NULL) no_proc(proc);
  const size_t count = read_pids(directory, &pids);
  if (errno != 0) no_proc(proc);
  closedir(directory);
  if (count > 0) qsort(pids, count, sizeof *pids, compare_pids);
  for (size_t i = 0; i < count; ++i) look_at(proc, pids[i]);
  free(pids);
}

int main(int argc, char** argv) {
  const int named = argc == 3 && strcmp(argv[1], "--proc") == 0;
  const int help = argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0);
  if (argc > 1 && !named) {
    fputs("usage: cuda-finder [--proc DIR]; prints who holds /dev/nvidia*, one JSON object a line\n",
          help ? stdout : stderr);
    return help ? 0 : kWrongUse;
  }
  look_at_all(named ? argv[2] : "/proc");
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  fprintf(stderr, "cuda-finder: cannot write: %s\n", reason(errno));
  return kWriteFailed;
}
