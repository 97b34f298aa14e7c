// The command line of cuda-checkpoint.
#include "arguments.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"

const char kHelpText[] =
    "ckpt's cuda-checkpoint: freezes and thaws the CUDA state of processes.\n"
    "\n"
    "  --get-state --pid PID\n"
    "        prints running, locked, checkpointed or failed\n"
    "  --get-restore-tid --pid PID\n"
    "        prints the thread that must run while the process is restored\n"
    "  --action lock | checkpoint | restore | unlock --pid PID [--timeout MS] [--device-map OLD=NEW,...]\n"
    "        lock blocks the process's CUDA calls, checkpoint moves its GPU memory to the host and lets the "
    "GPU go;\n"
    "        restore and unlock undo them. Without --timeout, lock waits for as long as it takes\n"
    "  --toggle --pid PID\n"
    "        lock and checkpoint when running; restore and unlock when checkpointed\n"
    "\n"
    "  -p, --pid PID[,PID...]         also several times; several processes are acted on at the same time, "
    "and each\n"
    "                                 gets a line: PID, a tab, then the answer, 'ok' or 'error: ...'\n"
    "  -t, --timeout MS               with --action lock: give up after so many milliseconds\n"
    "  -d, --device-map OLD=NEW,...   with --action restore: onto other GPUs; UUIDs as GPU-..., every GPU of "
    "the\n"
    "                                 checkpoint once on each side; driver 580 or newer\n"
    "  -h, --help                     this text; fails where the driver cannot do it\n"
    "\n"
    "Needs libcuda.so.1 of NVIDIA driver 570 or newer. Exit status: 0 all done, 1 something failed, 2 wrong "
    "use,\n"
    "3 --get-state of one process that has no CUDA state, 127 no libcuda.so.1, 255 a driver that cannot do "
    "it.\n";

static _Noreturn void __attribute__((format(printf, 1, 2))) wrong(const char* format, ...) {
  va_list values;
  va_start(values, format);
  fputs("cuda-checkpoint: ", stderr);
  vfprintf(stderr, format, values);
  fputs("; see cuda-checkpoint --help\n", stderr);
  va_end(values);
  exit(kWrongUse);
}

// ---- values

// Digits only: no sign, no space, no hexadecimal.
static unsigned number(const char* option, const char* text, size_t length, unsigned least, unsigned most) {
  unsigned long long value = 0;
  int good = length > 0 && length <= 10;
  for (size_t i = 0; good && i < length; ++i) {
    good = isdigit((unsigned char)text[i]);
    value = value * 10 + (unsigned)(text[i] - '0');
  }
  if (good && value >= least && value <= most) return (unsigned)value;
  wrong("%s: '%.*s' is not a number from %u to %u", option, (int)length, text, least, most);
}

static void add_pid(struct arguments* into, int pid) {
  for (size_t i = 0; i < into->pid_count; ++i) {
    if (into->pids[i] == pid) wrong("--pid: %d is given twice", pid);
  }
  into->pids = grow(into->pids, into->pid_count + 1, sizeof *into->pids);
  into->pids[into->pid_count++] = pid;
}

static void take_pids(struct arguments* into, const char* list) {
  size_t length = 0;
  for (;; list += length + 1) {
    length = strcspn(list, ",");
    add_pid(into, (int)number("--pid", list, length, 1, INT_MAX));
    if (list[length] == '\0') return;
  }
}

static void take_timeout(struct arguments* into, const char* text) {
  if (into->has_timeout) wrong("--timeout is given twice");
  into->timeout_ms = number("--timeout", text, strlen(text), 0, UINT_MAX);
  into->has_timeout = 1;
}

static int hex_digit(char c) {
  static const char kDigits[] = "0123456789abcdef";
  const char* found = c == '\0' ? NULL : strchr(kDigits, tolower((unsigned char)c));
  return found == NULL ? -1 : (int)(found - kDigits);
}

// GPU-01234567-89ab-cdef-0123-456789abcdef
static int read_uuid(const char* text, size_t length, CUuuid* uuid) {
  enum { kLength = 40 };
  size_t byte = 0;
  if (length != kLength || strncmp(text, "GPU-", 4) != 0) return 0;
  for (size_t i = 4; i < kLength;) {
    if (i == 12 || i == 17 || i == 22 || i == 27) {
      if (text[i++] != '-') return 0;
      continue;
    }
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return 0;
    uuid->bytes[byte++] = (uint8_t)(high * 16 + low);
    i += 2;
  }
  return 1;
}

static void take_uuid(const char* text, size_t length, CUuuid* uuid) {
  if (read_uuid(text, length, uuid)) return;
  wrong("--device-map: '%.*s' is not a UUID such as GPU-01234567-89ab-cdef-0123-456789abcdef", (int)length,
        text);
}

static int same_uuid(const CUuuid* a, const CUuuid* b) {
  return memcmp(a, b, sizeof *a) == 0;
}

static void add_pair(struct arguments* into, const char* text, size_t length) {
  CUcheckpointGpuPair pair;
  const char* equals = memchr(text, '=', length);
  if (equals == NULL) wrong("--device-map: '%.*s' is not OLD=NEW", (int)length, text);
  take_uuid(text, (size_t)(equals - text), &pair.oldUuid);
  take_uuid(equals + 1, (size_t)(text + length - equals - 1), &pair.newUuid);
  for (unsigned i = 0; i < into->pair_count; ++i) {
    if (same_uuid(&into->pairs[i].oldUuid, &pair.oldUuid) ||
        same_uuid(&into->pairs[i].newUuid, &pair.newUuid)) {
      wrong("--device-map: '%.*s' names a GPU that another pair has on the same side", (int)length, text);
    }
  }
  into->pairs = grow(into->pairs, into->pair_count + 1, sizeof pair);
  into->pairs[into->pair_count++] = pair;
}

static void take_device_map(struct arguments* into, const char* list) {
  size_t length = 0;
  if (into->pair_count > 0) wrong("--device-map is given twice");
  for (;; list += length + 1) {
    length = strcspn(list, ",");
    add_pair(into, list, length);
    if (list[length] == '\0') return;
  }
}

// ---- what to do

static void set_operation(struct arguments* into, enum operation operation) {
  if (into->operation != kNothing) {
    wrong("only one of --get-state, --get-restore-tid, --action and --toggle can be given, and once");
  }
  into->operation = operation;
}

static void take_get_state(struct arguments* into, const char* none) {
  (void)none;
  set_operation(into, kGetState);
}

static void take_get_restore_tid(struct arguments* into, const char* none) {
  (void)none;
  set_operation(into, kGetRestoreTid);
}

static void take_toggle(struct arguments* into, const char* none) {
  (void)none;
  set_operation(into, kToggle);
}

static void take_action(struct arguments* into, const char* name) {
  static const char* const kNames[] = {"lock", "checkpoint", "restore", "unlock"};
  for (int i = 0; i < 4; ++i) {
    if (strcmp(name, kNames[i]) == 0) {
      set_operation(into, (enum operation)(kLock + i));
      return;
    }
  }
  wrong("unknown action '%s'; there are lock, checkpoint, restore and unlock", name);
}

// ---- options

struct option {
  const char* name;
  char letter;
  int has_value;
  void (*take)(struct arguments* into, const char* value);
};

static const struct option kOptions[] = {
    {"get-state", 0, 0, take_get_state},
    {"get-restore-tid", 0, 0, take_get_restore_tid},
    {"toggle", 0, 0, take_toggle},
    {"action", 0, 1, take_action},
    {"pid", 'p', 1, take_pids},
    {"timeout", 't', 1, take_timeout},
    {"device-map", 'd', 1, take_device_map},
};

static int is_option(const struct option* option, const char* word, size_t length) {
  if (word[0] != '-') return 0;
  if (word[1] != '-') return length == 2 && option->letter != 0 && word[1] == option->letter;
  return strlen(option->name) == length - 2 && strncmp(option->name, word + 2, length - 2) == 0;
}

static const struct option* find_option(const char* word, size_t length) {
  for (size_t i = 0; i < sizeof kOptions / sizeof *kOptions; ++i) {
    if (is_option(&kOptions[i], word, length)) return &kOptions[i];
  }
  wrong("unknown argument '%s'", word);
}

// --name, --name VALUE, --name=VALUE or -n VALUE; returns the last word that it took.
static char** take_option(struct arguments* into, char** word) {
  const size_t length = strcspn(*word, "=");
  const struct option* option = find_option(*word, length);
  const char* value = (*word)[length] == '=' ? *word + length + 1 : NULL;
  if (option->has_value && value == NULL) value = *++word;
  if (option->has_value && value == NULL) wrong("--%s needs a value", option->name);
  if (!option->has_value && value != NULL) wrong("--%s takes no value", option->name);
  option->take(into, value);
  return word;
}

static int asks_for_help(char** argv) {
  for (; *argv != NULL; ++argv) {
    if (strcmp(*argv, "-h") == 0 || strcmp(*argv, "--help") == 0) return 1;
  }
  return 0;
}

static void check(const struct arguments* arguments) {
  if (arguments->operation == kNothing) {
    wrong("nothing to do: give --get-state, --get-restore-tid, --action or --toggle");
  }
  if (arguments->pid_count == 0) wrong("no process: give --pid");
  if (arguments->has_timeout && arguments->operation != kLock) wrong("--timeout is for --action lock only");
  if (arguments->pair_count > 0 && arguments->operation != kRestore) {
    wrong("--device-map is for --action restore only");
  }
}

void parse_arguments(struct arguments* arguments, char** argv) {
  memset(arguments, 0, sizeof *arguments);
  if (asks_for_help(argv + 1)) {
    arguments->operation = kHelp;
    return;
  }
  for (char** word = argv + 1; *word != NULL; ++word) word = take_option(arguments, word);
  check(arguments);
}
