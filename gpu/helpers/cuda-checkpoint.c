// cuda-checkpoint: freezes and thaws the CUDA state of processes through the driver's own functions.
//
// It has the command line and, for one pid, the output and exit statuses of NVIDIA's utility of this name, so
// that CRIU's CUDA plugin and gVisor can call it as that. One call may take several pids, because each start
// costs a CUDA initialisation. kHelpText in arguments.c is its manual.
//
// It keeps the signals' defaults: SIGTERM ends it even while the driver hangs, and leaves each process in the
// state it is in. Who sends it asks for --get-state afterwards.
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "helpers.h"
#include "libcuda.h"

const char kProgram[] = "cuda-checkpoint";

enum { kText = 512, kNoCuda = 3 };

// What is done to one process, by one thread.
struct job {
  const struct cuda* cuda;
  const struct arguments* arguments;
  int pid;
  int failed;
  int no_cuda;       // the driver says that the process has no CUDA state
  char text[kText];  // the answer, or why it failed
  pthread_t thread;
  int has_thread;
};

static void __attribute__((format(printf, 2, 3))) append(struct job* job, const char* format, ...) {
  const size_t used = strlen(job->text);
  va_list values;
  va_start(values, format);
  vsnprintf(job->text + used, kText - used, format, values);
  va_end(values);
}

// ---- the driver's functions

static const char* state_name(CUprocessState state) {
  static const char* const kNames[] = {"running", "locked",        "checkpointed",
                                       "failed",  "checkpointing", "restoring"};
  return (size_t)state < sizeof kNames / sizeof *kNames ? kNames[state] : NULL;
}

static void explain_state(struct job* job) {
  CUprocessState state;
  if (job->cuda->state(job->pid, &state) != CUDA_SUCCESS || state_name(state) == NULL) return;
  append(job, "; it is %s", state_name(state));
}

static void add_hint(struct job* job, CUresult result) {
  if (result == CUDA_ERROR_INVALID_VALUE || result == CUDA_ERROR_NOT_INITIALIZED)
    append(job, "; is it a CUDA process?");
  if (result == CUDA_ERROR_NOT_READY) append(job, "; its CUDA work outlasted the --timeout");
  if (result == CUDA_ERROR_NOT_SUPPORTED) append(job, "; it uses what this driver cannot checkpoint");
  if (result == CUDA_ERROR_ILLEGAL_STATE) explain_state(job);
}

// True when RESULT is success; else the job has failed and says so.
static int works(struct job* job, const char* what, CUresult result) {
  char why[kText / 2];
  if (result == CUDA_SUCCESS) return 1;
  job->failed = 1;
  cuda_explain(job->cuda, result, why, sizeof why);
  append(job, "cannot %s process %d: %s", what, job->pid, why);
  add_hint(job, result);
  return 0;
}

static int lock(struct job* job) {
  CUcheckpointLockArgs args = {.timeoutMs = job->arguments->timeout_ms};
  return works(job, "lock", job->cuda->lock(job->pid, &args));
}

static int checkpoint(struct job* job) {
  CUcheckpointCheckpointArgs args = {{0}};
  return works(job, "checkpoint", job->cuda->checkpoint(job->pid, &args));
}

static int restore(struct job* job) {
  CUcheckpointRestoreArgs args = {.gpuPairs = job->arguments->pairs,
                                  .gpuPairsCount = job->arguments->pair_count};
  return works(job, "restore", job->cuda->restore(job->pid, &args));
}

static int unlock(struct job* job) {
  CUcheckpointUnlockArgs args = {{0}};
  return works(job, "unlock", job->cuda->unlock(job->pid, &args));
}

static int get_state(struct job* job, CUprocessState* state) {
  const CUresult result = job->cuda->state(job->pid, state);
  job->no_cuda = result == CUDA_ERROR_NOT_INITIALIZED || result == CUDA_ERROR_INVALID_VALUE;
  if (!works(job, "get the state of", result)) return 0;
  if (state_name(*state) != NULL) return 1;
  job->failed = 1;
  append(job, "process %d is in state %d, which this program does not know", job->pid, (int)*state);
  return 0;
}

// ---- operations

static void answer_state(struct job* job) {
  CUprocessState state;
  if (get_state(job, &state)) append(job, "%s", state_name(state));
}

static void answer_restore_tid(struct job* job) {
  int tid = 0;
  if (works(job, "get the restore thread of", job->cuda->restore_tid(job->pid, &tid))) append(job, "%d", tid);
}

// A process that cannot be checkpointed goes on.
static void suspend(struct job* job) {
  if (!lock(job) || checkpoint(job)) return;
  append(job, "; ");
  if (unlock(job)) append(job, "it runs again");
}

static void resume(struct job* job) {
  if (restore(job)) unlock(job);
}

static void toggle(struct job* job) {
  CUprocessState state;
  if (!get_state(job, &state)) return;
  if (state == CU_PROCESS_STATE_RUNNING) {
    suspend(job);
  } else if (state == CU_PROCESS_STATE_CHECKPOINTED) {
    resume(job);
  } else {
    job->failed = 1;
    append(job, "cannot toggle process %d: it is %s, neither running nor checkpointed; see --action",
           job->pid, state_name(state));
  }
}

static void* run(void* data) {
  struct job* job = data;
  switch (job->arguments->operation) {
    case kGetState:
      answer_state(job);
      break;
    case kGetRestoreTid:
      answer_restore_tid(job);
      break;
    case kLock:
      lock(job);
      break;
    case kCheckpoint:
      checkpoint(job);
      break;
    case kRestore:
      restore(job);
      break;
    case kUnlock:
      unlock(job);
      break;
    case kToggle:
      toggle(job);
      break;
    case kHelp:
    case kNothing:
      break;
  }
  return NULL;
}

// ---- one process, or several

static int run_one(struct job* job) {
  run(job);
  if (job->failed) {
    fprintf(stderr, "cuda-checkpoint: %s\n", job->text);
  } else if (job->text[0] != '\0') {
    printf("%s\n", job->text);
  }
  return job->failed && job->arguments->operation == kGetState && job->no_cuda ? kNoCuda : job->failed;
}

// Where no thread can be had, as in a container that may have no more of them, the processes take turns.
static void start(struct job* job) {
  job->has_thread = pthread_create(&job->thread, NULL, run, job) == 0;
  if (!job->has_thread) run(job);
}

// Each line leaves as soon as those before it have: what hangs takes no other's answer with it.
static void finish(struct job* job) {
  if (job->has_thread) pthread_join(job->thread, NULL);
  if (job->failed) {
    printf("%d\terror: %s\n", job->pid, job->text);
  } else {
    printf("%d\t%s\n", job->pid, job->text[0] != '\0' ? job->text : "ok");
  }
  fflush(stdout);
}

static int run_all(struct job* jobs, size_t count) {
  size_t failed = 0;
  for (size_t i = 0; i < count; ++i) start(&jobs[i]);
  for (size_t i = 0; i < count; ++i) {
    finish(&jobs[i]);
    failed += jobs[i].failed != 0;
  }
  if (failed > 0) fprintf(stderr, "cuda-checkpoint: %zu of %zu processes failed\n", failed, count);
  return failed > 0;
}

static int perform(const struct cuda* cuda, const struct arguments* arguments) {
  const size_t count = arguments->pid_count;
  struct job* jobs = grow(NULL, count, sizeof *jobs);
  memset(jobs, 0, count * sizeof *jobs);
  for (size_t i = 0; i < count; ++i) {
    jobs[i].cuda = cuda;
    jobs[i].arguments = arguments;
    jobs[i].pid = arguments->pids[i];
  }
  const int failed = count == 1 ? run_one(jobs) : run_all(jobs, count);
  free(jobs);
  return failed;
}

static int flushed(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return 1;
  fprintf(stderr, "cuda-checkpoint: cannot write the answer: %s\n", reason(errno));
  return 0;
}

// CUDA's documentation asks for cuInit before a restore; the other calls may answer "not initialized" too.
static int operate(const struct cuda* cuda, const struct arguments* arguments) {
  if (arguments->pair_count > 0) cuda_require(cuda, kDeviceMapVersion, "--device-map", "580");
  cuda_init(cuda);
  return perform(cuda, arguments);
}

int main(int argc, char** argv) {
  struct arguments arguments;
  struct cuda cuda;
  int failed = 0;
  (void)argc;
  parse_arguments(&arguments, argv);
  cuda_load(&cuda);
  if (arguments.operation == kHelp) {
    fputs(kHelpText, stdout);
  } else {
    failed = operate(&cuda, &arguments);
  }
  free(arguments.pids);
  free(arguments.pairs);
  return failed != 0 ? failed : !flushed();
}
