// A thread enters the namespace; rtnetlink there.
#include "runtimes/links.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "runtimes/fs.h"
#include "runtimes/network_namespace.h"

namespace ckpt {
namespace {

using Links = std::vector<LinkFact>;

/// An address as rtnetlink has it.
struct Address {
  int family = AF_UNSPEC;
  unsigned char bytes[sizeof(in6_addr)] = {};
  unsigned prefix = 0;
  std::size_t size() const { return family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr); }
};

std::string text_of(int family, const void* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, bytes, text, sizeof text);
  return text;
}

/// "10.0.0.2/24", or without a length; AF_UNSPEC for what is no address.
Address address_of(const std::string& text) {
  Address address;
  const std::size_t slash = text.find('/');
  const std::string host = text.substr(0, slash);
  const int family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (::inet_pton(family, host.c_str(), address.bytes) != 1) return address;
  address.family = family;
  const auto most = static_cast<unsigned>(8 * address.size());
  address.prefix =
      slash == std::string::npos ? most : std::min<unsigned>(most, std::atoi(text.c_str() + slash + 1));
  return address;
}

const void* bytes_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) return &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  return &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
}

int length_of(const sockaddr* mask, int family) {
  if (mask == nullptr) return 0;
  const auto* bytes = static_cast<const unsigned char*>(bytes_of(*mask));
  int length = 0;
  for (std::size_t i = 0; i < (family == AF_INET ? 4U : 16U); ++i) length += __builtin_popcount(bytes[i]);
  return length;
}

// ---- rtnetlink

class Request {
 public:
  template <class Body>
  Request(std::uint16_t type, std::uint16_t flags, const Body& body) {
    nlmsghdr header = {};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    append(&header, sizeof header);
    append(&body, sizeof body);
  }
  void add(std::uint16_t type, const void* data, std::size_t size) {
    const rtattr attribute = {static_cast<unsigned short>(RTA_LENGTH(size)), type};
    append(&attribute, sizeof attribute);
    append(data, size);
  }
  void add(std::uint16_t type, const Address& address) { add(type, address.bytes, address.size()); }
  void add(std::uint16_t type, std::uint32_t value) { add(type, &value, sizeof value); }
  bool send(int netlink) {
    const auto size = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &size, sizeof size);
    return ::send(netlink, bytes_.data(), bytes_.size(), 0) == static_cast<ssize_t>(bytes_.size());
  }

 private:
  void append(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  std::string bytes_;
};

Fd route_socket() {
  Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  constexpr timeval kPatience = {.tv_sec = 5, .tv_usec = 0};
  if (netlink) ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  return netlink;
}

/// Calls `take` for each message of the answer, until its end.
void receive(int netlink, const std::function<void(const nlmsghdr&)>& take) {
  alignas(nlmsghdr) char buffer[1U << 15U];
  for (;;) {
    ssize_t size = ::recv(netlink, buffer, sizeof buffer, 0);
    if (size <= 0) return;
    for (auto* one = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(one, size); one = NLMSG_NEXT(one, size)) {
      if (one->nlmsg_type == NLMSG_DONE || one->nlmsg_type == NLMSG_ERROR) return;
      take(*one);
    }
  }
}

std::string destination_of(const rtmsg& route, const rtattr* to) {
  constexpr unsigned char kZero[sizeof(in6_addr)] = {};
  return fmt::format("{}/{}", text_of(route.rtm_family, to != nullptr ? RTA_DATA(to) : kZero),
                     route.rtm_dst_len);
}

/// A route that somebody has made: not one that comes with an address.
void add_route(const nlmsghdr& message, Links& links) {
  const auto& route = *static_cast<const rtmsg*>(NLMSG_DATA(&message));
  if (message.nlmsg_type != RTM_NEWROUTE || route.rtm_table != RT_TABLE_MAIN ||
      route.rtm_type != RTN_UNICAST || route.rtm_protocol == RTPROT_KERNEL ||
      (route.rtm_flags & RTM_F_CLONED) != 0)
    return;
  std::map<int, const rtattr*> attributes;
  auto left = static_cast<int>(RTM_PAYLOAD(&message));
  for (const rtattr* one = RTM_RTA(&route); RTA_OK(one, left); one = RTA_NEXT(one, left))
    attributes[one->rta_type] = one;
  const auto number = [&](int type) {
    std::uint32_t value = 0;
    if (attributes.contains(type)) std::memcpy(&value, RTA_DATA(attributes[type]), sizeof value);
    return value;
  };
  const auto host = [&](int type) {
    return attributes.contains(type) ? text_of(route.rtm_family, RTA_DATA(attributes[type])) : "";
  };
  char name[IF_NAMESIZE] = "";
  if (::if_indextoname(number(RTA_OIF), name) == nullptr) return;
  const auto link =
      std::find_if(links.begin(), links.end(), [&](const LinkFact& one) { return one.name == name; });
  if (link != links.end())
    link->routes.push_back(
        {destination_of(route, attributes.contains(RTA_DST) ? attributes[RTA_DST] : nullptr),
         host(RTA_GATEWAY), host(RTA_PREFSRC), number(RTA_PRIORITY)});
}

void read_routes(Links& links) {
  const Fd netlink = route_socket();
  for (const int family : {AF_INET, AF_INET6}) {
    rtmsg body = {};
    body.rtm_family = static_cast<unsigned char>(family);
    if (Request(RTM_GETROUTE, NLM_F_DUMP, body).send(netlink.get()))
      receive(netlink.get(), [&](const nlmsghdr& message) { add_route(message, links); });
  }
}

Links read_links() {
  std::map<std::string, LinkFact> links;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return {};
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    LinkFact& link = links[one->ifa_name];
    link.up = (one->ifa_flags & IFF_UP) != 0;
    const int family = one->ifa_addr == nullptr ? AF_UNSPEC : one->ifa_addr->sa_family;
    if (family == AF_INET || family == AF_INET6)
      link.addresses.push_back(fmt::format("{}/{}", text_of(family, bytes_of(*one->ifa_addr)),
                                           length_of(one->ifa_netmask, family)));
  }
  ::freeifaddrs(all);
  Links found;
  for (auto& [name, link] : links) {
    link.name = name;
    found.push_back(std::move(link));
  }
  read_routes(found);
  return found;
}

// ---- putting back

void bring_up(const std::string& name) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  if (name.size() >= sizeof request.ifr_name) return;
  std::memcpy(request.ifr_name, name.data(), name.size());
  if (!socket || ::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  ::ioctl(socket.get(), SIOCSIFFLAGS, &request);
}

/// Sends it and waits until it is done, or refused.
void carry_out(Request& request) {
  const Fd netlink = route_socket();
  if (request.send(netlink.get())) receive(netlink.get(), [](const nlmsghdr&) {});
}

constexpr std::uint16_t kMake = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;

void add_address(const std::string& text, unsigned index) {
  const Address address = address_of(text);
  if (address.family == AF_UNSPEC) return;
  ifaddrmsg body = {};
  body.ifa_family = static_cast<unsigned char>(address.family);
  body.ifa_prefixlen = static_cast<unsigned char>(address.prefix);
  // It was there a moment ago: nobody else has it.
  body.ifa_flags = address.family == AF_INET6 ? IFA_F_NODAD : 0;
  body.ifa_scope = text.starts_with("127.") || text.starts_with("::1/") ? RT_SCOPE_HOST
                   : text.starts_with("fe80:")                          ? RT_SCOPE_LINK
                                                                        : RT_SCOPE_UNIVERSE;
  body.ifa_index = index;
  Request request(RTM_NEWADDR, kMake, body);
  request.add(IFA_LOCAL, address);
  request.add(IFA_ADDRESS, address);
  if (address.family == AF_INET && address.prefix < 31) {
    Address all = address;
    for (unsigned bit = address.prefix; bit < 32; ++bit)
      all.bytes[bit / 8] = static_cast<unsigned char>(all.bytes[bit / 8] | (128U >> (bit % 8)));
    if (body.ifa_scope != RT_SCOPE_HOST) request.add(IFA_BROADCAST, all);
  }
  carry_out(request);
}

void add_route(const RouteFact& route, unsigned index) {
  const Address to = address_of(route.destination), by = address_of(route.gateway),
                from = address_of(route.source);
  if (to.family == AF_UNSPEC) return;
  rtmsg body = {};
  body.rtm_family = static_cast<unsigned char>(to.family);
  body.rtm_dst_len = static_cast<unsigned char>(to.prefix);
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_BOOT;
  body.rtm_scope = by.family == AF_UNSPEC ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  Request request(RTM_NEWROUTE, kMake, body);
  if (to.prefix > 0) request.add(RTA_DST, to);
  if (by.family == to.family) request.add(RTA_GATEWAY, by);
  if (from.family == to.family) request.add(RTA_PREFSRC, from);
  if (route.metric != 0) request.add(RTA_PRIORITY, route.metric);
  request.add(RTA_OIF, index);
  carry_out(request);
}

void put_back(const LinkFact& link) {
  const unsigned index = ::if_nametoindex(link.name.c_str());
  if (index == 0) return;
  for (const std::string& address : link.addresses) add_address(address, index);
  if (!link.up) return;
  bring_up(link.name);
  // A gateway must be reachable before there is a route by it.
  for (const bool by_gateway : {false, true})
    for (const RouteFact& route : link.routes)
      if (route.gateway.empty() != by_gateway) add_route(route, index);
}

/// An address of the link itself, which comes with it.
bool is_made_by_kernel(const std::string& address) {
  return address.starts_with("fe80:");
}

bool has_route(const LinkFact& link, const RouteFact& route) {
  return std::any_of(link.routes.begin(), link.routes.end(), [&](const RouteFact& one) {
    return one.destination == route.destination && one.gateway == route.gateway;
  });
}

}  // namespace

Links links_in(const std::string& path) {
  Links links;
  in_other_network(path, [&] { links = read_links(); });
  return links;
}

std::vector<std::string> lost_of_links(const Links& before, const Links& now) {
  std::vector<std::string> lost;
  for (const LinkFact& link : before) {
    const auto there =
        std::find_if(now.begin(), now.end(), [&](const LinkFact& one) { return one.name == link.name; });
    if (there == now.end()) {
      if (link.up) lost.push_back(fmt::format("the link '{}' is not there", link.name));
      continue;
    }
    if (link.up && !there->up) lost.push_back(fmt::format("the link '{}' is down", link.name));
    for (const std::string& address : link.addresses)
      if (!is_made_by_kernel(address) &&
          std::find(there->addresses.begin(), there->addresses.end(), address) == there->addresses.end())
        lost.push_back(fmt::format("'{}' lacks the address {}", link.name, address));
    for (const RouteFact& route : link.routes)
      if (!has_route(*there, route))
        lost.push_back(fmt::format("'{}' lacks the route to {}", link.name, route.destination));
  }
  return lost;
}

void put_links_back(const std::string& path, const Links& before) {
  in_other_network(path, [&] {
    for (const LinkFact& link : before) put_back(link);
  });
}

}  // namespace ckpt
