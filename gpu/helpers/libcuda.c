// Loading libcuda.so.1 and refusing one that has no checkpoint functions.
#include "libcuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kNoLibrary = 127, kInsufficient = 255, kText = 256 };

static _Noreturn void insufficient(const char* why, const char* driver) {
  fprintf(stderr, "cuda-checkpoint: Insufficient driver: %s; NVIDIA driver %s or newer is needed\n", why,
          driver);
  exit(kInsufficient);
}

// ISO C has no conversion from an object pointer to a function pointer.
static int find(void* library, const char* name, void* function) {
  void* symbol = dlsym(library, name);
  memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

static void need(void* library, const char* name, void* function) {
  char why[kText];
  if (find(library, name, function)) return;
  snprintf(why, sizeof why, "'libcuda.so.1' has no %s", name);
  insufficient(why, "570");
}

static void find_functions(void* library, struct cuda* cuda) {
  need(library, "cuInit", &cuda->init);
  need(library, "cuDriverGetVersion", &cuda->version);
  need(library, "cuCheckpointProcessLock", &cuda->lock);
  need(library, "cuCheckpointProcessCheckpoint", &cuda->checkpoint);
  need(library, "cuCheckpointProcessRestore", &cuda->restore);
  need(library, "cuCheckpointProcessUnlock", &cuda->unlock);
  need(library, "cuCheckpointProcessGetState", &cuda->state);
  need(library, "cuCheckpointProcessGetRestoreThreadId", &cuda->restore_tid);
  find(library, "cuGetErrorName", &cuda->error_name);
  find(library, "cuGetErrorString", &cuda->error_string);
}

// The library that the CUDA toolkit brings for linking has every function and can do nothing.
static int is_old_or_stub(CUresult result) {
  return result == CUDA_ERROR_STUB_LIBRARY || result == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH ||
         result == CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE;
}

static void must_work(const struct cuda* cuda, CUresult result) {
  char text[kText];
  if (result == CUDA_SUCCESS) return;
  cuda_explain(cuda, result, text, sizeof text);
  if (is_old_or_stub(result)) insufficient(text, "570");
  fprintf(stderr, "cuda-checkpoint: cannot initialise CUDA: %s; is there a GPU, and may it be used here?\n",
          text);
  exit(kInsufficient);
}

void cuda_load(struct cuda* cuda) {
  int version = 0;
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "cuda-checkpoint: cannot load the CUDA driver: %s; it comes with NVIDIA's driver\n",
            dlerror());
    exit(kNoLibrary);
  }
  memset(cuda, 0, sizeof *cuda);
  find_functions(library, cuda);
  must_work(cuda, cuda->version(&version));
}

void cuda_init(const struct cuda* cuda) {
  must_work(cuda, cuda->init(0));
}

void cuda_require(const struct cuda* cuda, int version, const char* what, const char* driver) {
  char why[kText];
  int present = 0;
  must_work(cuda, cuda->version(&present));
  if (present >= version) return;
  snprintf(why, sizeof why, "this one is for CUDA %d.%d and knows no %s", present / 1000, present % 1000 / 10,
           what);
  insufficient(why, driver);
}

void cuda_explain(const struct cuda* cuda, CUresult result, char* into, size_t size) {
  const char *name = NULL, *text = NULL;
  if (cuda->error_name != NULL) cuda->error_name(result, &name);
  if (cuda->error_string != NULL) cuda->error_string(result, &text);
  snprintf(into, size, "%s (%s, %d)", text != NULL ? text : "CUDA error", name != NULL ? name : "no name",
           result);
}
