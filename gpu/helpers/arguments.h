// The command line of cuda-checkpoint: NVIDIA's, and several pids.
#pragma once

#include <stddef.h>

#include "libcuda.h"

enum operation {
  kNothing,
  kHelp,
  kGetState,
  kGetRestoreTid,
  kLock,
  kCheckpoint,
  kRestore,
  kUnlock,
  kToggle,
};

struct arguments {
  enum operation operation;
  int* pids;
  size_t pid_count;
  unsigned timeout_ms;  // 0: no limit
  int has_timeout;
  CUcheckpointGpuPair* pairs;
  unsigned pair_count;
};

enum { kWrongUse = 2 };

extern const char kHelpText[];

// Says on stderr what is wrong and exits with kWrongUse.
void parse_arguments(struct arguments* arguments, char** argv);
