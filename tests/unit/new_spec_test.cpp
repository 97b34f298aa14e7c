// What of a new container's specification a restored one can have.
#include "commands/new_spec.h"

#include "runtimes/json.h"
#include "tests/unit/support.h"

using namespace ckpt;
using nlohmann::json;
using Verdict = CheckedItem::Verdict;

namespace {

json base() {
  return json::parse(R"({
    "root": {"path": "/old/rootfs"},
    "process": {"args": ["serve", "--port", "80"], "cwd": "/", "env": ["A=1", "B=2"], "user": {"uid": 0, "gid": 0},
                "capabilities": {"bounding": ["CAP_KILL", "CAP_CHOWN"]}},
    "mounts": [{"destination": "/data", "type": "bind", "source": "/old/data"},
               {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
    "annotations": {"dev.gvisor.spec.x": "1", "pod": "old"},
    "hooks": {"prestart": [{"path": "/old/hook"}]},
    "linux": {"cgroupsPath": "/old", "resources": {"memory": {"limit": 1}},
              "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network", "path": "/run/netns/old"},
                             {"type": "uts", "path": "/proc/7/ns/uts"}]}})");
}

/// The items that differ when `pointer` has `value` in the new one.
std::vector<CheckedItem> with(const char* pointer, const json& value) {
  json now = base();
  now[json::json_pointer(pointer)] = value;
  return compare_specs(base(), now);
}

void only(const std::vector<CheckedItem>& items, const std::string& item, const std::string& image,
          const std::string& host, const std::string& reason) {
  REQUIRE(items.size() == 1);
  CHECK(items[0].item == item);
  CHECK(items[0].image == image);
  CHECK(items[0].host == host);
  CHECK(items[0].reason == reason);
}

}  // namespace

TEST_CASE("new spec: the same one, and its order of capabilities and variables, are no difference") {
  CHECK(compare_specs(base(), base()).empty());
  CHECK(with("/process/capabilities/bounding", {"CAP_CHOWN", "CAP_KILL"}).empty());
  CHECK(with("/process/env", {"B=2", "A=1"}).empty());
  CHECK(with("/process/terminal", false).empty());
  CHECK(with("/process/user/additionalGids", json::array()).empty());
  CHECK(with("/mounts/0/source", "/new/data").empty());
}

TEST_CASE("new spec: what the image has fixed is told") {
  only(with("/process/args", {"serve", "-v"}), "arguments", "serve --port 80", "serve -v",
       "the image has fixed it");
  only(with("/process/args", {"--port", "80", "serve"}), "arguments", "serve --port 80", "--port 80 serve",
       "the image has fixed it");
  only(with("/process/user/uid", 1000), "user", "", R"({"uid":1000})", "the image has fixed it");
  CHECK(with("/process/capabilities/bounding", {"CAP_KILL"})[0].item == "capabilities");
  CHECK(with("/process/cwd", "/srv")[0].item == "working directory");
  CHECK(with("/root/readonly", true)[0].item == "read-only root");
  CHECK(with("/process/cwd", std::string(50, 'x'))[0].host == std::string(37, 'x') + "...");
}

TEST_CASE("new spec: variables by their names, never their values") {
  only(with("/process/env", {"A=1", "B=secret", "C=3"}), "environment", "2 variables", "3 variables",
       "the image has fixed B, C");
}

TEST_CASE("new spec: mounts cannot be added, nor change their type") {
  only(with("/mounts/2", {{"destination", "/new"}, {"type", "bind"}, {"source", "/s"}}), "mount /new", "",
       "/s", "a restored container gets no mounts besides those of the image");
  only(with("/mounts/1", {{"destination", "/tmp"}, {"type", "bind"}, {"source", "/s"}}), "mount /tmp",
       "tmpfs", "/s", "it stays the tmpfs of the image");
}

TEST_CASE("new spec: namespaces by path take the new path, others are the image's") {
  const auto moved = with("/linux/namespaces/2/path", "/run/netns/new");
  REQUIRE(moved.size() == 1);
  CHECK(moved[0].verdict == Verdict::same);
  CHECK(moved[0].how == "by its path in the new specification");
  const auto own = with("/linux/namespaces/2/path", "");
  CHECK(own[0].verdict == Verdict::fails);
  CHECK(own[0].reason ==
        "the image's network namespace was one by its path, that of the new specification is own");
  const auto uts = with("/linux/namespaces/3/path", "/proc/9/ns/uts");
  CHECK(uts[0].verdict == Verdict::differs);
  CHECK(uts[0].reason == "the image brings one of its own");
}

TEST_CASE("new spec: the copy has the new place, cgroup, hooks and paths, and the old process") {
  json now = base();
  now["root"] = {{"path", "/new/rootfs"}, {"readonly", true}};
  now["process"]["args"] = {"other"};
  now["annotations"] = {{"dev.gvisor.spec.x", "2"}, {"pod", "new"}};
  now.erase("hooks");
  now["linux"]["cgroupsPath"] = "/new";
  now["linux"].erase("resources");
  now["linux"]["namespaces"][2]["path"] = "/run/netns/new";
  now["linux"]["namespaces"][0]["path"] = "/proc/9/ns/pid";
  json wanted = base();
  wanted["root"]["path"] = "/new/rootfs";
  wanted["annotations"]["pod"] = "new";
  wanted.erase("hooks");
  wanted["linux"]["cgroupsPath"] = "/new";
  wanted["linux"].erase("resources");
  wanted["linux"]["namespaces"][2]["path"] = "/run/netns/new";
  CHECK(merge_specs(base(), now, false).at("linux").at("namespaces")[3].at("path") == "/proc/7/ns/uts");
  wanted["linux"]["namespaces"][3].erase("path");
  CHECK(merge_specs(base(), now, true) == wanted);
  json bare = base();
  bare.erase("linux");
  CHECK(merge_specs(bare, now, true).at("linux") == json{{"cgroupsPath", "/new"}});
}
