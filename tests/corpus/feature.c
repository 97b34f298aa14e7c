// feature NAME: sets one feature of the kernel up, then looks ten times a second whether its state is still
// what it was. A line for each look that found it right; status 1 and a reason when it is not, 77 where the
// kernel or the container's rights do not have it. `feature` alone lists the names.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char* what, ...) {
  va_list list;
  va_start(list, what);
  fprintf(stderr, "wrong: ");
  vfprintf(stderr, what, list);
  fprintf(stderr, " (%s)\n", strerror(errno));
  exit(1);
}
static void cannot(const char* what) {
  fprintf(stderr, "cannot %s: %s\n", what, strerror(errno));
  exit(77);
}
#define NEED(x) ((long)(x) < 0 ? cannot(#x) : (void)0)
#define HOLDS(x) ((x) ? (void)0 : fail("%s", #x))

static int fd, fd2, pipes[2];
static long number;
static pid_t child;
static volatile sig_atomic_t signals;
static char* memory;
static void on_signal(int s) {
  (void)s, signals++;
}
static void nothing(void) {}

static void spawn(void (*body)(void)) {
  int ready[2];
  char byte;
  NEED(pipe(ready));
  NEED(child = fork());
  if (child == 0) {
    body();
    if (write(ready[1], "x", 1) != 1) _exit(1);
    close(ready[0]), close(ready[1]);
    for (;;) pause();
  }
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) {
    int status = 0;
    waitpid(child, &status, 0);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  close(ready[0]);
}
static void child_lives(void) {
  HOLDS(kill(child, 0) == 0 && waitpid(child, NULL, WNOHANG) == 0);
}

// A byte is always on its way.
static void send_byte(int to) {
  HOLDS(write(to, "x", 1) == 1);
}
static void pass(int from, int to) {
  char byte = 0;
  HOLDS(read(from, &byte, 1) == 1 && byte == 'x');
  send_byte(to);
}
static void through_pair(void) {
  pass(fd2, fd);
}

// ---- descriptors
static void pipe_up(void) {
  NEED(pipe(pipes)), fd = pipes[1], fd2 = pipes[0], send_byte(fd);
}
static void fifo_up(void) {
  NEED(mkfifo("/tmp/fifo", 0600)), NEED(fd2 = open("/tmp/fifo", O_RDWR)), fd = fd2, send_byte(fd);
}
static void eventfd_up(void) {
  NEED(fd = eventfd(42, EFD_NONBLOCK));
}
static void eventfd_ok(void) {
  uint64_t value = 0;
  HOLDS(read(fd, &value, 8) == 8 && value == 42 && write(fd, &value, 8) == 8);
}
static void timerfd_up(void) {
  struct itimerspec every = {{0, 20000000}, {0, 20000000}};
  NEED(fd = timerfd_create(CLOCK_MONOTONIC, 0)), NEED(timerfd_settime(fd, 0, &every, NULL));
}
static void timerfd_ok(void) {
  uint64_t value = 0;
  HOLDS(read(fd, &value, 8) == 8 && value > 0);
}
static void signalfd_up(void) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, NULL);
  NEED(fd = signalfd(-1, &set, 0)), raise(SIGUSR1);
}
static void signalfd_ok(void) {
  struct signalfd_siginfo info;
  HOLDS(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
  raise(SIGUSR1);
}
static void epoll_up(void) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77};
  eventfd_up(), NEED(fd2 = epoll_create1(0)), NEED(epoll_ctl(fd2, EPOLL_CTL_ADD, fd, &event));
}
static void epoll_ok(void) {
  struct epoll_event event;
  HOLDS(epoll_wait(fd2, &event, 1, 1000) == 1 && event.data.u64 == 77);
}
static void watch_up(const char* directory) {
  mkdir(directory, 0755);
  NEED(fd = inotify_init1(IN_NONBLOCK)), NEED(inotify_add_watch(fd, directory, IN_CREATE));
}
static void watch_ok(const char* directory) {
  char buffer[4096], path[256];
  snprintf(path, sizeof path, "%s/%ld", directory, number++);
  HOLDS(close(open(path, O_CREAT | O_RDWR, 0600)) == 0);
  HOLDS(read(fd, buffer, sizeof buffer) > 0);
  unlink(path);
}
static void inotify_up(void) {
  mkdir("/srv", 0755), watch_up("/srv/watched");
}
static void inotify_ok(void) {
  watch_ok("/srv/watched");
}
static void inotify_tmpfs_up(void) {
  watch_up("/dev/shm/watched");
}
static void inotify_tmpfs_ok(void) {
  watch_ok("/dev/shm/watched");
}
static void inotify_file_up(void) {
  mkdir("/srv", 0755), NEED(fd2 = open("/srv/file", O_CREAT | O_RDWR, 0600));
  NEED(fd = inotify_init1(IN_NONBLOCK)), NEED(inotify_add_watch(fd, "/srv/file", IN_MODIFY));
}
static void inotify_file_ok(void) {
  char buffer[4096];
  HOLDS(pwrite(fd2, "x", 1, 0) == 1 && read(fd, buffer, sizeof buffer) > 0);
}
static void inotify_odd_up(void) {
  mkdir("/srv", 0755), watch_up("/srv/odd \"name'#");
}
static void inotify_odd_ok(void) {
  watch_ok("/srv/odd \"name'#");
}
static void fanotify_up(void) {
  mkdir("/srv", 0755), mkdir("/srv/watched", 0755);
  NEED(fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY));
  NEED(fanotify_mark(fd, FAN_MARK_ADD, FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, AT_FDCWD, "/srv/watched"));
}
static void fanotify_ok(void) {
  struct fanotify_event_metadata event;
  HOLDS(close(open("/srv/watched/f", O_CREAT | O_RDWR, 0600)) == 0);
  HOLDS(read(fd, &event, sizeof event) == sizeof event);
  close(event.fd);
}
static void pidfd_up(void) {
  spawn(nothing), NEED(fd = (int)syscall(SYS_pidfd_open, child, 0));
}
static void pidfd_ok(void) {
  child_lives(), HOLDS(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0);
}
static void pty_up(void) {
  NEED(fd = posix_openpt(O_RDWR | O_NOCTTY)), NEED(grantpt(fd)), NEED(unlockpt(fd));
  NEED(fd2 = open(ptsname(fd), O_RDWR | O_NOCTTY));
}
static void pty_ok(void) {
  char line[8] = "";
  HOLDS(write(fd, "x\n", 2) == 2 && read(fd2, line, sizeof line) == 2);
}
static void opath_up(void) {
  NEED(fd = open("/tmp", O_PATH | O_DIRECTORY));
}
static void opath_ok(void) {
  HOLDS(faccessat(fd, ".", F_OK, 0) == 0);
}
static void proc_file_up(void) {
  NEED(fd = open("/proc/self/status", O_RDONLY));
}
static void proc_file_ok(void) {
  char text[64];
  HOLDS(pread(fd, text, sizeof text, 0) > 5);
}

// ---- files
static void data_file(const char* path, size_t size) {
  NEED(fd = open(path, O_CREAT | O_RDWR, 0600));
  char* data = malloc(size);
  memset(data, 'd', size);
  HOLDS(write(fd, data, size) == (ssize_t)size);
  number = (long)size, free(data);
}
static void size_ok(void) {
  struct stat status;
  char last = 0;
  HOLDS(fstat(fd, &status) == 0 && status.st_size == number && pread(fd, &last, 1, number - 1) == 1 &&
        last == 'd');
}
static void deleted_up(void) {
  data_file("/tmp/f", 5000), unlink("/tmp/f");
}
static void deleted_large_up(void) {
  data_file("/tmp/f", 3000001), unlink("/tmp/f");
}
static void deleted_linked_up(void) {
  data_file("/tmp/f", 5000), NEED(link("/tmp/f", "/tmp/g")), unlink("/tmp/f");
}
static void deleted_directory_up(void) {
  NEED(mkdir("/tmp/d", 0700)), NEED(chdir("/tmp/d")), NEED(rmdir("/tmp/d"));
}
static void sparse_up(void) {
  data_file("/tmp/f", 10), NEED(ftruncate(fd, 50000000)), unlink("/tmp/f");
}
static void sparse_ok(void) {
  struct stat status;
  HOLDS(fstat(fd, &status) == 0 && status.st_size == 50000000);
}
static void tmpfile_up(void) {
  NEED(fd = open("/tmp", O_TMPFILE | O_RDWR, 0600)), number = 1, HOLDS(write(fd, "d", 1) == 1);
}
static void append_up(void) {
  NEED(fd = open("/tmp/log", O_CREAT | O_WRONLY | O_APPEND, 0600));
}
static void append_ok(void) {
  HOLDS(write(fd, "line\n", 5) == 5);
}
static void file_up(void) {
  data_file("/tmp/f", 70000);
}
static void flock_up(void) {
  file_up(), NEED(flock(fd, LOCK_EX));
}
static void flock_ok(void) {
  int other = open("/tmp/f", O_RDWR);
  HOLDS(other >= 0 && flock(other, LOCK_EX | LOCK_NB) < 0), close(other);
}
static void posix_lock_up(void) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  file_up(), NEED(fcntl(fd, F_SETLK, &lock));
}
static void posix_lock_ok(void) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  pid_t one = fork();
  if (one == 0) _exit(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK ? 0 : 1);
  int status = 1;
  HOLDS(waitpid(one, &status, 0) == one && status == 0);
}
static void ofd_lock_up(void) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  file_up(), NEED(fcntl(fd, F_OFD_SETLK, &lock));
}
static void ofd_lock_ok(void) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  int other = open("/tmp/f", O_RDWR);
  HOLDS(other >= 0 && fcntl(other, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK), close(other);
}
static void lease_up(void) {
  file_up(), close(fd), NEED(fd = open("/tmp/f", O_RDONLY)), NEED(fcntl(fd, F_SETLEASE, F_RDLCK));
}
static void lease_ok(void) {
  HOLDS(fcntl(fd, F_GETLEASE) == F_RDLCK);
}

// ---- memory
static void filled(size_t size) {
  memset(memory, 'm', size), number = (long)size;
}
static void memory_ok(void) {
  HOLDS(memory[0] == 'm' && memory[number - 1] == 'm'), memory[1]++;
}
static void map_up(int flags, int file, size_t size) {
  memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);
  if (memory == MAP_FAILED) cannot("mmap");
  filled(size);
}
static void anonymous_up(void) {
  map_up(MAP_PRIVATE | MAP_ANONYMOUS, -1, 4 << 20);
}
static void shared_child(void) {
  memory[2] = 'c';
}
static void shared_up(void) {
  map_up(MAP_SHARED | MAP_ANONYMOUS, -1, 1 << 20), spawn(shared_child);
}
static void shared_ok(void) {
  child_lives(), memory_ok(), HOLDS(memory[2] == 'c');
}
static void map_file_up(void) {
  file_up(), map_up(MAP_SHARED, fd, 65536);
}
static void map_private_up(void) {
  file_up(), map_up(MAP_PRIVATE, fd, 65536);
}
static void map_deleted_up(void) {
  file_up(), map_up(MAP_SHARED, fd, 65536), close(fd), unlink("/tmp/f");
}
static void huge_up(void) {
  map_up(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 2 << 20);
}
static void thp_up(void) {
  anonymous_up(), NEED(madvise(memory, 4 << 20, MADV_HUGEPAGE));
}
static void locked_up(void) {
  anonymous_up(), NEED(mlock(memory, 65536));
}
static void memfd_up(void) {
  NEED(fd = memfd_create("m", MFD_ALLOW_SEALING)), NEED(ftruncate(fd, 1 << 20)),
      map_up(MAP_SHARED, fd, 1 << 20);
}
static void sealed_up(void) {
  NEED(fd = memfd_create("m", MFD_ALLOW_SEALING)), HOLDS(write(fd, "d", 1) == 1), number = 1;
  NEED(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
}
static void sealed_ok(void) {
  size_ok(), HOLDS(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
}
static void secretmem_up(void) {
  NEED(fd = (int)syscall(SYS_memfd_secret, 0)), NEED(ftruncate(fd, 4096)), map_up(MAP_SHARED, fd, 4096);
}
static void sysv_shm_up(void) {
  NEED(fd = shmget(IPC_PRIVATE, 65536, IPC_CREAT | 0600)), memory = shmat(fd, NULL, 0), filled(65536);
}
static void sysv_sem_up(void) {
  NEED(fd = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600)), NEED(semctl(fd, 1, SETVAL, 7));
}
static void sysv_sem_ok(void) {
  HOLDS(semctl(fd, 1, GETVAL) == 7);
}
struct letter {
  long type;
  char text[8];
};
static void sysv_msg_up(void) {
  struct letter letter = {3, "hello"};
  NEED(fd = msgget(IPC_PRIVATE, IPC_CREAT | 0600)), NEED(msgsnd(fd, &letter, 8, 0));
}
static void sysv_msg_ok(void) {
  struct letter letter = {0, ""};
  HOLDS(msgrcv(fd, &letter, 8, 3, IPC_NOWAIT) == 8 && strcmp(letter.text, "hello") == 0 &&
        msgsnd(fd, &letter, 8, 0) == 0);
}
static void posix_mq_up(void) {
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 8};
  NEED(fd = mq_open("/queue", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attributes)),
      NEED(mq_send(fd, "x", 1, 0));
}
static void posix_mq_ok(void) {
  char text[8];
  HOLDS(mq_receive(fd, text, 8, NULL) == 1 && mq_send(fd, "x", 1, 0) == 0);
}

// ---- tasks
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static volatile long rounds[8];
static void* thread(void* argument) {
  for (;;)
    pthread_mutex_lock(&mutex), pthread_cond_wait(&turn, &mutex), rounds[(long)argument]++,
        pthread_mutex_unlock(&mutex);
  return NULL;
}
static void threads_up(void) {
  pthread_t one;
  for (long i = 0; i < 8; i++)
    if (pthread_create(&one, NULL, thread, (void*)i) != 0) cannot("make a thread");
  usleep(100000);
}
static void threads_ok(void) {
  long before = rounds[7];
  for (int i = 0; i < 100 && rounds[7] == before; i++)
    pthread_mutex_lock(&mutex), pthread_cond_broadcast(&turn), pthread_mutex_unlock(&mutex), usleep(10000);
  HOLDS(rounds[7] > before);
}
static stack_t stack;
static void sigaltstack_up(void) {
  stack.ss_sp = malloc(65536), stack.ss_size = 65536, NEED(sigaltstack(&stack, NULL));
}
static void sigaltstack_ok(void) {
  stack_t now;
  HOLDS(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack.ss_sp && now.ss_size == stack.ss_size);
}
static void itimer_up(void) {
  struct itimerval every = {{0, 20000}, {0, 20000}};
  signal(SIGALRM, on_signal), NEED(setitimer(ITIMER_REAL, &every, NULL));
}
static void ticking(void) {
  sig_atomic_t before = signals;
  for (int i = 0; i < 100 && signals == before; i++) usleep(20000);
  HOLDS(signals > before);
}
static void posix_timer_up(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
  struct itimerspec every = {{0, 20000000}, {0, 20000000}};
  signal(SIGUSR2, on_signal), NEED(timer_create(CLOCK_MONOTONIC, &event, &timer)),
      NEED(timer_settime(timer, 0, &every, NULL));
}
static void pending_up(void) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, NULL), raise(SIGUSR1);
}
static void pending_ok(void) {
  sigset_t set;
  HOLDS(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) && sigprocmask(SIG_BLOCK, NULL, &set) == 0 &&
        sigismember(&set, SIGUSR1));
}
static void session_child(void) {
  NEED(setsid());
}
static void session_up(void) {
  spawn(session_child);
}
static void session_ok(void) {
  child_lives(), HOLDS(getsid(child) == child && getpgid(child) == child);
}
static void group_up(void) {
  spawn(nothing), NEED(setpgid(child, child));
}
static void group_ok(void) {
  child_lives(), HOLDS(getpgid(child) == child && getsid(child) == getsid(0));
}
static void ended(void) {
  _exit(3);
}
static void zombie_up(void) {
  NEED(child = fork());
  if (child == 0) ended();
  siginfo_t info;
  HOLDS(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
}
static void zombie_ok(void) {
  siginfo_t info = {0};
  HOLDS(waitid(P_PID, child, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == child &&
        info.si_status == 3);
}
static void ptrace_up(void) {
  spawn(nothing), NEED(ptrace(PTRACE_SEIZE, child, 0, 0));
}
static void umask_up(void) {
  umask(0137);
}
static void umask_ok(void) {
  mode_t now = umask(0137);
  HOLDS(now == 0137);
}
static void rlimit_up(void) {
  struct rlimit limit = {123, 456};
  NEED(setrlimit(RLIMIT_NOFILE, &limit));
}
static void rlimit_ok(void) {
  struct rlimit limit;
  HOLDS(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 123 && limit.rlim_max == 456);
}
static void nice_up(void) {
  NEED(setpriority(PRIO_PROCESS, 0, 7));
}
static void nice_ok(void) {
  HOLDS(getpriority(PRIO_PROCESS, 0) == 7);
}
static void affinity_up(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  NEED(sched_setaffinity(0, sizeof set, &set));
}
static void affinity_ok(void) {
  cpu_set_t set;
  HOLDS(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1);
}
static void batch_up(void) {
  struct sched_param parameter = {0};
  NEED(sched_setscheduler(0, SCHED_BATCH, &parameter));
}
static void batch_ok(void) {
  HOLDS(sched_getscheduler(0) == SCHED_BATCH);
}
static void name_up(void) {
  NEED(prctl(PR_SET_NAME, "renamed"));
}
static void name_ok(void) {
  char name[16] = "";
  HOLDS(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "renamed") == 0);
}
static void subreaper_up(void) {
  NEED(prctl(PR_SET_CHILD_SUBREAPER, 1)), spawn(nothing);
}
static void subreaper_ok(void) {
  int value = 0;
  HOLDS(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
}
static void pdeathsig_child(void) {
  NEED(prctl(PR_SET_PDEATHSIG, SIGUSR1));
}
static void pdeathsig_up(void) {
  spawn(pdeathsig_child);
}
static void dumpable_up(void) {
  NEED(prctl(PR_SET_DUMPABLE, 0));
}
static void dumpable_ok(void) {
  HOLDS(prctl(PR_GET_DUMPABLE) == 0);
}
static void no_thp_up(void) {
  NEED(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
}
static void no_thp_ok(void) {
  HOLDS(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
}
static void slack_up(void) {
  NEED(prctl(PR_SET_TIMERSLACK, 123456));
}
static void slack_ok(void) {
  HOLDS(prctl(PR_GET_TIMERSLACK) == 123456);
}
static void personality_up(void) {
  NEED(personality(ADDR_NO_RANDOMIZE));
}
static void personality_ok(void) {
  HOLDS(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
}
static void user_child(void) {
  NEED(setgid(1000)), NEED(setuid(1000));
}
static void user_up(void) {
  spawn(user_child);
}
static void keyring_up(void) {
  NEED(syscall(SYS_keyctl, 1 /* join session */, "corpus"));
  NEED(number = syscall(SYS_add_key, "user", "corpus", "secret", 6, -3 /* session */));
}
static void keyring_ok(void) {
  char text[8];
  HOLDS(syscall(SYS_keyctl, 11 /* read */, number, text, 8) == 6);
}
static void seccomp_up(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgrp, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 99), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {4, filter};
  NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)), NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}
static void seccomp_ok(void) {
  HOLDS(syscall(SYS_getpgrp) == -1 && errno == 99);
}
static void landlock_up(void) {
  struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_DIR};
  NEED(fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
}
static void landlock_domain_up(void) {
  landlock_up(), NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)),
      NEED(syscall(SYS_landlock_restrict_self, fd, 0)), close(fd);
}
static void landlock_domain_ok(void) {
  HOLDS(mkdir("/tmp/forbidden", 0700) < 0 && errno == EACCES);
}

// ---- sockets
static struct sockaddr_in here = {.sin_family = AF_INET};
static void loopback(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int any = socket(AF_INET, SOCK_DGRAM, 0);
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK), here.sin_port = htons(7777);
  NEED(ioctl(any, SIOCGIFFLAGS, &request)), request.ifr_flags |= IFF_UP, ioctl(any, SIOCSIFFLAGS, &request),
      close(any);
}
static int listener;
static void listen_on(int protocol) {
  loopback(), NEED(listener = socket(AF_INET, SOCK_STREAM, protocol));
  NEED(bind(listener, (void*)&here, sizeof here)), NEED(listen(listener, 5));
}
static void connect_here(int protocol) {
  NEED(fd = socket(AF_INET, SOCK_STREAM, protocol)), NEED(connect(fd, (void*)&here, sizeof here));
}
static void tcp_listen_up(void) {
  listen_on(0);
}
static void tcp_listen_ok(void) {
  connect_here(0), NEED(fd2 = accept(listener, NULL, NULL)), send_byte(fd), close(fd), close(fd2);
}
static void tcp_listen_quiet_ok(void) {
  int value = 0;
  socklen_t size = sizeof value;
  HOLDS(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1);
}
static void tcp_up(void) {
  listen_on(0), connect_here(0), NEED(fd2 = accept(listener, NULL, NULL)), send_byte(fd);
}
static void tcp_half_up(void) {
  tcp_up(), NEED(shutdown(fd2, SHUT_WR));
}
static void tcp_half_ok(void) {
  char byte;
  through_pair(), HOLDS(recv(fd, &byte, 1, MSG_DONTWAIT) == 0);
}
static void tcp_pending_up(void) {
  listen_on(0), connect_here(0);
}
static void mptcp_up(void) {
  listen_on(262);
}
static void mptcp_connected_up(void) {
  listen_on(262), connect_here(262), NEED(fd2 = accept(listener, NULL, NULL)), send_byte(fd);
}
static void udp_up(void) {
  loopback(), NEED(fd2 = socket(AF_INET, SOCK_DGRAM, 0)), NEED(bind(fd2, (void*)&here, sizeof here));
  NEED(fd = socket(AF_INET, SOCK_DGRAM, 0)), NEED(connect(fd, (void*)&here, sizeof here));
}
static void udp_ok(void) {
  send_byte(fd), HOLDS(recv(fd2, &(char){0}, 1, 0) == 1);
}
static void raw_up(void) {
  NEED(fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}
static void socket_ok(void) {
  int value = 0;
  socklen_t size = sizeof value;
  HOLDS(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) == 0);
}
static void packet_up(void) {
  NEED(fd = socket(AF_PACKET, SOCK_RAW, htons(3)));
}
static void netlink_up(void) {
  NEED(fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}
static void vsock_up(void) {
  struct sockaddr_vm address = {
      .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY};
  NEED(fd = socket(AF_VSOCK, SOCK_STREAM, 0)), NEED(bind(fd, (void*)&address, sizeof address)),
      NEED(listen(fd, 1));
}
static void alg_up(void) {
  struct sockaddr_alg address = {.salg_family = AF_ALG, .salg_type = "hash", .salg_name = "sha256"};
  NEED(fd = socket(AF_ALG, SOCK_SEQPACKET, 0)), NEED(bind(fd, (void*)&address, sizeof address));
}
static void unix_pair(int type) {
  NEED(socketpair(AF_UNIX, type, 0, pipes)), fd = pipes[0], fd2 = pipes[1], send_byte(fd);
}
static void unix_stream_up(void) {
  unix_pair(SOCK_STREAM);
}
static void unix_dgram_up(void) {
  unix_pair(SOCK_DGRAM);
}
static void unix_seqpacket_up(void) {
  unix_pair(SOCK_SEQPACKET);
}
static void unix_named_up(const char* name, socklen_t length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, name, length), length += (socklen_t)offsetof(struct sockaddr_un, sun_path);
  NEED(listener = socket(AF_UNIX, SOCK_STREAM, 0)), NEED(bind(listener, (void*)&address, length)),
      NEED(listen(listener, 2));
  NEED(fd = socket(AF_UNIX, SOCK_STREAM, 0)), NEED(connect(fd, (void*)&address, length)),
      NEED(fd2 = accept(listener, NULL, NULL));
  send_byte(fd);
}
static void unix_path_up(void) {
  unix_named_up("/tmp/socket", 11);
}
static void unix_abstract_up(void) {
  unix_named_up("\0corpus", 7);
}
static void unix_passing_up(void) {
  char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pipes)), fd = pipes[0], fd2 = pipes[1];
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &pipes[0], sizeof(int)), HOLDS(sendmsg(fd, &message, 0) == 1);
}

// ---- mounts and namespaces
static void mounted(const char* source, const char* type, unsigned long flags, const char* data) {
  mkdir("/tmp/mount", 0755), NEED(mount(source, "/tmp/mount", type, flags, data));
}
static void tmpfs_up(void) {
  mounted("none", "tmpfs", 0, NULL), data_file("/tmp/mount/f", 1000);
}
static void bind_up(void) {
  mkdir("/tmp/source", 0755), mounted("/tmp/source", NULL, MS_BIND, NULL), data_file("/tmp/mount/f", 1000);
}
static void proc_mount_up(void) {
  mounted("proc", "proc", 0, NULL);
}
static void proc_mount_ok(void) {
  HOLDS(access("/tmp/mount/self/status", F_OK) == 0);
}
static void overlay_mount_up(void) {
  tmpfs_up(), mkdir("/tmp/mount/l", 0755), mkdir("/tmp/mount/u", 0755), mkdir("/tmp/mount/w", 0755),
      mkdir("/tmp/merged", 0755);
  NEED(mount("o", "/tmp/merged", "overlay", 0,
             "lowerdir=/tmp/mount/l,upperdir=/tmp/mount/u,workdir=/tmp/mount/w"));
}
static void overlay_mount_ok(void) {
  size_ok(), HOLDS(access("/tmp/merged", W_OK) == 0);
}
static void mount_namespace_child(void) {
  NEED(unshare(CLONE_NEWNS)), NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)), tmpfs_up();
}
static void mount_namespace_up(void) {
  spawn(mount_namespace_child);
}
static void network_child(void) {
  NEED(unshare(CLONE_NEWNET));
}
static void network_up(void) {
  spawn(network_child);
}
static void uts_child(void) {
  NEED(unshare(CLONE_NEWUTS)), NEED(sethostname("inner", 5));
}
static void uts_up(void) {
  spawn(uts_child);
}
static void ipc_child(void) {
  NEED(unshare(CLONE_NEWIPC));
}
static void ipc_up(void) {
  spawn(ipc_child);
}
static void user_namespace_child(void) {
  NEED(unshare(CLONE_NEWUSER));
}
static void user_namespace_up(void) {
  spawn(user_namespace_child);
}
static void cgroup_child(void) {
  NEED(unshare(CLONE_NEWCGROUP));
}
static void cgroup_up(void) {
  spawn(cgroup_child);
}
static void pid_namespace_up(void) {
  NEED(unshare(CLONE_NEWPID)), spawn(nothing);
}
static void chroot_child(void) {
  mkdir("/tmp/jail", 0755), NEED(chroot("/tmp/jail")), NEED(chdir("/"));
}
static void chroot_up(void) {
  spawn(chroot_child);
}
static void ns_file_up(void) {
  NEED(fd = open("/proc/self/ns/net", O_RDONLY));
}

// ---- what CRIU is said not to have
static void perf_up(void) {
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
                                  .size = sizeof event,
                                  .config = PERF_COUNT_SW_TASK_CLOCK,
                                  .exclude_kernel = 1};
  NEED(fd = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}
static void bpf_map_up(void) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  NEED(fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}
static void bpf_program_up(void) {
  struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
                            {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
                         .insns = (uintptr_t)code,
                         .insn_cnt = 2,
                         .license = (uintptr_t) "GPL"};
  NEED(fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
}
static void userfaultfd_up(void) {
  struct uffdio_api api = {.api = UFFD_API};
  NEED(fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY)),
      NEED(ioctl(fd, UFFDIO_API, &api));
}
static void io_uring_up(void) {
  struct io_uring_params params = {0};
  NEED(fd = (int)syscall(SYS_io_uring_setup, 4, &params));
}
static aio_context_t context;
static void aio_up(void) {
  NEED(syscall(SYS_io_setup, 4, &context)), file_up();
}
static void aio_ok(void) {
  char byte = 0;
  struct iocb job = {.aio_fildes = (uint32_t)fd,
                     .aio_lio_opcode = IOCB_CMD_PREAD,
                     .aio_buf = (uintptr_t)&byte,
                     .aio_nbytes = 1},
              *jobs = &job;
  struct io_event event;
  HOLDS(syscall(SYS_io_submit, context, 1, &jobs) == 1 &&
        syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1 && byte == 'd');
}
static void fsopen_up(void) {
  NEED(fd = (int)syscall(SYS_fsopen, "tmpfs", 0));
}
static void open_ok(void) {
  HOLDS(fcntl(fd, F_GETFD) >= 0);
}
static void device_up(const char* path, int major, int minor, mode_t type) {
  mknod(path, type | 0600, makedev(major, minor)), NEED(fd = open(path, O_RDWR));
}
static void tun_up(void) {
  struct ifreq request = {.ifr_name = "tap7", .ifr_flags = IFF_TAP | IFF_NO_PI};
  device_up("/tmp/tun", 10, 200, S_IFCHR), NEED(ioctl(fd, TUNSETIFF, &request));
}
static void fuse_up(void) {
  device_up("/tmp/fuse", 10, 229, S_IFCHR);
}
static void loop_up(void) {
  device_up("/tmp/loop", 7, 0, S_IFBLK);
}

static const struct feature {
  const char* name;
  void (*up)(void), (*ok)(void);
} features[] = {
    {"nothing", nothing, nothing},
    {"pipe", pipe_up, through_pair},
    {"fifo", fifo_up, through_pair},
    {"eventfd", eventfd_up, eventfd_ok},
    {"timerfd", timerfd_up, timerfd_ok},
    {"signalfd", signalfd_up, signalfd_ok},
    {"epoll", epoll_up, epoll_ok},
    {"inotify", inotify_up, inotify_ok},
    {"inotify-tmpfs", inotify_tmpfs_up, inotify_tmpfs_ok},
    {"inotify-file", inotify_file_up, inotify_file_ok},
    {"inotify-odd-name", inotify_odd_up, inotify_odd_ok},
    {"fanotify", fanotify_up, fanotify_ok},
    {"pidfd", pidfd_up, pidfd_ok},
    {"pty", pty_up, pty_ok},
    {"o-path", opath_up, opath_ok},
    {"proc-file", proc_file_up, proc_file_ok},
    {"file", file_up, size_ok},
    {"deleted", deleted_up, size_ok},
    {"deleted-large", deleted_large_up, size_ok},
    {"deleted-linked", deleted_linked_up, size_ok},
    {"deleted-directory", deleted_directory_up, nothing},
    {"deleted-sparse", sparse_up, sparse_ok},
    {"o-tmpfile", tmpfile_up, size_ok},
    {"append", append_up, append_ok},
    {"flock", flock_up, flock_ok},
    {"posix-lock", posix_lock_up, posix_lock_ok},
    {"ofd-lock", ofd_lock_up, ofd_lock_ok},
    {"lease", lease_up, lease_ok},
    {"anonymous", anonymous_up, memory_ok},
    {"shared", shared_up, shared_ok},
    {"map-file", map_file_up, memory_ok},
    {"map-private", map_private_up, memory_ok},
    {"map-deleted", map_deleted_up, memory_ok},
    {"huge-pages", huge_up, memory_ok},
    {"thp", thp_up, memory_ok},
    {"mlock", locked_up, memory_ok},
    {"memfd", memfd_up, memory_ok},
    {"memfd-sealed", sealed_up, sealed_ok},
    {"memfd-secret", secretmem_up, memory_ok},
    {"sysv-shm", sysv_shm_up, memory_ok},
    {"sysv-sem", sysv_sem_up, sysv_sem_ok},
    {"sysv-msg", sysv_msg_up, sysv_msg_ok},
    {"posix-mq", posix_mq_up, posix_mq_ok},
    {"threads", threads_up, threads_ok},
    {"sigaltstack", sigaltstack_up, sigaltstack_ok},
    {"itimer", itimer_up, ticking},
    {"posix-timer", posix_timer_up, ticking},
    {"pending-signal", pending_up, pending_ok},
    {"session", session_up, session_ok},
    {"process-group", group_up, group_ok},
    {"zombie", zombie_up, zombie_ok},
    {"ptrace", ptrace_up, child_lives},
    {"umask", umask_up, umask_ok},
    {"rlimit", rlimit_up, rlimit_ok},
    {"nice", nice_up, nice_ok},
    {"affinity", affinity_up, affinity_ok},
    {"sched-batch", batch_up, batch_ok},
    {"name", name_up, name_ok},
    {"subreaper", subreaper_up, subreaper_ok},
    {"pdeathsig", pdeathsig_up, child_lives},
    {"not-dumpable", dumpable_up, dumpable_ok},
    {"thp-disabled", no_thp_up, no_thp_ok},
    {"timer-slack", slack_up, slack_ok},
    {"personality", personality_up, personality_ok},
    {"other-user", user_up, child_lives},
    {"keyring", keyring_up, keyring_ok},
    {"seccomp", seccomp_up, seccomp_ok},
    {"landlock-ruleset", landlock_up, open_ok},
    {"landlock-domain", landlock_domain_up, landlock_domain_ok},
    {"tcp-listen", tcp_listen_up, tcp_listen_quiet_ok},
    {"tcp-accepting", tcp_listen_up, tcp_listen_ok},
    {"tcp-inside", tcp_up, through_pair},
    {"tcp-half-closed", tcp_half_up, tcp_half_ok},
    {"tcp-pending", tcp_pending_up, socket_ok},
    {"mptcp-listen", mptcp_up, nothing},
    {"mptcp-inside", mptcp_connected_up, through_pair},
    {"udp", udp_up, udp_ok},
    {"raw-socket", raw_up, socket_ok},
    {"packet-socket", packet_up, socket_ok},
    {"netlink", netlink_up, socket_ok},
    {"vsock", vsock_up, socket_ok},
    {"alg-socket", alg_up, open_ok},
    {"unix-stream", unix_stream_up, through_pair},
    {"unix-dgram", unix_dgram_up, through_pair},
    {"unix-seqpacket", unix_seqpacket_up, through_pair},
    {"unix-path", unix_path_up, through_pair},
    {"unix-abstract", unix_abstract_up, through_pair},
    {"unix-passing", unix_passing_up, open_ok},
    {"tmpfs-inside", tmpfs_up, size_ok},
    {"bind-inside", bind_up, size_ok},
    {"proc-inside", proc_mount_up, proc_mount_ok},
    {"overlay-inside", overlay_mount_up, overlay_mount_ok},
    {"mount-namespace", mount_namespace_up, child_lives},
    {"network-namespace", network_up, child_lives},
    {"uts-namespace", uts_up, child_lives},
    {"ipc-namespace", ipc_up, child_lives},
    {"user-namespace", user_namespace_up, child_lives},
    {"cgroup-namespace", cgroup_up, child_lives},
    {"pid-namespace", pid_namespace_up, child_lives},
    {"chroot", chroot_up, child_lives},
    {"namespace-file", ns_file_up, open_ok},
    {"perf", perf_up, open_ok},
    {"bpf-map", bpf_map_up, open_ok},
    {"bpf-program", bpf_program_up, open_ok},
    {"userfaultfd", userfaultfd_up, open_ok},
    {"io-uring", io_uring_up, open_ok},
    {"aio", aio_up, aio_ok},
    {"fsopen", fsopen_up, open_ok},
    {"tun", tun_up, open_ok},
    {"fuse", fuse_up, open_ok},
    {"loop", loop_up, open_ok},
};

int main(int argc, char** argv) {
  const size_t count = sizeof features / sizeof *features;
  for (size_t i = 0; argc < 2 && i < count; i++) puts(features[i].name);
  for (size_t i = 0; argc == 2 && i < count; i++) {
    if (strcmp(features[i].name, argv[1]) != 0) continue;
    mkdir("/tmp", 01777);
    errno = 0;
    features[i].up();
    for (long looks = 1;; looks++) {
      errno = 0;
      features[i].ok();
      printf("line %ld\n", looks), fflush(stdout), usleep(100000);
    }
  }
  return argc < 2 ? 0 : 2;
}
