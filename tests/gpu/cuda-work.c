// A CUDA program for tests/gpu/run: fills memory of the first GPU, then counts there ten times a second.
//
//   cuda-work --mb MB --file FILE [--seed NUMBER] [--long SECONDS]
//
// FILE always holds one line "DIGEST COUNT DIGESTS": the digest of the memory, when it was last asked for; a
// counter that lies on the GPU; how many digests were taken. It is there as soon as the memory is filled and
// the first digest taken, which for up to kProvable MB is compared with what it must be. Signals:
//
//   SIGUSR1   takes the digest again
//   SIGUSR2   runs one kernel for so many SECONDS, and waits for it inside the driver
//
// It needs libcuda.so.1 and a C library alone: the driver compiles the kernels. Exit status: 1 something
// failed, 2 wrong use, 127 no libcuda.so.1.
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cuda-kernels.h"

enum {
  kFailed = 1,
  kWrongUse = 2,
  kNoLibrary = 127,
  kThreads = 256,
  kBlocks = 4096,
  kProvable = 128,
  kLog = 4096
};

typedef int CUresult;
typedef uint64_t CUdeviceptr;
typedef struct opaque* CUhandle;  // of a context, module or function

// The options of cuModuleLoadDataEx that make it say what is wrong with a kernel.
enum { CU_JIT_ERROR_LOG_BUFFER = 5, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6 };

static struct {
  CUresult (*init)(unsigned flags);
  CUresult (*error_name)(CUresult result, const char** name);
  CUresult (*device)(int* device, int ordinal);
  CUresult (*retain)(CUhandle* context, int device);
  CUresult (*set_current)(CUhandle context);
  CUresult (*synchronize)(void);
  CUresult (*load)(CUhandle* module, const void* image, unsigned count, const int* options, void** values);
  CUresult (*function)(CUhandle* function, CUhandle module, const char* name);
  CUresult (*allocate)(CUdeviceptr* memory, size_t bytes);
  CUresult (*to_device)(CUdeviceptr to, const void* from, size_t bytes);
  CUresult (*to_host)(void* to, CUdeviceptr from, size_t bytes);
  CUresult (*launch)(CUhandle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                     unsigned block_y, unsigned block_z, unsigned shared, CUhandle stream, void** parameters,
                     void** extra);
} cuda;

static struct {
  uint64_t mb, seed, seconds;
  const char* file;
} options;

static struct {
  CUhandle fill, digest, bump, spin;
  CUdeviceptr data, counter, sum;
  uint64_t words, last_digest, digests;
} gpu;

static volatile sig_atomic_t digest_wanted, kernel_wanted;

// ---- the driver

static void must(const char* what, CUresult result) {
  const char* name = NULL;
  if (result == 0) return;
  if (cuda.error_name != NULL) cuda.error_name(result, &name);
  fprintf(stderr, "cuda-work: %s: %s (%d)\n", what, name != NULL ? name : "CUDA error", result);
  exit(kFailed);
}

// ISO C has no conversion from an object pointer to a function pointer.
static void find(void* library, const char* name, void* function) {
  void* symbol = dlsym(library, name);
  if (symbol == NULL) {
    fprintf(stderr, "cuda-work: libcuda.so.1 has no %s\n", name);
    exit(kFailed);
  }
  memcpy(function, &symbol, sizeof symbol);
}

static void load_driver(void) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "cuda-work: cannot load the CUDA driver: %s\n", dlerror());
    exit(kNoLibrary);
  }
  find(library, "cuInit", &cuda.init);
  find(library, "cuGetErrorName", &cuda.error_name);
  find(library, "cuDeviceGet", &cuda.device);
  find(library, "cuDevicePrimaryCtxRetain", &cuda.retain);
  find(library, "cuCtxSetCurrent", &cuda.set_current);
  find(library, "cuCtxSynchronize", &cuda.synchronize);
  find(library, "cuModuleLoadDataEx", &cuda.load);
  find(library, "cuModuleGetFunction", &cuda.function);
  find(library, "cuMemAlloc_v2", &cuda.allocate);
  find(library, "cuMemcpyHtoD_v2", &cuda.to_device);
  find(library, "cuMemcpyDtoH_v2", &cuda.to_host);
  find(library, "cuLaunchKernel", &cuda.launch);
}

static void open_device(void) {
  CUhandle context;
  int device;
  must("cannot initialise CUDA", cuda.init(0));
  must("there is no GPU", cuda.device(&device, 0));
  must("cannot make a context", cuda.retain(&context, device));
  must("cannot use the context", cuda.set_current(context));
}

static CUhandle kernel(CUhandle module, const char* name) {
  CUhandle function;
  must(name, cuda.function(&function, module, name));
  return function;
}

static void load_kernels(void) {
  static char log[kLog];
  const int names[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {log, (void*)(uintptr_t)sizeof log};
  CUhandle module;
  const CUresult result = cuda.load(&module, kKernels, 2, names, values);
  if (result != 0 && log[0] != '\0') fprintf(stderr, "%.*s\n", (int)sizeof log, log);
  must("cannot load the kernels", result);
  gpu.fill = kernel(module, "fill");
  gpu.digest = kernel(module, "digest");
  gpu.bump = kernel(module, "bump");
  gpu.spin = kernel(module, "spin");
}

// Runs a kernel, by so many threads of so many blocks, to its end.
static void run(CUhandle function, unsigned blocks, unsigned threads, void** parameters) {
  must("cannot start a kernel",
       cuda.launch(function, blocks, 1, 1, threads, 1, 1, 0, NULL, parameters, NULL));
  must("a kernel failed", cuda.synchronize());
}

static CUdeviceptr allocate(size_t bytes) {
  CUdeviceptr memory = 0;
  must("cannot allocate", cuda.allocate(&memory, bytes));
  return memory;
}

static void set(CUdeviceptr word, uint64_t value) {
  must("cannot write", cuda.to_device(word, &value, sizeof value));
}

static uint64_t get(CUdeviceptr word) {
  uint64_t value = 0;
  must("cannot read", cuda.to_host(&value, word, sizeof value));
  return value;
}

// ---- what it does there

static void fill(void) {
  gpu.words = options.mb * (1024 * 1024 / sizeof(uint64_t));
  gpu.data = allocate(gpu.words * sizeof(uint64_t));
  gpu.counter = allocate(sizeof(uint64_t));
  gpu.sum = allocate(sizeof(uint64_t));
  set(gpu.counter, 0);
  run(gpu.fill, kBlocks, kThreads, (void*[]){&gpu.data, &gpu.words, &options.seed});
}

static void take_digest(void) {
  set(gpu.sum, 0);
  run(gpu.digest, kBlocks, kThreads, (void*[]){&gpu.data, &gpu.words, &gpu.sum});
  gpu.last_digest = get(gpu.sum);
  ++gpu.digests;
}

static uint64_t mix(uint64_t x) {
  x ^= x >> 33;
  x *= kMix;
  return x ^ x >> 33;
}

static void prove_digest(void) {
  uint64_t sum = 0;
  if (options.mb > kProvable) return;
  for (uint64_t i = 0; i < gpu.words; ++i) sum += mix(mix(i + options.seed) + i * kStride);
  if (sum == gpu.last_digest) return;
  fprintf(stderr, "cuda-work: the digest is %016llx and must be %016llx\n",
          (unsigned long long)gpu.last_digest, (unsigned long long)sum);
  exit(kFailed);
}

static uint64_t count(void) {
  run(gpu.bump, 1, 1, (void*[]){&gpu.counter});
  return get(gpu.counter);
}

static void work_long(void) {
  uint64_t nanoseconds = options.seconds * 1000000000;
  run(gpu.spin, 1, 1, (void*[]){&nanoseconds});
}

// ---- the file

static _Noreturn void cannot_write(const char* file) {
  fprintf(stderr, "cuda-work: cannot write '%s': %s\n", file, strerror(errno));
  exit(kFailed);
}

// Whoever reads FILE meanwhile sees the old or the new line, whole.
static void write_line(uint64_t counted) {
  static char fresh[4096];
  snprintf(fresh, sizeof fresh, "%s.new", options.file);
  FILE* out = fopen(fresh, "we");
  if (out == NULL) cannot_write(fresh);
  fprintf(out, "%016llx %llu %llu\n", (unsigned long long)gpu.last_digest, (unsigned long long)counted,
          (unsigned long long)gpu.digests);
  if (fclose(out) != 0 || rename(fresh, options.file) != 0) cannot_write(options.file);
}

// ---- the command line

static _Noreturn void wrong_use(void) {
  fputs("usage: cuda-work --mb MB --file FILE [--seed NUMBER] [--long SECONDS]\n", stderr);
  exit(kWrongUse);
}

static uint64_t number(const char* text) {
  char* end;
  errno = 0;
  const unsigned long long value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > 1000000) wrong_use();
  return value;
}

static void read_options(char** words) {
  for (; *words != NULL; words += 2) {
    if (words[1] == NULL) wrong_use();
    if (strcmp(words[0], "--mb") == 0) {
      options.mb = number(words[1]);
    } else if (strcmp(words[0], "--seed") == 0) {
      options.seed = number(words[1]);
    } else if (strcmp(words[0], "--long") == 0) {
      options.seconds = number(words[1]);
    } else if (strcmp(words[0], "--file") == 0) {
      options.file = words[1];
    } else {
      wrong_use();
    }
  }
  if (options.mb == 0 || options.file == NULL) wrong_use();
}

static void note(int which) {
  if (which == SIGUSR1) digest_wanted = 1;
  if (which == SIGUSR2) kernel_wanted = 1;
}

static void wait_for_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGUSR2, &action, NULL);
}

static void serve_signals(void) {
  if (digest_wanted) {
    digest_wanted = 0;
    take_digest();
  }
  if (kernel_wanted) {
    kernel_wanted = 0;
    work_long();
  }
}

int main(int argc, char** argv) {
  const struct timespec tenth = {0, 100000000};
  (void)argc;
  read_options(argv + 1);
  wait_for_signals();
  load_driver();
  open_device();
  load_kernels();
  fill();
  take_digest();
  prove_digest();
  for (;;) {
    write_line(count());
    nanosleep(&tenth, NULL);
    serve_signals();
  }
}
