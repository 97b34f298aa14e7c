/* The process of the test containers: one static program, one mode per effect that a checkpoint has to
 * preserve.
 *
 *     gcc -static -O2 -pthread -Wall -Wextra -Werror -o payload payload.c
 *
 * Every mode that counts starts at 1, ticks each 50 ms and goes on until it is killed; SIGTERM exits 0 (also
 * as pid 1). A number that goes on after a restore proves the restore; one that starts at 1 again is a fresh
 * start. What a mode checks about itself (content, locks, the tty) and finds broken ends it with exit
 * status 70. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { tick_ms = 50, digest_ms = 200, exit_usage = 2, exit_broken = 70 };
enum { path_size = 4096 };

__attribute__((format(printf, 1, 2), noreturn)) static void broken(const char* format, ...) {
  int error = errno;
  va_list args;
  va_start(args, format);
  fputs("payload: ", stderr);
  vfprintf(stderr, format, args);
  fprintf(stderr, " (errno %d: %s)\n", error, strerror(error));
  va_end(args);
  _exit(exit_broken);
}

static void sleep_ms(long ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

static unsigned long number(const char* text) {
  char* end = NULL;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0') {
    fprintf(stderr, "payload: '%s' is not a number\n", text);
    _exit(exit_usage);
  }
  return value;
}

__attribute__((format(printf, 2, 3))) static void join(char path[path_size], const char* format, ...) {
  va_list args;
  va_start(args, format);
  int length = vsnprintf(path, path_size, format, args);
  va_end(args);
  if (length < 0 || length >= path_size) broken("path too long");
}

/* All of it, or broken: a short write would look like lost data. */
static void write_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t done = write(fd, data, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) broken("write");
    data += done;
    size -= (size_t)done;
  }
}

/* A reader that went away must not end the count: the restored process's new reader may come later. */
static void say_line(unsigned long n) {
  char line[32];
  int size = snprintf(line, sizeof line, "line %lu\n", n);
  if (write(STDOUT_FILENO, line, (size_t)size) < 0) errno = 0;
}

/* Replaces the file by rename, so that a reader sees the old text or the new one.
 * A dump may fall while the temporary file is open. CRIU then wants that name at restore, and the same size
 * unless the file is write-only and appending; so it is both, and the names are exchanged, not renamed, to
 * keep it there. */
static void publish(const char* path, const char* text) {
  char temporary[path_size];
  join(temporary, "%s.tmp", path);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) broken("open '%s'", temporary);
  if (ftruncate(fd, 0) != 0) broken("truncate '%s'", temporary);
  write_all(fd, text, strlen(text));
  close(fd);
  if (syscall(SYS_renameat2, AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0) return;
  /* The first time; and gVisor, always. A second container on the same directory may have renamed it just
   * now. */
  if (rename(temporary, path) != 0 && errno != ENOENT) broken("rename '%s'", temporary);
}

static void publish_number(const char* path, unsigned long n) {
  char text[32];
  snprintf(text, sizeof text, "%lu\n", n);
  publish(path, text);
}

static uint64_t pseudo_random(uint64_t* state) { /* splitmix64 */
  uint64_t z = (*state += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

static void fill(uint64_t* words, size_t count, uint64_t seed) {
  for (size_t i = 0; i < count; i++) words[i] = pseudo_random(&seed);
}

static void mode_counter(char** args) {
  long ms = args[1] ? (long)number(args[1]) : tick_ms;
  for (unsigned long n = 1;; n++) {
    publish_number(args[0], n);
    say_line(n);
    sleep_ms(ms);
  }
}

/* Ends with whoever started it. */
static void mode_dies_with_parent(char** args) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) broken("prctl");
  mode_counter(args);
}

/* The same program from memory, which has no file. */
static void mode_from_memory(char** args) {
  char* command[] = {"payload", "counter", args[0], NULL};
  int from = open("/proc/self/exe", O_RDONLY), to = memfd_create("payload", MFD_CLOEXEC);
  char bytes[1U << 16U];
  if (from < 0 || to < 0) broken("memfd_create");
  for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0;) write_all(to, bytes, (size_t)n);
  fexecve(to, command, environ);
  broken("fexecve");
}

static uint64_t digest(const volatile uint64_t* words,
                       size_t count) { /* volatile: each call reads all of it */
  uint64_t hash = 0xcbf29ce484222325U;
  for (size_t i = 0; i < count; i++) hash = (hash ^ words[i]) * 0x100000001b3U;
  return hash;
}

static void mode_memory(char** args) {
  size_t size = number(args[0]) << 20;
  uint64_t* words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (words == MAP_FAILED) broken("mmap of %s MB", args[0]);
  fill(words, size / sizeof *words, 1);
  unsigned long bits = args[2] ? number(args[2]) : 0; /* the fewer, the better it can be compressed */
  for (size_t i = 0; bits > 0 && i < size / sizeof *words; i++) words[i] %= 1ULL << bits;
  sigset_t wake;
  sigemptyset(&wake);
  sigaddset(&wake, SIGUSR1);
  sigprocmask(SIG_BLOCK, &wake, NULL);
  const struct timespec wait = {0, digest_ms * 1000000L};
  for (unsigned long n = 1;; n++) {
    char text[64];
    snprintf(text, sizeof text, "%016llx %lu\n", (unsigned long long)digest(words, size / sizeof *words), n);
    publish(args[1], text);
    sigtimedwait(&wake, NULL, &wait);
  }
}

static void count_into(const char* path) {
  for (unsigned long n = 1;; n++) {
    publish_number(path, n);
    sleep_ms(tick_ms);
  }
}

static void* count_thread(void* path) {
  count_into(path);
  return NULL;
}

static void start_threads(unsigned process, unsigned long threads, const char* dir) {
  for (unsigned long t = 0; t < threads; t++) {
    char* path = malloc(path_size); /* the thread's, for ever */
    if (!path) broken("malloc");
    join(path, "%s/%u.%lu", dir, process, t);
    pthread_t thread;
    if (pthread_create(&thread, NULL, count_thread, path) != 0) broken("pthread_create");
  }
}

/* A child that does not outlive its parent, where no pid namespace ends it. */
static pid_t fork_child(void) {
  pid_t child = fork();
  if (child < 0) broken("fork");
  if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  return child;
}

static void mode_threads(char** args) {
  for (unsigned process = 0; process < 2; process++) {
    if (fork_child() != 0) continue;
    start_threads(process, number(args[0]), args[1]);
    for (;;) pause();
  }
  int status = 0;
  wait(&status);
  errno = 0;
  broken("a child ended with wait status %d", status);
}

/* Needs CAP_NET_ADMIN in a network namespace whose lo is down; elsewhere lo is up and a refusal does not
 * matter. */
static void bring_lo_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  struct ifreq request = {.ifr_name = "lo"};
  if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP)) {
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    ioctl(fd, SIOCSIFFLAGS, &request);
  }
  close(fd);
}

static int listen_on_lo(struct sockaddr_in* address) {
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof *address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr*)address, size) != 0 || listen(fd, 8) != 0 ||
      getsockname(fd, (struct sockaddr*)address, &size) != 0)
    broken("listen on 127.0.0.1");
  return fd;
}

static bool transfer(ssize_t (*call)(int, void*, size_t), int fd, uint64_t* value) {
  size_t done = 0;
  while (done < sizeof *value) {
    ssize_t size = call(fd, (char*)value + done, sizeof *value - done);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    done += (size_t)size;
  }
  return true;
}

static ssize_t send_some(int fd, void* data, size_t size) {
  return send(fd, data, size, MSG_NOSIGNAL);
}
static ssize_t receive_some(int fd, void* data, size_t size) {
  return recv(fd, data, size, 0);
}

static void serve_echo(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
      sleep_ms(tick_ms);
      continue;
    }
    uint64_t value = 0;
    while (transfer(receive_some, fd, &value) && transfer(send_some, fd, &value)) {
    }
    close(fd);
  }
}

static int connect_to(const struct sockaddr_in* address) {
  for (;;) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) broken("socket");
    if (connect(fd, (const struct sockaddr*)address, sizeof *address) == 0) return fd;
    close(fd);
    sleep_ms(tick_ms);
  }
}

/* A lost connection is made anew and counted in FILE.reconnects, which does not exist while the first one
 * lives. */
static void exchange(const struct sockaddr_in* address, const char* file) {
  char reconnects[path_size];
  join(reconnects, "%s.reconnects", file);
  int fd = connect_to(address);
  unsigned long lost = 0;
  for (uint64_t n = 1;; sleep_ms(tick_ms)) {
    uint64_t echo = n;
    if (!transfer(send_some, fd, &echo) || !transfer(receive_some, fd, &echo)) {
      close(fd);
      publish_number(reconnects, ++lost);
      fd = connect_to(address);
      continue;
    }
    if (echo != n) broken("sent %llu, got %llu back", (unsigned long long)n, (unsigned long long)echo);
    publish_number(file, n++);
  }
}

static void mode_tcp(char** args) {
  bring_lo_up();
  struct sockaddr_in address;
  int listener = listen_on_lo(&address);
  if (fork_child() == 0) serve_echo(listener);
  close(listener);
  exchange(&address, args[0]);
}

static void mode_tcp_server(char** args) {
  struct sockaddr_in address;
  int listener = listen_on_lo(&address);
  publish_number(args[0], ntohs(address.sin_port));
  serve_echo(listener);
}

static void mode_tcp_client(char** args) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)number(args[0])),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  exchange(&address, args[1]);
}

static void mode_tcp_listen(char** args) {
  bring_lo_up();
  struct sockaddr_in address;
  listen_on_lo(&address);
  count_into(args[0]);
}

static void mode_unix(char** args) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (snprintf(address.sun_path, sizeof address.sun_path, "%s", args[0]) >= (int)sizeof address.sun_path)
    broken("path too long");
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) != 0) broken("connect '%s'", args[0]);
  char line[32];
  for (unsigned long n = 1;; n++, sleep_ms(tick_ms)) {
    int size = snprintf(line, sizeof line, "%lu\n", n);
    if (send(fd, line, (size_t)size, 0) != size) broken("send");
  }
}

static int socket_of(const char* path, struct sockaddr_un* address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (snprintf(address->sun_path, sizeof address->sun_path, "%s", path) >= (int)sizeof address->sun_path)
    broken("path too long");
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) broken("socket");
  return fd;
}

static bool answers(const char* path, int listener) {
  struct sockaddr_un address;
  int fd = socket_of(path, &address);
  bool there = connect(fd, (struct sockaddr*)&address, sizeof address) == 0;
  if (there) close(accept(listener, NULL, NULL));
  close(fd);
  return there;
}

static bool is_lo_up(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool up = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP);
  close(fd);
  return up;
}

/* The loop does not tick while one of them is not as it was. */
static void mode_kept(char** args) {
  enum { slack_ns = 333333 };
  char made[path_size], path[path_size], count[path_size];
  join(made, "%s/socket.new", args[0]);
  join(path, "%s/socket", args[0]);
  join(count, "%s/count", args[0]);
  struct sockaddr_un address;
  int listener = socket_of(made, &address);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 8) != 0 ||
      rename(made, path) != 0)
    broken("bind '%s'", made);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(sched_getcpu(), &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) != 0 || prctl(PR_SET_TIMERSLACK, slack_ns) != 0)
    broken("affinity");
  for (unsigned long n = 1;; sleep_ms(tick_ms)) {
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    if (answers(path, listener) && is_lo_up() && CPU_COUNT(&cpus) == 1 &&
        prctl(PR_GET_TIMERSLACK) == slack_ns)
      publish_number(count, n++);
  }
}

static int open_or_break(const char* path, int flags) {
  int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) broken("open '%s'", path);
  return fd;
}

/* Asks through a second open file: flock() conflicts between the two, and an OFD query sees the process's own
 * fcntl lock. The second one stays open, since closing any descriptor of the file would drop the fcntl lock.
 */
static void check_locks(int other) {
  if (flock(other, LOCK_EX | LOCK_NB) == 0) broken("the flock lock is gone");
  struct flock query = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(other, F_OFD_GETLK, &query) == 0 && query.l_type == F_UNLCK) broken("the fcntl lock is gone");
}

static void mode_locks(char** args) {
  char count[path_size];
  join(count, "%s.count", args[0]);
  int fd = open_or_break(args[0], O_RDWR);
  int other = open_or_break(args[0], O_RDWR);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (flock(fd, LOCK_EX) != 0 || fcntl(fd, F_SETLK, &lock) != 0) broken("lock '%s'", args[0]);
  for (unsigned long n = 1;; n++) {
    check_locks(other);
    publish_number(count, n);
    sleep_ms(tick_ms);
  }
}

static void connect_outside(int type, const char* directory, const char* name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", directory, name);
  int fd = socket(AF_UNIX, type, 0);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) broken("connect '%s'", address.sun_path);
}

/* What CRIU refuses: io_uring (where the kernel has it), a namespace of a child's own, unix sockets to
 * DIR/stream and DIR/datagram; and an inotify watch. */
static void mode_obstacles(char** args) {
  char count[path_size], parameters[120] = {0};
  join(count, "%s/count", args[0]);
  (void)syscall(__NR_io_uring_setup, 1, parameters);
  if (inotify_add_watch(inotify_init1(0), args[0], IN_CREATE) < 0) broken("watch '%s'", args[0]);
  connect_outside(SOCK_STREAM, args[0], "stream");
  connect_outside(SOCK_DGRAM, args[0], "datagram");
  if (fork() == 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWUTS) != 0) broken("unshare");
    for (;;) pause();
  }
  for (unsigned long n = 1;; n++) {
    publish_number(count, n);
    sleep_ms(tick_ms);
  }
}

enum { block_words = 8192 };

static void write_pattern(int fd, size_t blocks) {
  static uint64_t words[block_words];
  for (size_t i = 0; i < blocks; i++) {
    fill(words, block_words, i);
    write_all(fd, (const char*)words, sizeof words);
  }
}

static void check_pattern(int fd, size_t blocks) {
  static uint64_t expected[block_words], words[block_words];
  for (size_t i = 0; i < blocks; i++) {
    fill(expected, block_words, i);
    ssize_t size = pread(fd, words, sizeof words, (off_t)(i * sizeof words));
    if (size != (ssize_t)sizeof words || memcmp(words, expected, sizeof words) != 0)
      broken("content of the open file changed in block %zu", i);
  }
}

static void count_while_intact(int fd, size_t blocks, const char* dir) {
  char count[path_size];
  join(count, "%s/count", dir);
  for (unsigned long n = 1;; n++) {
    check_pattern(fd, blocks);
    publish_number(count, n);
    sleep_ms(tick_ms);
  }
}

static void mode_deleted(char** args) {
  size_t blocks = (number(args[1]) << 20) / (block_words * sizeof(uint64_t));
  char path[path_size];
  join(path, "%s/deleted", args[0]);
  int fd = open_or_break(path, O_RDWR | O_TRUNC);
  write_pattern(fd, blocks);
  if (unlink(path) != 0) broken("unlink '%s'", path);
  count_while_intact(fd, blocks, args[0]);
}

static void mode_linked(char** args) {
  char opened[path_size], other[path_size];
  join(opened, "%s/opened", args[0]);
  join(other, "%s/other", args[0]);
  int fd = open_or_break(opened, O_RDWR | O_TRUNC);
  write_pattern(fd, 1);
  if (link(opened, other) != 0 || unlink(opened) != 0) broken("link '%s'", other);
  count_while_intact(fd, 1, args[0]);
}

static void mode_pty(char** args) {
  for (unsigned long n = 1;; n++) {
    if (!isatty(STDOUT_FILENO)) broken("stdout is no tty");
    say_line(n);
    publish_number(args[0], n);
    sleep_ms(tick_ms);
  }
}

static void mode_exit(char** args) {
  if (args[1]) sleep_ms((long)number(args[1]));
  exit((int)number(args[0]));
}

static void mode_sleep(char** args) {
  (void)args;
  for (;;) pause();
}

static void mode_spew(char** args) {
  static const char row[] = "0123456789abcde\n";
  for (size_t left = number(args[0]); left > 0;) {
    size_t size = left < sizeof row - 1 ? left : sizeof row - 1;
    write_all(STDOUT_FILENO, row, size);
    left -= size;
  }
}

static void append_lines(const char* path, int flags) {
  int fd = open_or_break(path, flags);
  for (unsigned long n = 1;; n++) {
    char line[32];
    write_all(fd, line, (size_t)snprintf(line, sizeof line, "line %lu\n", n));
    sleep_ms(tick_ms);
  }
}

static volatile sig_atomic_t asked;

static void ask(int signal) {
  (void)signal;
  asked = 1;
}

static long microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

/* Ticks each millisecond; on SIGUSR1 says how long the longest time between two ticks was since the last
 * time. Half of its memory's bits are zero, so that it compresses as text does. */
static void mode_ticks(char** args) {
  size_t words = number(args[0]) << 17;
  uint64_t* memory = malloc(words * sizeof *memory);
  uint64_t state = 1;
  if (memory == NULL) broken("malloc");
  signal(SIGUSR1, ask);
  for (size_t i = 0; i < words; i++) memory[i] = pseudo_random(&state) & 0x0f0f0f0f0f0f0f0fU;
  long longest = 0, last = microseconds();
  for (unsigned long n = 1;;) {
    nanosleep(&(struct timespec){0, 1000000}, NULL);
    long now = microseconds();
    if (now - last > longest) longest = now - last;
    last = now;
    if (!asked) continue;
    char text[64];
    snprintf(text, sizeof text, "%lu %ld\n", n++, longest);
    publish(args[1], text);
    asked = 0;
    longest = 0;
    last = microseconds();
  }
}

enum { record_size = 64 };

static void make_record(unsigned char record[record_size], unsigned long n) {
  uint64_t state = n;
  for (size_t i = 0; i < record_size; i += sizeof(uint64_t)) {
    uint64_t value = pseudo_random(&state);
    memcpy(record + i, &value, sizeof value);
  }
}

static void expect_record(int fd, unsigned long at, unsigned long n) {
  unsigned char wanted[record_size], found[record_size];
  make_record(wanted, n);
  if (pread(fd, found, sizeof found, (off_t)(at * record_size)) != record_size) broken("read record %lu", at);
  if (memcmp(wanted, found, sizeof wanted) != 0) broken("record %lu is not of state %lu", at, n);
}

/* Record 0 is rewritten in place with each state, record N added. Before each step the file must be what
 * memory says: a restore of memory with another moment's file ends here. */
static void mode_database(char** args) {
  int fd = open_or_break(args[0], O_RDWR | O_TRUNC);
  unsigned char record[record_size];
  make_record(record, 0);
  if (pwrite(fd, record, sizeof record, 0) != record_size) broken("write record");
  for (unsigned long n = 0;; n++) {
    struct stat now;
    if (fstat(fd, &now) != 0 || now.st_size != (off_t)((n + 1) * record_size))
      broken("%ld bytes at state %lu", (long)now.st_size, n);
    expect_record(fd, 0, n);
    if (n > 0) expect_record(fd, (n + 1) / 2, (n + 1) / 2);
    make_record(record, n + 1);
    if (pwrite(fd, record, sizeof record, (off_t)((n + 1) * record_size)) != record_size)
      broken("write record");
    if (pwrite(fd, record, sizeof record, 0) != record_size) broken("write record");
    publish_number(args[1], n + 1);
    sleep_ms(tick_ms);
  }
}

static void mode_growlog(char** args) {
  append_lines(args[0], O_WRONLY | O_APPEND);
}
static void mode_rewrite(char** args) {
  append_lines(args[0], O_RDWR | O_TRUNC);
}

static const struct mode {
  const char* name;
  int min_args, max_args;
  void (*run)(char** args);
  const char* usage;
} modes[] = {
    {"counter", 1, 2, mode_counter, "FILE [MS]          count into FILE, 'line N' on stdout"},
    {"dies-with-parent", 1, 2, mode_dies_with_parent, "FILE [MS]          the same, with PR_SET_PDEATHSIG"},
    {"from-memory", 1, 1, mode_from_memory, "FILE               the same from a memfd"},
    {"memory", 2, 3, mode_memory,
     "MB DIGESTFILE [BITS]  'DIGEST COUNT' each 200 ms and on SIGUSR1; BITS of 64 are random"},
    {"threads", 2, 2, mode_threads,
     "N DIR              2 processes of N threads, each counts into DIR/PROCESS.THREAD"},
    {"tcp", 1, 1, mode_tcp, "FILE               numbers echoed over 127.0.0.1; FILE.reconnects if it broke"},
    {"tcp-server", 1, 1, mode_tcp_server, "FILE               echo what comes to the port that FILE gets"},
    {"tcp-client", 2, 2, mode_tcp_client, "PORT FILE          the same with such a server"},
    {"tcp-listen", 1, 1, mode_tcp_listen, "FILE               listen only, count into FILE"},
    {"unix", 1, 1, mode_unix, "SOCKET             numbers as datagrams to somebody else's SOCKET"},
    {"kept", 1, 1, mode_kept,
     "DIR                count into DIR/count while DIR/socket answers, lo is up, on one processor"},
    {"locks", 1, 1, mode_locks, "FILE               hold flock and fcntl locks, count into FILE.count"},
    {"obstacles", 1, 1, mode_obstacles,
     "DIR                io_uring, inotify, DIR/stream, DIR/datagram, a namespace; DIR/count"},
    {"deleted", 2, 2, mode_deleted,
     "DIR MB             keep a deleted file of MB open, count into DIR/count"},
    {"linked", 1, 1, mode_linked, "DIR                its opened name deleted, another left; DIR/count"},
    {"pty", 1, 1, mode_pty, "FILE               'line N' on the tty, count into FILE"},
    {"exit", 1, 2, mode_exit, "N [MS]             exit N (after MS)"},
    {"sleep", 0, 0, mode_sleep, "                   for ever"},
    {"spew", 1, 1, mode_spew, "BYTES              on stdout, then exit 0"},
    {"database", 2, 2, mode_database,
     "FILE COUNT         a file held open that must agree with memory; count into COUNT"},
    {"ticks", 2, 2, mode_ticks, "MB FILE            on SIGUSR1 'N LONGEST', microseconds between two ticks"},
    {"growlog", 1, 1, mode_growlog, "FILE               append 'line N', write-only and O_APPEND"},
    {"rewrite", 1, 1, mode_rewrite, "FILE               write 'line N' without O_APPEND, the file held open"},
};

static void usage(void) {
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
    fprintf(stderr, "payload %-10s %s\n", modes[i].name, modes[i].usage);
  exit(exit_usage);
}

static void leave(int signal) {
  (void)signal;
  _exit(0);
}

int main(int argc, char** argv) {
  signal(SIGTERM, leave); /* pid 1 has no default action */
  signal(SIGPIPE, SIG_IGN);
  for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(argv[1], modes[i].name) != 0) continue;
    if (argc - 2 < modes[i].min_args || argc - 2 > modes[i].max_args) usage();
    modes[i].run(argv + 2);
    return 0;
  }
  usage();
}
