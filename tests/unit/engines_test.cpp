// Whose containers they are, by bundles and state files laid out as docker 28, containerd 2.1, nerdctl,
// podman 5 and CRI-O do.
#include "runtimes/engines.h"

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using nlohmann::json;

namespace {

constexpr const char* kTask = "run/containerd/io.containerd.runtime.v2.task/";

/// The engine of a bundle at `place` with this configuration.
std::optional<Engine> engine_at(const TempDir& dir, const std::string& place, const json& spec) {
  dir.file(fs::path(place) / "config.json", spec.dump());
  return engine_of(dir / place);
}

json annotated(const json& annotations) {
  return {{"annotations", annotations}};
}

}  // namespace

TEST_CASE("engines: docker's name, policy and program, wherever its data is") {
  const TempDir dir;
  const std::string home = "data/containers/abc/";
  dir.file(home + "config.v2.json", R"({"Name": "/web", "ID": "abc"})");
  dir.file(home + "hostconfig.json", R"({"RestartPolicy": {"Name": "always"}, "AutoRemove": false})");
  dir.file(std::string(kTask) + "moby/abc/options.json", R"({"binary_name": "/usr/bin/runc", "root": "/x"})");
  const json spec = {{"mounts",
                      {{{"destination", "/proc"}, {"source", "proc"}},
                       {{"destination", "/etc/hostname"}, {"source", (dir / home / "hostname").string()}}}}};
  const auto engine = engine_at(dir, std::string(kTask) + "moby/abc", spec);
  CHECK(engine == Engine{.name = "docker",
                         .container = "web",
                         .runtime_binary = "/usr/bin/runc",
                         .restart_policy = "always"});
  CHECK(full_name(*engine) == "web");
  CHECK(after_its_end(*engine).find("its restart policy is 'always'") != std::string::npos);
}

TEST_CASE("engines: docker without its files, with --rm, without a policy") {
  const TempDir dir;
  auto engine = engine_at(dir, std::string(kTask) + "moby/abc", json::object());
  CHECK(engine == Engine{.name = "docker", .container = "abc"});
  engine->restart_policy = "no";
  CHECK(after_its_end(*engine) == "docker will see it exit, and unmount its root file system");
  engine->removed_with_end = true;
  CHECK(after_its_end(*engine) == "docker will see it exit, and remove it and its root file system");
}

TEST_CASE("engines: containerd's by namespace, nerdctl's by name, a pod's by the names of Kubernetes") {
  const TempDir dir;
  CHECK(engine_at(dir, std::string(kTask) + "default/c1", json::object()) ==
        Engine{.name = "containerd", .space = "default", .container = "c1"});
  CHECK(engine_at(dir, std::string(kTask) + "default/c2", annotated({{"nerdctl/name", "db"}}))->container ==
        "db");
  const auto pod = engine_at(dir, "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/c3",
                             annotated({{"io.kubernetes.cri.sandbox-name", "web-0"},
                                        {"io.kubernetes.cri.sandbox-namespace", "shop"},
                                        {"io.kubernetes.cri.container-name", "nginx"},
                                        {"io.kubernetes.cri.container-type", "container"}}));
  REQUIRE(pod);
  CHECK(full_name(*pod) == "shop/web-0/nginx");
  CHECK(after_its_end(*pod).find("kubelet") != std::string::npos);
  const auto pause = engine_at(dir, std::string(kTask) + "k8s.io/c4",
                               annotated({{"io.kubernetes.cri.sandbox-name", "web-0"},
                                          {"io.kubernetes.cri.sandbox-namespace", "shop"},
                                          {"io.kubernetes.cri.container-type", "sandbox"}}));
  CHECK(full_name(*pause) == "shop/web-0/sandbox");
}

TEST_CASE("engines: podman's name from the storage, CRI-O's from annotations") {
  const TempDir dir;
  const std::string storage = "storage/overlay-containers/";
  dir.file(storage + "containers.json",
           R"([{"id": "other", "names": ["no"]}, {"id": "abc"}, {"id": "abc", "names": ["db"]}])");
  const auto podman = engine_at(
      dir, storage + "abc/userdata",
      annotated({{"io.container.manager", "libpod"}, {"io.podman.annotations.autoremove", "TRUE"}}));
  CHECK(podman == Engine{.name = "podman", .container = "db", .removed_with_end = true});
  CHECK(engine_at(dir, "else/vfs-containers/x/userdata", json::object()) ==
        Engine{.name = "podman", .container = "x"});
  const auto crio = engine_at(dir, storage + "def/userdata",
                              annotated({{"io.container.manager", "cri-o"},
                                         {"io.kubernetes.pod.namespace", "shop"},
                                         {"io.kubernetes.pod.name", "web-0"},
                                         {"io.kubernetes.container.name", "nginx"}}));
  REQUIRE(crio);
  CHECK(crio->name == "cri-o");
  CHECK(full_name(*crio) == "shop/web-0/nginx");
}

TEST_CASE("engines: other bundles are nobody's, and files that are not what they should be no obstacle") {
  const TempDir dir;
  CHECK(engine_at(dir, "srv/web", json::object()) == std::nullopt);
  CHECK(engine_at(dir, "srv/userdata", json::object()) == std::nullopt);
  CHECK(engine_at(dir, "io.containerd.runtime.v2.task/default", json::object()) == std::nullopt);
  CHECK(engine_at(dir, "io.containerd.runtime.v2.task/default/c/rootfs", json::object()) == std::nullopt);
  CHECK(engine_of("") == std::nullopt);
  CHECK(engine_of(dir / kTask / "default/gone") ==
        Engine{.name = "containerd", .space = "default", .container = "gone"});
  dir.file("overlay-containers/containers.json",
           R"([7, {"id": "x", "names": [1]}, {"id": "x", "names": 3}])");
  CHECK(engine_at(dir, "overlay-containers/x/userdata", json::array({1}))->container == "x");
  const json odd = {{"mounts", 3}, {"annotations", 7}};
  CHECK(engine_at(dir, std::string(kTask) + "moby/odd", odd)->container == "odd");
}

TEST_CASE("engines: the bundle as runc's and crun's states name it") {
  const TempDir dir;
  dir.file("a/state.json", R"({"config": {"labels": ["x=y", "bundle=/b/a"]}})");
  dir.file("b/status", R"({"bundle": "/b/b"})");
  dir.file("c/state.json", R"({"config": 3})");
  dir.file("d/state.json", R"({"config": {"labels": [3]}})");
  const std::string root = dir.path();
  CHECK(bundle_in_state(RuntimeKind::runc, root, "a") == "/b/a");
  CHECK(bundle_in_state(RuntimeKind::crun, root, "b") == "/b/b");
  for (const char* id : {"c", "d", "none"}) CHECK(bundle_in_state(RuntimeKind::runc, root, id).empty());
  CHECK(bundle_in_state(RuntimeKind::runsc, root, "a").empty());
}

TEST_CASE("engines: hooks and the place among the engine's cgroups are left behind, and told") {
  json spec =
      parse_json(R"({"hooks": {"prestart": [{"path": "/proc/7/exe"}, {"path": "/usr/bin/nvidia-hook"}],
    "poststop": [{"path": "/bin/netavark"}]}, "linux": {"cgroupsPath": "/docker/abc", "resources": {}}})");
  CHECK(
      leave_engine(spec) ==
      std::vector<std::string>{"its hooks are not run: '/bin/netavark' (poststop), '/proc/7/exe' (prestart), "
                               "'/usr/bin/nvidia-hook' (prestart)",
                               "it is in a cgroup of its own, not in '/docker/abc'"});
  CHECK(spec == json{{"linux", {{"resources", json::object()}}}});
  CHECK(leave_engine(spec).empty());
}
