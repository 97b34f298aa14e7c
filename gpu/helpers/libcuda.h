// What cuda-checkpoint needs of the CUDA driver: libcuda.so.1, loaded at run time so that its absence is a
// message.
//
// Types after the CUDA driver API reference, "CUDA Checkpointing" (CUDA 12.8 to 13.4, drivers 570 and newer).
// All four argument structures have been 64 bytes long since 12.8; newer drivers give reserved bytes a
// meaning, for which zero stays what it was.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
enum {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_STUB_LIBRARY = 34,
  CUDA_ERROR_ILLEGAL_STATE = 401,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_NOT_SUPPORTED = 801,
  CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
  CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE = 804,
};

// The last two, of CUDA 13.4, only with storage of one's own, which we do not use but may meet.
typedef enum {
  CU_PROCESS_STATE_RUNNING = 0,
  CU_PROCESS_STATE_LOCKED = 1,
  CU_PROCESS_STATE_CHECKPOINTED = 2,
  CU_PROCESS_STATE_FAILED = 3,
  CU_PROCESS_STATE_CHECKPOINTING = 4,
  CU_PROCESS_STATE_RESTORING = 5,
} CUprocessState;

typedef struct {
  uint8_t bytes[16];
} CUuuid;

typedef struct {
  unsigned timeoutMs;  // 0: no limit
  unsigned reserved0;
  uint64_t reserved1[7];
} CUcheckpointLockArgs;

typedef struct {
  uint64_t reserved[8];
} CUcheckpointCheckpointArgs;

typedef struct {
  CUuuid oldUuid;
  CUuuid newUuid;
} CUcheckpointGpuPair;

// Before driver 580 all of it is reserved. With pairs, every GPU of the checkpoint must be among them.
typedef struct {
  CUcheckpointGpuPair* gpuPairs;
  unsigned gpuPairsCount;
  char reserved[64 - sizeof(CUcheckpointGpuPair*) - sizeof(unsigned)];
} CUcheckpointRestoreArgs;

typedef struct {
  uint64_t reserved[8];
} CUcheckpointUnlockArgs;

_Static_assert(sizeof(CUcheckpointLockArgs) == 64, "as in cuda.h");
_Static_assert(sizeof(CUcheckpointRestoreArgs) == 64, "as in cuda.h");

struct cuda {
  CUresult (*init)(unsigned flags);
  CUresult (*version)(int* version);
  CUresult (*error_name)(CUresult result, const char** name);
  CUresult (*error_string)(CUresult result, const char** text);
  CUresult (*lock)(int pid, CUcheckpointLockArgs* args);
  CUresult (*checkpoint)(int pid, CUcheckpointCheckpointArgs* args);
  CUresult (*restore)(int pid, CUcheckpointRestoreArgs* args);
  CUresult (*unlock)(int pid, CUcheckpointUnlockArgs* args);
  CUresult (*state)(int pid, CUprocessState* state);
  CUresult (*restore_tid)(int pid, int* tid);
};

enum { kDeviceMapVersion = 13000 };  // CUDA 13.0, which came with driver 580

// Each of these says on stderr what is wrong and exits as NVIDIA's utility does: 127 without libcuda.so.1,
// 255 with one that cannot do it.
void cuda_load(struct cuda* cuda);
void cuda_init(const struct cuda* cuda);
void cuda_require(const struct cuda* cuda, int version, const char* what, const char* driver);

// "device not ready (CUDA_ERROR_NOT_READY, 600)"
void cuda_explain(const struct cuda* cuda, CUresult result, char* into, size_t size);
