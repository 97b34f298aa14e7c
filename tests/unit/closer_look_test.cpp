// The closer look, and the sockets' other ends, tried on processes of the test's own.
#include "runtimes/closer_look.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtimes/unix_sockets.h"
#include "standing.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Names = std::vector<std::string>;

bool named() {
  return ::prctl(PR_SET_NAME, "subject") == 0;
}

std::string who(const Standing& child) {
  return fmt::format("'subject' (pid {})", child.pid());
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

Fd bound(int type, const std::string& path) {
  Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

bool connected(int type, const std::string& path) {
  const sockaddr_un address = address_of(path);
  return ::connect(::socket(AF_UNIX, type, 0), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
         0;
}

}  // namespace

TEST_CASE("closer look: kernel objects behind descriptors, by their links") {
  for (const char* fine :
       {"anon_inode:[eventfd]", "anon_inode:inotify", "anon_inode:[timerfd]", "anon_inode:[pidfd]",
        "anon_inode:bpf-map", "/tmp/anon_inode:[perf_event]", "pipe:[7]", "socket:[7]", ""})
    CHECK(unknown_object(fine).empty());
  CHECK(unknown_object("anon_inode:[perf_event]") == "perf_event");
  CHECK(unknown_object("anon_inode:bpf-prog") == "bpf-prog");
  CHECK(unknown_object("anon_inode:[userfaultfd]") == "userfaultfd");
  CHECK(unknown_object("anon_inode:[landlock-ruleset]") == "landlock-ruleset");
  CHECK(unknown_object("anon_inode:[]") == "[]");
}

TEST_CASE("closer look: sockets by the kernel's name of their protocol") {
  for (const char* fine : {"TCP", "UDPv6", "UNIX-STREAM", "NETLINK", "PACKET", "RAW", "PING", ""})
    CHECK(known_protocol(fine));
  for (const char* bad : {"MPTCP", "MPTCPv6", "AF_VSOCK", "SCTP", "ALG", "XDP", "TC"})
    CHECK_FALSE(known_protocol(bad));
}

TEST_CASE("closer look: protocols and a personality of a process") {
  const Standing child([] {
    const bool mptcp = ::socket(AF_INET, SOCK_STREAM, 262) >= 0;  // IPPROTO_MPTCP
    return named() && ::socket(AF_INET, SOCK_STREAM, 0) >= 0 && ::socket(AF_UNIX, SOCK_DGRAM, 0) >= 0 &&
           ::personality(ADDR_NO_RANDOMIZE) >= 0 && (mptcp || ::fcntl(0, F_GETFD) >= -1);
  });
  const CloserFindings found = look_closer(child.pid());
  CHECK(found.personalities == Names{who(child)});
  for (const std::string& one : found.sockets) CHECK(one == "MPTCP of " + who(child));
}

TEST_CASE("closer look: other users' limits cannot be read without CAP_SYS_RESOURCE") {
  if (::getuid() != 0) SKIP("needs root");
  const Standing child([] { return named() && ::setgid(1000) == 0 && ::setuid(1000) == 0; });
  struct rlimit limit = {};
  const bool readable = ::prlimit(child.pid(), RLIMIT_NOFILE, nullptr, &limit) == 0;
  CHECK(readable == has_capability(CAP_SYS_RESOURCE));
  CHECK(look_closer(child.pid()).users.empty() == readable);
}

TEST_CASE("closer look: of a process that has ended nothing is said") {
  pid_t pid = 0;
  {
    const Standing child([] { return named(); });
    pid = child.pid();
  }
  const CloserFindings found = look_closer(pid);
  CHECK(found.users.empty());
  CHECK(found.personalities.empty());
  CHECK(found.sessions.empty());
  CHECK(found.namespaces.empty());
  CHECK(found.traced.empty());
}

TEST_CASE("closer look: a process with nothing special") {
  const Standing child([] {
    int ends[2];
    return named() && ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
  });
  const CloserFindings found = look_closer(child.pid());
  for (const Names* list : {&found.io_uring, &found.devices, &found.inotify, &found.traced, &found.namespaces,
                            &found.unix_streams, &found.unix_datagrams})
    CHECK(*list == Names{});
  CHECK(found.memory > 0);
}

TEST_CASE("closer look: sockets that are connected to a process outside") {
  const TempDir dir;
  const std::string stream = dir / "stream", datagram = dir / "datagram";
  const Fd listener = bound(SOCK_STREAM, stream), receiver = bound(SOCK_DGRAM, datagram);
  REQUIRE(::listen(listener.get(), 1) == 0);
  const Standing child([&] {
    return named() && ::close(receiver.get()) == 0 && connected(SOCK_STREAM, stream) &&
           connected(SOCK_DGRAM, datagram);
  });
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));
  const CloserFindings found = look_closer(child.pid());
  CHECK(found.unix_streams == Names{fmt::format("{} to '{}'", who(child), stream)});
  CHECK(found.unix_datagrams == Names{fmt::format("{} to '{}'", who(child), datagram)});
}

TEST_CASE("closer look: watches, devices, memory") {
  constexpr std::size_t kMemory = 8U << 20U;
  const char* const device = "/dev/loop-control";
  const Standing child([&] {
    void* const memory = ::mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    std::memset(memory, 1, kMemory);
    ::open(device, O_RDONLY);
    return named() && ::inotify_init1(0) >= 0;
  });
  const CloserFindings found = look_closer(child.pid());
  CHECK(found.inotify == Names{who(child)});
  CHECK(found.memory >= kMemory);
  if (fs::exists(device)) CHECK(found.devices == Names{fmt::format("'{}' of {}", device, who(child))});
}

TEST_CASE("closer look: a tracer, and a namespace of a child's own") {
  const Standing child([] {
    if (!named()) return false;
    Pipe ready = make_pipe();
    fork_with([&] {
      const bool apart = ::prctl(PR_SET_NAME, "apart") == 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWUTS) == 0;
      write_all(ready.write.get(), apart ? "y" : "n");
      for (;;) ::pause();
      return 0;
    });
    char answer = 0;
    return ::read(ready.read.get(), &answer, 1) == 1;
  });
  REQUIRE(::ptrace(PTRACE_SEIZE, child.pid(), nullptr, nullptr) == 0);
  const CloserFindings found = look_closer(child.pid());
  REQUIRE(found.traced.size() == 1);
  CHECK(found.traced.front().starts_with(who(child) + " by "));
  REQUIRE(found.namespaces.size() == 2);
  CHECK(found.namespaces.front().starts_with("uts namespace of 'apart' (pid "));
  CHECK(found.namespaces.back().starts_with("user namespace of 'apart' (pid "));
}

TEST_CASE("unix sockets: abstract names, and a namespace that cannot be entered") {
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("ckpt-test-{}", ::getpid());
  name.copy(address.sun_path + 1, name.size());
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())) == 0);
  struct stat status = {};
  REQUIRE(::fstat(fd.get(), &status) == 0);
  const auto sockets = unix_sockets(::getpid());
  REQUIRE(sockets.contains(status.st_ino));
  CHECK(sockets.at(status.st_ino).name == "@" + name);
  CHECK(sockets.at(status.st_ino).type == SOCK_STREAM);
  CHECK(unix_sockets(1 << 30).empty());
}
