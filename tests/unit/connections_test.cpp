// What becomes of an image's TCP connections.
#include "commands/connections.h"

#include "tests/unit/support.h"

using namespace ckpt;
using Verdict = CheckedItem::Verdict;

namespace {

ImageSocket tcp(const std::string& state, const std::string& local, const std::string& remote) {
  return {.family = "inet", .protocol = "tcp", .state = state, .local = local, .remote = remote};
}

const ImageSocket kInside = tcp("established", "127.0.0.1:80", "127.0.0.1:5000"),
                  kOutside = tcp("established", "10.0.0.1:5000", "10.0.0.2:80");

/// "keep", "close" or "" for what comes of it, with what the checkpoint was made with.
std::string chosen(const std::string& asked, const std::vector<ImageSocket>& connections, bool moved,
                   bool kept_before = true) {
  RestoreOpts opts;
  if (kept_before) opts.allow_open_tcp = true;
  choose_tcp(asked, connections, moved, opts);
  CHECK_FALSE((opts.tcp_close.value_or(false) && opts.allow_open_tcp.value_or(false)));
  return opts.tcp_close.value_or(false) ? "close" : opts.allow_open_tcp.value_or(false) ? "keep" : "";
}

}  // namespace

TEST_CASE("connections: what listens or has no other end is none") {
  ImageSocket datagram = kOutside, local = kOutside;
  datagram.protocol = "udp";
  local.family = "unix";
  const auto open = open_connections({tcp("listen", "0.0.0.0:80", ""), tcp("listen", "[::]:80", "[::]:0"),
                                      kInside, datagram, local, tcp("close", "1.2.3.4:1", "1.2.3.4:2"),
                                      tcp("close-wait", "10.0.0.1:7", "10.0.0.2:80")});
  REQUIRE(open.size() == 2);
  CHECK(open[0].local == "127.0.0.1:80");
  CHECK(open[1].local == "10.0.0.1:7");
}

TEST_CASE("connections: kept although the checkpoint was for closing them") {
  RestoreOpts opts{.tcp_close = true};
  choose_tcp("keep", {kInside}, false, opts);
  CHECK(opts.allow_open_tcp.value_or(false));
  CHECK_FALSE(opts.tcp_close.has_value());
}

TEST_CASE("connections: kept, closed, or what fits the network") {
  for (const bool moved : {false, true}) {
    CHECK(chosen("keep", {kOutside}, moved, false) == "keep");
    CHECK(chosen("close", {kInside}, moved) == "close");
    CHECK(chosen("auto", {kInside}, moved) == "keep");
    CHECK(chosen("auto", {}, moved, false) == "");
  }
  CHECK(chosen("auto", {kInside, kOutside}, false) == "keep");
  CHECK(chosen("auto", {kInside, kOutside}, true) == "close");
  CHECK(chosen("auto", {tcp("established", "[::1]:1", "[::1]:2")}, true) == "keep");
}

TEST_CASE("connections: told before the restore") {
  RestoreOpts opts;
  CHECK_FALSE(check_connections({}, opts));
  const auto unsaid = check_connections({kOutside, kInside}, opts);
  CHECK(unsaid->verdict == Verdict::fails);
  CHECK(unsaid->image == "2 established");
  CHECK(unsaid->reason ==
        "established TCP connections: 10.0.0.1:5000 to 10.0.0.2:80, 127.0.0.1:80 to 127.0.0.1:5000");
  opts.allow_open_tcp = true;
  CHECK(check_connections({kOutside}, opts)->verdict == Verdict::same);
  CHECK(check_connections({kOutside}, opts)->host == "kept");
  opts = {};
  opts.tcp_close = true;
  const auto closed = check_connections({kOutside}, opts);
  CHECK(closed->verdict == Verdict::differs);
  CHECK(closed->reason == "the processes find them closed: 10.0.0.1:5000 to 10.0.0.2:80");
}
