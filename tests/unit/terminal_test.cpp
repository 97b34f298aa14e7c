// Console sockets and window sizes.
#include "runtimes/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

/// As runc does it: the terminal's name as data, its master as the one descriptor.
void send_descriptor(int socket, int fd) {
  char name[] = "/dev/ptmx";
  iovec data = {name, sizeof name};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::copy_n(reinterpret_cast<const char*>(&fd), sizeof fd, reinterpret_cast<char*>(CMSG_DATA(header)));
  REQUIRE(::sendmsg(socket, &message, 0) > 0);
}

}  // namespace

TEST_CASE("terminal: the descriptor that the runtime sends is received, closed on exec") {
  const TempDir dir;
  const Fd listener = listen_on((dir / "s").string());
  const Fd runtime(connect_to((dir / "s").string()));
  Pipe pipe = make_pipe();
  send_descriptor(runtime.get(), pipe.write.get());
  const auto received = receive_terminal(listener, 10'000);
  REQUIRE(received);
  CHECK((::fcntl(received->get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(write_all(received->get(), "x"));
  char byte = 0;
  CHECK(::read(pipe.read.get(), &byte, 1) == 1);
}

TEST_CASE("terminal: nobody, nothing, or no descriptor is none") {
  const TempDir dir;
  const Fd listener = listen_on((dir / "s").string());
  CHECK_FALSE(receive_terminal(listener, 20));
  ::close(connect_to((dir / "s").string()));
  CHECK_FALSE(receive_terminal(listener, 10'000));
  const Fd talker(connect_to((dir / "s").string()));
  REQUIRE(write_all(talker.get(), "only words"));
  CHECK_FALSE(receive_terminal(listener, 10'000));
}

TEST_CASE("terminal: a socket path that is too long or taken is refused") {
  const TempDir dir;
  CHECK(error_of([&] { listen_on((dir / std::string(120, 'x')).string()); }).code == ErrorCode::usage);
  const std::string taken = dir.file("taken");
  const Error error = error_of([&] { listen_on(taken); });
  CHECK(error.code == ErrorCode::runtime_failed);
  CHECK(contains(error.message, "'" + taken + "': address already in use"));
}

TEST_CASE("terminal: a window's size is copied, and anything else is left alone") {
  const Fd from(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)),
      to(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!from || !to) SKIP("no pseudoterminals here");
  const winsize wanted{.ws_row = 33, .ws_col = 101, .ws_xpixel = 0, .ws_ypixel = 0};
  REQUIRE(::ioctl(from.get(), TIOCSWINSZ, &wanted) == 0);
  copy_window_size(from.get(), to.get());
  winsize seen = {};
  REQUIRE(::ioctl(to.get(), TIOCGWINSZ, &seen) == 0);
  CHECK(seen.ws_row == 33);
  CHECK(seen.ws_col == 101);
  const Pipe pipe = make_pipe();
  copy_window_size(pipe.read.get(), to.get());
  REQUIRE(::ioctl(to.get(), TIOCGWINSZ, &seen) == 0);
  CHECK(seen.ws_row == 33);
}

TEST_CASE("terminal: raw mode is undone") {
  const pid_t child = fork_with([] {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || ::unlockpt(master) != 0) return 77;
    const int terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
    if (terminal < 0 || ::dup2(terminal, 0) != 0) return 77;
    termios before = {}, during = {}, after = {};
    ::tcgetattr(0, &before);
    {
      const RawMode raw;
      ::tcgetattr(0, &during);
    }
    ::tcgetattr(0, &after);
    if ((before.c_lflag & ICANON) == 0 || (during.c_lflag & (ICANON | ECHO)) != 0) return 1;
    return after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag ? 0 : 2;
  });
  const int status = wait_status(child);
  if (status == 77) SKIP("no pseudoterminals here");
  CHECK(status == 0);
}
