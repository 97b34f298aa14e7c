// Readers of /proc, tried on processes of the test's own.
#include "runtimes/procfs.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>

#include "standing.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

bool nothing() {
  return true;
}

std::optional<OpenFile> with_fd(const std::vector<OpenFile>& files, int fd) {
  const auto found = std::find_if(files.begin(), files.end(), [&](const OpenFile& f) { return f.fd == fd; });
  return found == files.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

TEST_CASE("procfs: a process is read with its parent and start") {
  const Standing child(nothing);
  const auto stat = process_stat(child.pid());
  REQUIRE(stat);
  CHECK(stat->pid == child.pid());
  CHECK(stat->ppid == ::getpid());
  CHECK(stat->start_time >= process_stat(::getpid())->start_time);
  CHECK(stat->start_time > process_stat(1)->start_time);
  CHECK((stat->state == 'S' || stat->state == 'R'));
}

TEST_CASE("procfs: a name with blanks and brackets does not shift the fields") {
  const Standing child([] { return ::prctl(PR_SET_NAME, ") R 1 (x y") == 0; });
  const auto stat = process_stat(child.pid());
  REQUIRE(stat);
  CHECK(stat->comm == ") R 1 (x y");
  CHECK(stat->ppid == ::getpid());
}

TEST_CASE("procfs: no such process is none") {
  for (const pid_t pid : {0, -1, 1 << 30}) {
    CHECK_FALSE(process_stat(pid));
    CHECK_FALSE(alive(pid));
    CHECK_FALSE(same_process(pid, 0));
  }
}

TEST_CASE("procfs: a zombie has a pid and is not alive") {
  const pid_t child = fork_with([] { return 0; });
  CHECK(eventually([&] { return process_stat(child)->state == 'Z'; }));
  CHECK_FALSE(alive(child));
  CHECK_FALSE(same_process(child, process_stat(child)->start_time));
  CHECK(wait_status(child) == 0);
}

TEST_CASE("procfs: the same pid with another start is another process") {
  const std::uint64_t start = process_stat(::getpid())->start_time;
  CHECK(same_process(::getpid(), start));
  CHECK_FALSE(same_process(::getpid(), start + 1));
}

TEST_CASE("procfs: open files are told with kind, size, links and mount") {
  const TempDir dir;
  const std::string named = dir.file("named", "12345"), gone = dir.file("gone", "1234567"),
                    twin = dir.file("twin");
  fs::create_hard_link(twin, dir / "other");
  const Standing child([&] {
    const int a = ::open(named.c_str(), O_RDONLY), b = ::open(gone.c_str(), O_RDONLY),
              c = ::open(twin.c_str(), O_RDONLY);
    int ends[2];
    return ::pipe(ends) == 0 && ::dup2(a, 0) == 0 && ::dup2(ends[1], 1) == 1 && ::dup2(b, 50) == 50 &&
           ::dup2(c, 51) == 51 && ::unlink(gone.c_str()) == 0 && ::unlink(twin.c_str()) == 0;
  });
  const std::vector<OpenFile> files = open_files(child.pid());
  const auto in = with_fd(files, 0), out = with_fd(files, 1), ghost = with_fd(files, 50),
             linked = with_fd(files, 51);
  REQUIRE(in);
  REQUIRE(out);
  REQUIRE(ghost);
  REQUIRE(linked);
  CHECK(in->target == named);
  CHECK(S_ISREG(in->mode));
  CHECK(in->size == 5);
  REQUIRE(in->mount_id);
  CHECK(mount_ids(child.pid()).contains(*in->mount_id));
  CHECK(out->target.starts_with("pipe:["));
  CHECK(S_ISFIFO(out->mode));
  CHECK(ghost->target == gone + " (deleted)");
  CHECK(ghost->links == 0);
  CHECK(ghost->size == 7);
  CHECK_FALSE(ghost->mount_id);
  CHECK(linked->target == twin + " (deleted)");
  CHECK(linked->links == 1);
  CHECK(open_files(1 << 30).empty());
}

TEST_CASE("procfs: descendants are the process and all below it") {
  Pipe told = make_pipe();
  const Standing child([&] {
    const pid_t grandchild = fork_with([&] {
      const pid_t great = fork_with([&] {
        write_all(told.write.get(), "x");
        for (;;) ::pause();
        return 0;
      });
      write_all(told.write.get(), fmt::format("{} ", great));
      for (;;) ::pause();
      return 0;
    });
    return write_all(told.write.get(), fmt::format("{} ", grandchild));
  });
  told.write.reset();
  CHECK(eventually([&] { return descendants(child.pid()).size() == 3; }));
  const std::vector<pid_t> tree = descendants(child.pid());
  REQUIRE(tree.size() == 3);
  CHECK(tree[0] == child.pid());
  CHECK(process_stat(tree[1])->ppid == child.pid());
  CHECK(process_stat(tree[2])->ppid == tree[1]);
  ::kill(tree[2], SIGKILL);
  ::kill(tree[1], SIGKILL);
}

TEST_CASE("procfs: holders of flock, POSIX and OFD locks and of leases are found, others are not") {
  const TempDir dir;
  const std::string file = dir.file("f", "x");
  const auto locked = [&](auto take) {
    return [&file, take] {
      const int fd = ::open(file.c_str(), O_RDWR);
      return fd >= 0 && take(fd);
    };
  };
  const auto record_lock = [](int command) {
    return [command](int fd) {
      struct flock lock = {};
      lock.l_type = F_RDLCK;
      return ::fcntl(fd, command, &lock) == 0;
    };
  };
  const Standing whole(locked([](int fd) { return ::flock(fd, LOCK_SH) == 0; }));
  const Standing posix(locked(record_lock(F_SETLK)));
  const Standing ofd(locked(record_lock(F_OFD_SETLK)));
  const Standing none(nothing);
  CHECK(lock_holders({whole.pid(), posix.pid(), ofd.pid(), none.pid()}) ==
        std::set<pid_t>{whole.pid(), posix.pid(), ofd.pid()});
  CHECK(lock_holders({none.pid()}).empty());
  CHECK(lock_holders({}).empty());
  const std::string leased_file = dir.file("leased");
  const Standing leased(
      [&] { return ::fcntl(::open(leased_file.c_str(), O_RDONLY), F_SETLEASE, F_RDLCK) == 0; });
  CHECK(lock_holders({leased.pid()}) == std::set<pid_t>{leased.pid()});
}

TEST_CASE("procfs: one that only waits for a lock does not hold it") {
  const TempDir dir;
  const std::string file = dir.file("f", "x");
  const Standing owner([&] { return ::flock(::open(file.c_str(), O_RDONLY), LOCK_EX) == 0; });
  const pid_t waiter = fork_with([&] { return ::flock(::open(file.c_str(), O_RDONLY), LOCK_EX); });
  CHECK(eventually([&] { return contains(read_file("/proc/locks").value_or(""), "->"); }));
  CHECK(lock_holders({owner.pid(), waiter}) == std::set<pid_t>{owner.pid()});
  ::kill(waiter, SIGKILL);
  CHECK(wait_status(waiter) == 137);
}

TEST_CASE("procfs: a descriptor that changes while it is read is one file or the other") {
  const TempDir dir;
  const std::string named = dir.file("named", "12345");
  const Standing child([&] {
    const int file = ::open(named.c_str(), O_RDONLY);
    int ends[2];
    if (::pipe(ends) != 0 || ::dup2(file, 1) != 1) return false;
    std::thread([=] {
      for (;;) ::dup2(file, 1), ::dup2(ends[1], 1);
    }).detach();
    return true;
  });
  const std::set<int> mounts = mount_ids(child.pid());
  int files = 0, pipes = 0;
  const auto look = [&] {
    const auto out = with_fd(open_files(child.pid()), 1);
    REQUIRE(out);
    const bool file = out->target == named;
    ++(file ? files : pipes);
    REQUIRE(S_ISREG(out->mode) == file);
    REQUIRE(mounts.contains(out->mount_id.value()) == file);
  };
  CHECK(eventually([&] {
    for (int i = 0; i < 100; ++i) look();
    return files > 500 && pipes > 500;
  }));
}

TEST_CASE("procfs: established connections are told with both ends, listeners are not") {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(listener, any, length) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, any, &length) == 0);
  const auto inodes = [] {
    std::set<std::uint64_t> found;
    for (const OpenFile& f : open_files(::getpid()))
      if (S_ISSOCK(f.mode)) found.insert(f.inode);
    return found;
  };
  CHECK(established_tcp(::getpid(), inodes()).empty());
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(client, any, sizeof address) == 0);
  const int server = ::accept(listener, nullptr, nullptr);
  REQUIRE(server >= 0);
  const int port = ntohs(address.sin_port);
  REQUIRE(::getsockname(client, any, &length) == 0);
  const int client_port = ntohs(address.sin_port);
  std::vector<std::string> found = established_tcp(::getpid(), inodes());
  std::sort(found.begin(), found.end());
  std::vector<std::string> expected = {fmt::format("127.0.0.1:{} -> 127.0.0.1:{}", port, client_port),
                                       fmt::format("127.0.0.1:{} -> 127.0.0.1:{}", client_port, port)};
  std::sort(expected.begin(), expected.end());
  CHECK(found == expected);
  CHECK(established_tcp(::getpid(), {}).empty());
  for (const int fd : {server, client, listener}) ::close(fd);
}

TEST_CASE("procfs: namespaces are compared by inode") {
  const Standing child(nothing);
  REQUIRE(namespace_inode(::getpid(), "pid"));
  CHECK(namespace_inode(::getpid(), "pid") == namespace_inode(child.pid(), "pid"));
  CHECK(namespace_inode(::getpid(), "pid") != namespace_inode(::getpid(), "mnt"));
  CHECK_FALSE(namespace_inode(1 << 30, "pid"));
  CHECK_FALSE(namespace_inode(::getpid(), "none"));
}
