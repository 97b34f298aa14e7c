// Which source a mount of the image gets, and why.
#include "commands/remap.h"

#include "runtimes/json.h"
#include "tests/unit/support.h"

using namespace ckpt;
using ckpt::test::error_of;
using nlohmann::json;
using Strings = std::vector<std::string>;

namespace {

const std::string kOldBox = "/run/x/sandboxes/" + std::string(64, 'a'),
                  kNewBox = "/run/x/sandboxes/" + std::string(64, 'b');

json bound(const std::string& destination, const std::string& source) {
  return {{"destination", destination}, {"source", source}, {"type", "bind"}};
}
json tmpfs(const std::string& destination) {
  return {{"destination", destination}, {"source", "tmpfs"}, {"type", "tmpfs"}};
}
json spec(const std::vector<json>& mounts, const json& annotations = json::object()) {
  return {{"mounts", mounts}, {"annotations", annotations}};
}

MountFact fact(const std::string& destination, const std::string& kind) {
  return {.destination = destination, .type = "bind", .source = "", .kind = kind, .propagation = ""};
}

HostFiles host(const std::map<std::string, std::string>& kinds) {
  return {.kind = [kinds](const std::string& path) { return kinds.contains(path) ? kinds.at(path) : ""; },
          .names = [](const std::string&) { return Strings{}; }};
}

ResolvedMount one(const json& then, const json& now, const Strings& maps, const HostFiles& files,
                  const std::string& kind = "dir") {
  const auto all = resolve_mounts(then, now, {fact("/data", kind)}, parse_mount_maps(maps), files);
  REQUIRE(all.size() == 1);
  return all[0];
}

Error unused(const std::string& map, const json& then) {
  return error_of([&] { require_used(parse_mount_maps({map}), then); });
}

}  // namespace

TEST_CASE("remap: OLD=NEW, and what is none") {
  const auto maps = parse_mount_maps({"/a/=/b//c/", "/x==y"});
  REQUIRE(maps.size() == 2);
  CHECK(maps[0].from == "/a");
  CHECK(maps[0].to == "/b/c");
  CHECK(maps[1].to == (fs::current_path() / "=y").string());
  for (const char* wrong : {"", "/a", "/a=", "=/a", "a=/b"}) {
    const Error error = error_of([&] { parse_mount_maps({wrong}); });
    CHECK(error.code == ErrorCode::usage);
    CHECK(error.message == fmt::format("--map-mount: '{}' is not OLD=NEW", wrong));
  }
  CHECK(error_of([] { parse_mount_maps({"/a=/b", "/a/=/c"}); }).message == "--map-mount names '/a' twice");
}

TEST_CASE("remap: by destination, else by the beginning of the source, the longest of them") {
  const HostFiles files = host({});
  const json then = spec({bound("/data", "/srv/old/data")});
  const auto now = [&](const Strings& maps) { return one(then, json(), maps, files).now; };
  CHECK(now({}) == "/srv/old/data");
  CHECK(now({"/data=/new"}) == "/new");
  CHECK(now({"/data/=/new/"}) == "/new");
  CHECK(now({"/srv/old=/mnt"}) == "/mnt/data");
  CHECK(now({"/srv/old/data=/mnt"}) == "/mnt");
  CHECK(now({"/=/mnt"}) == "/mnt/srv/old/data");
  CHECK(now({"/srv=/"}) == "/old/data");
  CHECK(now({"/srv/ol=/mnt"}) == "/srv/old/data");
  CHECK(now({"/srv=/short", "/srv/old=/long"}) == "/long/data");
  CHECK(now({"/srv/old/data=/by-source", "/data=/by-destination"}) == "/by-destination");
  CHECK(one(then, json(), {"/data=/new"}, files).how == "by --map-mount");
  CHECK(one(then, json(), {}, files).how == "");
}

TEST_CASE("remap: what is a destination is no beginning of sources") {
  const json then = spec({bound("/data", "/d"), bound("/more", "/data/more")});
  const auto all = resolve_mounts(then, json(), {}, parse_mount_maps({"/data=/new"}), host({}));
  CHECK(all[0].now == "/new");
  CHECK(all[1].now == "/data/more");
}

TEST_CASE("remap: an OLD that fits nothing is told, with what there is") {
  const json then = spec({bound("/data", "/srv/d"), tmpfs("/tmp")});
  CHECK_NOTHROW(require_used(parse_mount_maps({"/data=/x", "/srv=/y"}), then));
  const Error none = unused("/dat=/x", then);
  CHECK(none.code == ErrorCode::usage);
  CHECK(none.message == "--map-mount: no mount is at '/dat', and no source begins so");
  CHECK(none.hint == "there are: '/data' from '/srv/d'");
  CHECK(unused("/tmp=/x", then).message ==
        "--map-mount: the tmpfs at '/tmp' has no source: it is in the image");
  CHECK(unused("/x=/y", spec({})).hint == "the container has no bind mounts");
}

TEST_CASE("remap: the new specification's mount at the same destination") {
  const json then = spec({bound("/data", "/old")});
  const HostFiles files = host({{"/old", "dir"}, {"/new", "dir"}, {"/file", "file"}});
  CHECK(one(then, spec({bound("/data/", "/new")}), {}, files) ==
        ResolvedMount{"/data", "/old", "/new", "dir", "by its destination", ""});
  CHECK(one(then, spec({bound("/data", "/old")}), {}, files) ==
        ResolvedMount{"/data", "/old", "/old", "dir", "", ""});
  CHECK(one(then, spec({bound("/data", "/new")}), {"/data=/file"}, files).now == "/file");
  CHECK(one(then, spec({bound("/data", "/file")}), {}, files).reason ==
        "its source in the new specification, '/file', is of another kind");
  CHECK(one(then, spec({bound("/data", "/gone")}), {}, files).reason ==
        "its source in the new specification, '/gone', is not there");
  CHECK(one(then, spec({bound("/data", "/file")}), {}, files, "").now == "/file");
}

TEST_CASE("remap: without one it stays as it was, if that is there and no other pod's") {
  const HostFiles files = host({{"/old", "dir"}, {kOldBox + "/shm", "dir"}});
  const ResolvedMount kept = one(spec({bound("/data", "/old")}), spec({}), {}, files);
  CHECK(kept.now == "/old");
  CHECK(kept.reason == "the new specification has no such mount; its source is as it was");
  CHECK(one(spec({bound("/data", "/old")}), spec({tmpfs("/data")}), {}, files).reason ==
        "the new specification has a tmpfs there; its source is as it was");
  const ResolvedMount gone = one(spec({bound("/data", "/gone")}), spec({}), {}, files);
  CHECK(gone.now == "");
  CHECK(gone.reason == "the new specification has no such mount, and '/gone' is not there");
  const ResolvedMount others = one(spec({bound("/data", kOldBox + "/shm")}), spec({}), {}, files);
  CHECK(others.now == "");
  CHECK(others.reason ==
        "the new specification has no such mount, and the new specification does not tell its sandbox id");
}

TEST_CASE("remap: the sandbox's file of the new pod, also where the new specification has the old one") {
  const json then = spec({bound("/data", kOldBox + "/shm")});
  const HostFiles files = host({{kNewBox + "/shm", "dir"}});
  const json id = {{"io.kubernetes.cri.sandbox-id", std::string(64, 'b')}};
  for (const json& now :
       {spec({}, id), spec({bound("/data", kOldBox + "/shm")}, id), spec({bound("/x", kNewBox + "/y")})})
    CHECK(one(then, now, {}, files) ==
          ResolvedMount{"/data", kOldBox + "/shm", kNewBox + "/shm", "dir", "by the new sandbox id", ""});
}

TEST_CASE("remap: sources go into our copy, what is unresolved stays") {
  json copy = spec({bound("/a", "/1"), tmpfs("/t"), bound("/b", "/2")});
  apply_mounts(copy, {{"/a", "/1", "/new", "", "", ""}, {"/b", "/2", "", "", "", "why"}});
  CHECK(copy["mounts"][0]["source"] == "/new");
  CHECK(copy["mounts"][1]["source"] == "tmpfs");
  CHECK(copy["mounts"][2]["source"] == "/2");
}
