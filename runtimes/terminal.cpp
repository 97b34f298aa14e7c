// Console socket, raw mode, window size.
#include "runtimes/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cstring>

#include "runtimes/error.h"

namespace ckpt {

Fd listen_on(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Error(ErrorCode::usage, fmt::format("the socket path '{}' is longer than 107 bytes", path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 1) != 0)
    throw Error(ErrorCode::runtime_failed, fmt::format("cannot listen on '{}': {}", path, errno_text(errno)));
  return fd;
}

std::optional<Fd> receive_terminal(const Fd& listener, int milliseconds) {
  pollfd polled = {listener.get(), POLLIN, 0};
  if (::poll(&polled, 1, milliseconds) <= 0) return std::nullopt;
  const Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  char name[4096];
  iovec data = {name, sizeof name};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(peer.get(), &message, MSG_CMSG_CLOEXEC) < 0) return std::nullopt;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return std::nullopt;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return Fd(fd);
}

void copy_window_size(int from, int to) {
  winsize size = {};
  if (::ioctl(from, TIOCGWINSZ, &size) == 0) ::ioctl(to, TIOCSWINSZ, &size);
}

RawMode::RawMode() {
  termios now = {};
  if (::isatty(0) == 0 || ::tcgetattr(0, &now) != 0) return;
  saved_ = std::make_unique<termios>(now);
  ::cfmakeraw(&now);
  ::tcsetattr(0, TCSADRAIN, &now);
}

RawMode::~RawMode() {
  if (saved_) ::tcsetattr(0, TCSADRAIN, saved_.get());
}

}  // namespace ckpt
