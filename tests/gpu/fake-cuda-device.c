// The part of a fake libcuda that programs like cuda-work use: a GPU whose memory is the process's own and
// whose kernels are those of cuda-kernels.h in C. Linked with fake-libcuda.c, whose FAKE_CUDA_DIR it shares:
//
//   state-PID   gets "running" when a process takes the device; while it says otherwise no kernel starts
//   mem-PID     MiB that the process has on the device
//   busy-PID    there while a long kernel runs: how many milliseconds
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cuda-kernels.h"

enum { kSuccess = 0, kInvalid = 1, kNoMemory = 2, kNotFound = 500 };

static size_t allocated;

static void path_of(char* into, size_t size, const char* what) {
  snprintf(into, size, "%s/%s-%d", getenv("FAKE_CUDA_DIR"), what, getpid());
}

static void tell(const char* what, const char* text) {
  char path[4096], fresh[4200];
  path_of(path, sizeof path, what);
  snprintf(fresh, sizeof fresh, "%s.new", path);
  FILE* out = fopen(fresh, "we");
  if (out == NULL || fprintf(out, "%s\n", text) < 0 || fclose(out) != 0 || rename(fresh, path) != 0) abort();
}

static void tell_number(const char* what, uint64_t number) {
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)number);
  tell(what, text);
}

static int is_running(void) {
  char path[4096], text[64] = "";
  path_of(path, sizeof path, "state");
  FILE* in = fopen(path, "re");
  if (in == NULL) return 1;
  if (fgets(text, sizeof text, in) == NULL) text[0] = '\0';
  fclose(in);
  return strcmp(text, "running\n") == 0;
}

static void pass(uint64_t milliseconds) {
  struct timespec time = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000 * 1000000)};
  while (nanosleep(&time, &time) != 0) continue;
}

int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? kSuccess : kInvalid;
}

// The device, where there is one, is held open: that is how a CUDA process is found.
int cuDevicePrimaryCtxRetain(void** context, int device) {
  (void)device;
  *context = NULL;
  (void)!open("/dev/nvidia0", O_RDWR | O_CLOEXEC);
  tell("state", "running");
  return kSuccess;
}

int cuCtxSetCurrent(void* context) {
  (void)context;
  return kSuccess;
}

int cuCtxSynchronize(void) {
  return kSuccess;
}

int cuModuleLoadDataEx(const char** module, const char* image, unsigned count, const int* options,
                       void** values) {
  *module = image;
  if (count != 2 || options[0] != 5 || options[1] != 6 || (uintptr_t)values[1] < 64) return kInvalid;
  return strncmp(image, ".version 6.0\n.target sm_50\n.address_size 64\n", 43) == 0 ? kSuccess : kInvalid;
}

int cuModuleGetFunction(const char** function, const char* module, const char* name) {
  char entry[64];
  snprintf(entry, sizeof entry, ".visible .entry %s(", name);
  *function = strstr(module, entry);
  if (*function == NULL) return kNotFound;
  *function += strlen(".visible .entry ");
  return kSuccess;
}

int cuMemAlloc_v2(uint64_t* memory, size_t bytes) {
  void* block = calloc(1, bytes);
  *memory = (uint64_t)(uintptr_t)block;
  allocated += bytes;
  tell_number("mem", (allocated + 1048575) / 1048576);
  return block != NULL ? kSuccess : kNoMemory;
}

static uint64_t* words_at(uint64_t memory) {
  return (uint64_t*)(uintptr_t)memory;
}

int cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
  memcpy(words_at(to), from, bytes);
  return kSuccess;
}

int cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
  memcpy(to, words_at(from), bytes);
  return kSuccess;
}

// ---- kernels

static uint64_t mix(uint64_t x) {
  x ^= x >> 33;
  x *= kMix;
  return x ^ x >> 33;
}

static void fill(uint64_t* data, uint64_t words, uint64_t seed) {
  for (uint64_t i = 0; i < words; ++i) data[i] = mix(i + seed);
}

static void digest(const uint64_t* data, uint64_t words, uint64_t* sum) {
  for (uint64_t i = 0; i < words; ++i) *sum += mix(data[i] + i * kStride);
}

static void spin(uint64_t milliseconds) {
  char path[4096];
  tell_number("busy", milliseconds);
  pass(milliseconds);
  path_of(path, sizeof path, "busy");
  unlink(path);
}

static uint64_t value(void** parameters, int which) {
  return *(uint64_t*)parameters[which];
}

int cuLaunchKernel(const char* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared, void* stream, void** parameters,
                   void** extra) {
  if (grid_y != 1 || grid_z != 1 || block_y != 1 || block_z != 1) return kInvalid;
  if (shared != 0 || stream != NULL || extra != NULL || block_x > 1024) return kInvalid;
  while (!is_running()) pass(10);
  switch (*function) {
    case 'f':
      fill(words_at(value(parameters, 0)), value(parameters, 1), value(parameters, 2));
      break;
    case 'd':
      digest(words_at(value(parameters, 0)), value(parameters, 1), words_at(value(parameters, 2)));
      break;
    case 'b':
      if (grid_x != 1 || block_x != 1) return kInvalid;
      ++*words_at(value(parameters, 0));
      break;
    default:
      spin(value(parameters, 0) / 1000000);
      break;
  }
  return kSuccess;
}
