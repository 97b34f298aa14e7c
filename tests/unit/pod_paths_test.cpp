// Paths of pods, and the same ones of another pod.
#include "runtimes/pod_paths.h"

#include "runtimes/json.h"
#include "tests/unit/support.h"

using namespace ckpt;
using nlohmann::json;

namespace {

const std::string kOldPod = "0a1b2c3d-1111-2222-3333-444455556666",
                  kNewPod = "9f8e7d6c-aaaa-bbbb-cccc-ddddeeeeffff";
const std::string kOldBox(64, 'a'), kNewBox(64, 'b'), kOldBody(64, 'c'), kNewBody(64, 'd');
const std::string kPods = "/var/lib/kubelet/pods/",
                  kBoxes = "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/",
                  kShm = "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/",
                  kCrio = "/run/containers/storage/overlay-containers/";

json spec(const std::vector<std::string>& sources, const json& annotations = json::object()) {
  json out = {{"annotations", annotations}, {"mounts", json::array()}};
  for (const std::string& source : sources)
    out["mounts"].push_back(
        {{"destination", "/m" + std::to_string(out["mounts"].size())}, {"source", source}, {"type", "bind"}});
  return out;
}

/// A host that has these: path to kind.
HostFiles host(std::map<std::string, std::string> kinds) {
  return {.kind = [kinds](const std::string& path) { return kinds.contains(path) ? kinds.at(path) : ""; },
          .names =
              [kinds](const std::string& directory) {
                std::vector<std::string> names;
                for (const auto& [path, kind] : kinds)
                  if (fs::path(path).parent_path() == directory) names.push_back(fs::path(path).filename());
                return names;
              }};
}

std::string path_of(const std::string& source, const json& then, const json& now, const HostFiles& files,
                    const std::string& kind = "file") {
  const auto found = counterpart(source, kind, then, now, files);
  REQUIRE(found);
  INFO(found->reason);
  CHECK(found->path.empty() != found->reason.empty());
  return found->path;
}

std::string reason_of(const std::string& source, const json& then, const json& now, const HostFiles& files) {
  const auto found = counterpart(source, "file", then, now, files);
  REQUIRE(found);
  CHECK(found->path == "");
  return found->reason;
}

}  // namespace

TEST_CASE("pod paths: whose a path is") {
  const auto pod = pod_path(kPods + kOldPod + "/etc-hosts");
  REQUIRE(pod);
  CHECK(pod->owner == PathOwner::pod);
  CHECK(pod->prefix == kPods);
  CHECK(pod->id == kOldPod);
  CHECK(pod->rest == "/etc-hosts");
  CHECK(pod_path(kShm + kOldBox + "/shm")->owner == PathOwner::sandbox);
  CHECK(pod_path(kCrio + kOldBox + "/userdata/shm")->owner == PathOwner::storage);
  CHECK(pod_path("/k/pods/" + std::string(32, '7'))->rest == "");  // a static pod's uid has no dashes
  for (const char* path : {"/srv/pods/mine/data", "/srv/data", "", "/pods/", "/x/sandboxes/abc/hostname"})
    CHECK_FALSE(pod_path(path));
}

TEST_CASE("pod paths: what is nobody's has no counterpart") {
  CHECK_FALSE(counterpart("/srv/data", "dir", spec({}), spec({}), host({{"/srv/data", "dir"}})));
}

TEST_CASE("pod paths: the pod's uid is that of the annotation, else of the sources") {
  const std::string now = kPods + kNewPod + "/etc-hosts";
  const HostFiles files = host({{now, "file"}});
  for (const char* name : {"io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"})
    CHECK(path_of(kPods + kOldPod + "/etc-hosts", spec({}), spec({}, {{name, kNewPod}}), files) == now);
  CHECK(path_of(kPods + kOldPod + "/etc-hosts", spec({}), spec({kPods + kNewPod + "/volumes/x"}), files) ==
        now);
  CHECK(reason_of(kPods + kOldPod + "/etc-hosts", spec({}), spec({}), files) ==
        "the new specification does not tell its pod uid");
}

TEST_CASE("pod paths: another kubelet's directory is learnt from the sources") {
  const std::string there = "/mnt/kubelet/pods/" + kNewPod;
  CHECK(path_of(kPods + kOldPod + "/volumes/kubernetes.io~empty-dir/cache", spec({}),
                spec({there + "/etc-hosts"}),
                host({{there + "/volumes/kubernetes.io~empty-dir/cache", "dir"}}),
                "dir") == there + "/volumes/kubernetes.io~empty-dir/cache");
}

TEST_CASE("pod paths: names that are drawn anew are found when there is one") {
  const std::string old_log = kPods + kOldPod + "/containers/app/11aa22bb",
                    logs = kPods + kNewPod + "/containers/app/";
  const std::string volumes = "/volumes/kubernetes.io~projected/";
  const json now = spec({}, {{"io.kubernetes.pod.uid", kNewPod}});
  CHECK(path_of(old_log, spec({}), now, host({{logs + "ffee0011", "file"}})) == logs + "ffee0011");
  CHECK(reason_of(old_log, spec({}), now, host({{logs + "1", "file"}, {logs + "2", "file"}})) ==
        fmt::format("it may be any of '{0}1', '{0}2'", logs));
  CHECK(path_of(kPods + kOldPod + volumes + "kube-api-access-abcde", spec({}), now,
                host({{kPods + kNewPod + volumes + "kube-api-access-xyzzy", "dir"},
                      {kPods + kNewPod + volumes + "other", "dir"}}),
                "dir") == kPods + kNewPod + volumes + "kube-api-access-xyzzy");
  CHECK(reason_of(kPods + kOldPod + volumes + "tokens", spec({}), now,
                  host({{kPods + kNewPod + volumes + "other", "file"}})) ==
        fmt::format("there is no file '{}{}{}tokens'", kPods, kNewPod, volumes));
}

TEST_CASE("pod paths: containerd's sandbox, whose shm is elsewhere than its files") {
  const HostFiles files = host({{kBoxes + kNewBox + "/hostname", "file"},
                                {kBoxes + kNewBox + "/resolv.conf", "file"},
                                {kShm + kNewBox + "/shm", "dir"}});
  const json named = spec({}, {{"io.kubernetes.cri.sandbox-id", kNewBox}}),
             told = spec({kShm + kNewBox + "/shm"});
  for (const json& now : {named, told}) {
    CHECK(path_of(kBoxes + kOldBox + "/hostname", spec({}), now, files) == kBoxes + kNewBox + "/hostname");
    CHECK(path_of(kBoxes + kOldBox + "/resolv.conf", spec({}), now, files) ==
          kBoxes + kNewBox + "/resolv.conf");
    CHECK(path_of(kShm + kOldBox + "/shm", spec({}), now, files, "dir") == kShm + kNewBox + "/shm");
  }
  const json both = spec({kShm + std::string(64, 'e') + "/shm"}, {{"io.kubernetes.cri.sandbox-id", kNewBox}});
  CHECK(path_of(kBoxes + kOldBox + "/hostname", spec({}), both, files) == kBoxes + kNewBox + "/hostname");
}

TEST_CASE("pod paths: CRI-O's, of the sandbox and of the container itself") {
  const std::string rest = "/userdata/resolv.conf", own = "/userdata/run/secrets";
  const json then =
      spec({}, {{"io.kubernetes.cri-o.SandboxID", kOldBox}, {"io.kubernetes.cri-o.ContainerID", kOldBody}});
  const json now =
      spec({}, {{"io.kubernetes.cri-o.SandboxID", kNewBox}, {"io.kubernetes.cri-o.ContainerID", kNewBody}});
  const HostFiles files = host({{kCrio + kNewBox + rest, "file"}, {kCrio + kNewBody + own, "dir"}});
  CHECK(path_of(kCrio + kOldBox + rest, then, now, files) == kCrio + kNewBox + rest);
  CHECK(path_of(kCrio + kOldBody + own, then, now, files, "dir") == kCrio + kNewBody + own);
  CHECK(counterpart(kCrio + kOldBody + own, "dir", then, now, files)->by == "container id");
  CHECK(reason_of(kCrio + kOldBody + own, then, spec({}), files) ==
        "the new specification does not tell its container id");
}

TEST_CASE("pod paths: another kind is not taken") {
  const std::string now = kPods + kNewPod + "/etc-hosts";
  CHECK(reason_of(kPods + kOldPod + "/etc-hosts", spec({}), spec({}, {{"io.kubernetes.pod.uid", kNewPod}}),
                  host({{now, "dir"}})) == fmt::format("there is no file '{}'", now));
}
