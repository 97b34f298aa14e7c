// A libnvidia-ml.so.1 for machines without a GPU: two GPUs of an invented driver, and what goes wrong on demand.
//   FAKE_NVML  init: does not start   count: cannot count   lost: GPU 1 cannot be opened   none: no GPU
//              crowd: 100 processes on GPU 0              bare: tells no memory, MIG mode or minor
//   FAKE_NVML_DRIVER   its version              FAKE_NVML_USED  bytes in use on each GPU
//   FAKE_NVML_PROCESS  "PID BYTES": the only process, on GPU 0; PID 0 for the last that the fake runtime began
// With V2_ONLY it has the process list of drivers before 510.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID = 2, UNSUPPORTED = 3, TOO_SMALL = 7, NOT_LOADED = 9, LOST = 15 };

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } Process;

static int started;

static int told(const char *what) {
  const char *set = getenv("FAKE_NVML");
  return set != NULL && strcmp(set, what) == 0;
}
static unsigned index_of(void *device) { return (unsigned)((size_t)device - 1); }
static int put(char *to, unsigned size, const char *text) {
  return snprintf(to, size, "%s", text) < (int)size ? SUCCESS : TOO_SMALL;
}

int nvmlInit_v2(void) { return told("init") ? NOT_LOADED : (started++, SUCCESS); }
int nvmlShutdown(void) { return started-- > 0 ? SUCCESS : INVALID; }
const char *nvmlErrorString(int status) {
  return status == NOT_LOADED ? "Driver Not Loaded" : status == LOST ? "GPU is lost" : "Unknown Error";
}
int nvmlSystemGetDriverVersion(char *to, unsigned size) {
  const char *set = getenv("FAKE_NVML_DRIVER");
  return put(to, size, set != NULL ? set : "570.86.15");
}
int nvmlDeviceGetCount_v2(unsigned *count) {
  *count = told("none") ? 0 : 2;
  return told("count") ? NOT_LOADED : SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  if (index > 1 || (index == 1 && told("lost"))) return LOST;
  *device = (void *)(size_t)(index + 1);
  return SUCCESS;
}
int nvmlDeviceGetName(void *device, char *to, unsigned size) {
  return put(to, size, index_of(device) == 0 ? "NVIDIA H100 80GB HBM3" : "NVIDIA T4");
}
int nvmlDeviceGetUUID(void *device, char *to, unsigned size) {
  return put(to, size, index_of(device) == 0 ? "GPU-00000000-1111-2222-3333-444444444444" : "GPU-5");
}
int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
  *memory = (Memory){.total = 80ULL << 30, .free = 79ULL << 30, .used = (1ULL << 30) + index_of(device)};
  if (getenv("FAKE_NVML_USED") != NULL) memory->used = strtoull(getenv("FAKE_NVML_USED"), NULL, 10);
  return told("bare") ? UNSUPPORTED : SUCCESS;
}
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  *current = *pending = 1;
  return index_of(device) == 0 && !told("bare") ? SUCCESS : UNSUPPORTED;
}
int nvmlDeviceGetMinorNumber(void *device, unsigned *minor) {
  *minor = index_of(device) + 4;
  return told("bare") ? UNSUPPORTED : SUCCESS;
}

static unsigned last_container(void) {
  char path[4096];
  unsigned pid = 0;
  snprintf(path, sizeof path, "%s/pids", getenv("FAKE_DIR"));
  FILE *file = fopen(path, "r");
  while (file != NULL && fscanf(file, "%u", &pid) == 1) continue;
  if (file != NULL) fclose(file);
  return pid;
}
static int one_process(void *device, unsigned *count, Process *list, const char *set) {
  const unsigned room = *count;
  char *bytes = NULL;
  *count = index_of(device) == 0 ? 1 : 0;
  if (room < *count) return TOO_SMALL;
  if (*count == 0) return SUCCESS;
  *list = (Process){.pid = (unsigned)strtoul(set, &bytes, 10)};
  if (list->pid == 0) list->pid = last_container();
  list->used = strtoull(bytes, NULL, 10);
  return SUCCESS;
}
static int processes(void *device, unsigned *count, Process *list) {
  if (getenv("FAKE_NVML_PROCESS") != NULL) return one_process(device, count, list, getenv("FAKE_NVML_PROCESS"));
  const unsigned number = index_of(device) == 1 ? 1 : told("crowd") ? 100 : 2, room = *count;
  *count = number;
  if (room < number) return TOO_SMALL;
  for (unsigned i = 0; i < number; i++)
    list[i] = (Process){.pid = 100 + i, .used = i == 1 ? ~0ULL : 1024ULL * (i + 1)};
  return SUCCESS;
}
#ifdef V2_ONLY
int nvmlDeviceGetComputeRunningProcesses_v2(void *d, unsigned *n, Process *l) { return processes(d, n, l); }
#else
int nvmlDeviceGetComputeRunningProcesses_v2(void *d, unsigned *n, Process *l) {
  (void)d, (void)n, (void)l;
  return UNSUPPORTED;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *n, Process *l) { return processes(d, n, l); }
#endif
