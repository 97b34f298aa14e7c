// Asking the kernel by NETLINK_SOCK_DIAG, from a thread that entered the namespace.
#include "runtimes/unix_sockets.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <vector>

#include "runtimes/fs.h"
#include "runtimes/network_namespace.h"

namespace ckpt {
namespace {

using Sockets = std::map<std::uint64_t, UnixSocket>;

struct Request {
  nlmsghdr header;
  unix_diag_req diag;
};

bool ask(int netlink) {
  Request request = {};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.diag.sdiag_family = AF_UNIX;
  request.diag.udiag_states = ~0U;
  request.diag.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER;
  return ::send(netlink, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request);
}

template <class T>
std::optional<T> read_as(const char* data, std::size_t size) {
  T value = {};
  if (size < sizeof value) return std::nullopt;
  std::memcpy(&value, data, sizeof value);
  return value;
}

std::string shown_name(const char* data, std::size_t size) {
  std::string name(data, size);
  const bool abstract = !name.empty() && name.front() == '\0';
  if (abstract) name.front() = '@';
  return name.substr(0, name.find('\0'));
}

void add_socket(const char* message, std::size_t size, Sockets& sockets) {
  const auto diag = read_as<unix_diag_msg>(message, size);
  if (!diag) return;
  UnixSocket& socket = sockets[diag->udiag_ino];
  socket.type = diag->udiag_type;
  for (std::size_t at = NLMSG_ALIGN(sizeof *diag); at < size;) {
    const auto attribute = read_as<rtattr>(message + at, size - at);
    if (!attribute || attribute->rta_len < RTA_LENGTH(0) || attribute->rta_len > size - at) return;
    const char* const data = message + at + RTA_LENGTH(0);
    const std::size_t length = attribute->rta_len - RTA_LENGTH(0);
    if (attribute->rta_type == UNIX_DIAG_NAME) socket.name = shown_name(data, length);
    if (attribute->rta_type == UNIX_DIAG_PEER) socket.peer = read_as<std::uint32_t>(data, length).value_or(0);
    at += RTA_ALIGN(attribute->rta_len);
  }
}

/// Whether more is to come.
bool add_messages(const char* data, std::size_t size, Sockets& sockets) {
  for (std::size_t at = 0; at < size;) {
    const auto header = read_as<nlmsghdr>(data + at, size - at);
    if (!header || header->nlmsg_len < NLMSG_HDRLEN || header->nlmsg_len > size - at) return false;
    if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;
    add_socket(data + at + NLMSG_HDRLEN, header->nlmsg_len - NLMSG_HDRLEN, sockets);
    at += NLMSG_ALIGN(header->nlmsg_len);
  }
  return true;
}

void collect(Sockets& sockets) {
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  constexpr timeval kPatience = {.tv_sec = 5, .tv_usec = 0};
  if (!netlink || ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0 ||
      !ask(netlink.get()))
    return;
  std::vector<char> buffer(1U << 16U);
  for (;;) {
    const ssize_t size = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
    if (size <= 0 || !add_messages(buffer.data(), static_cast<std::size_t>(size), sockets)) return;
  }
}

}  // namespace

Sockets unix_sockets(pid_t pid) {
  Sockets sockets;
  in_network(fmt::format("/proc/{}/ns/net", pid), [&] { collect(sockets); });
  return sockets;
}

}  // namespace ckpt
