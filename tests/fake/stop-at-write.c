/* Preloaded into ckpt: its first pwrite(2) to another file than a lock, which only packing and unpacking do, waits. The pid is written
 * into FAKE_DIR/at/pwrite, and it goes on when FAKE_DIR/go/pwrite exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ssize_t (*pwrite_function)(int, const void*, size_t, off_t);

static void wait_at_gate(void) {
  char path[4096], pid[16];
  const int length = snprintf(pid, sizeof pid, "%d", getpid());
  snprintf(path, sizeof path, "%s/at", getenv("FAKE_DIR"));
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/at/pwrite", getenv("FAKE_DIR"));
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, pid, (size_t)length) != length) abort();
  close(fd);
  snprintf(path, sizeof path, "%s/go/pwrite", getenv("FAKE_DIR"));
  while (access(path, F_OK) != 0) usleep(5000);
}

static int is_lock(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  return length > 5 && memcmp(path + length - 5, ".lock", 5) == 0;
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static atomic_int calls;
  const pwrite_function real = (pwrite_function)dlsym(RTLD_NEXT, "pwrite");
  if (!is_lock(fd) && atomic_fetch_add(&calls, 1) == 0) wait_at_gate();
  return real(fd, data, size, offset);
}
