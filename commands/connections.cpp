// CRIU keeps all connections of an image or closes all of them.
#include "commands/connections.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace ckpt {
namespace {

bool is_inside(const ImageSocket& one) {
  return one.remote.starts_with("127.") || one.remote.starts_with("[::1]");
}

}  // namespace

std::vector<ImageSocket> open_connections(const std::vector<ImageSocket>& sockets) {
  std::vector<ImageSocket> open;
  for (const ImageSocket& one : sockets)
    if (one.protocol == "tcp" && one.family != "unix" && !one.remote.empty() && one.state != "listen" &&
        one.state != "close")
      open.push_back(one);
  return open;
}

void choose_tcp(const std::string& asked, const std::vector<ImageSocket>& connections, bool moved,
                RestoreOpts& opts) {
  const bool outside = !std::all_of(connections.begin(), connections.end(), is_inside);
  if (asked == "close" || (asked == "auto" && moved && outside)) {
    opts.tcp_close = true;
    opts.allow_open_tcp.reset();
  } else if (asked == "keep") {
    opts.allow_open_tcp = true;
    opts.tcp_close.reset();
  }
}

std::optional<CheckedItem> check_connections(const std::vector<ImageSocket>& connections,
                                             const RestoreOpts& opts) {
  if (connections.empty()) return std::nullopt;
  const bool closed = opts.tcp_close.value_or(false);
  CheckedItem item{.item = "connections",
                   .image = fmt::format("{} established", connections.size()),
                   .host = closed                                ? "closed"
                           : opts.allow_open_tcp.value_or(false) ? "kept"
                                                                 : ""};
  if (item.host == "kept") return item;
  std::vector<std::string> ends;
  for (const ImageSocket& one : connections) ends.push_back(one.local + " to " + one.remote);
  item.verdict = closed ? CheckedItem::Verdict::differs : CheckedItem::Verdict::fails;
  item.reason =
      fmt::format("{}: {}", closed ? "the processes find them closed" : "established TCP connections",
                  fmt::join(ends, ", "));
  if (!closed) item.hint = "say --tcp keep or --tcp close";
  return item;
}

}  // namespace ckpt
