// config.json: what is refused, what our copy changes, what is read out of it.
#include "runtimes/spec.h"

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using nlohmann::json;

namespace {

json minimal() {
  return json::parse(
      R"({"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["/bin/sh"],"cwd":"/"}})");
}

json rich() {
  json spec = minimal();
  spec["mounts"] = json::parse(R"([
    {"destination":"/proc","type":"proc","source":"proc"},
    {"destination":"/data","type":"bind","source":"data","options":["rbind","ro"]},
    {"destination":"/etc/hosts","source":"/srv/hosts","options":["bind"]},
    {"destination":"/tmp","type":"tmpfs","source":"tmpfs","options":["nosuid"]}])");
  spec["linux"] = json::parse(R"({
    "seccomp":{"defaultAction":"SCMP_ACT_ERRNO"},
    "devices":[{"path":"/dev/fuse","type":"c","major":10,"minor":229},{"path":"/dev/nvidia0","type":"c","major":195},
               {"path":"/dev/nvidiactl"},{"path":"/dev/nvidia-uvm"},{"path":"/dev/nvid"},{"path":""}],
    "resources":{"memory":{"limit":5}},
    "namespaces":[{"type":"pid"},{"type":"network","path":"/run/netns/x"},{"type":"mount"}]})");
  return spec;
}

Error parse_error_of(const std::string& text) {
  return error_of([&] { parse_spec(text, "/b/config.json"); });
}

}  // namespace

TEST_CASE("spec: a usable configuration is read as it is") {
  CHECK(parse_spec(minimal().dump(), "x") == minimal());
  CHECK(parse_spec(rich().dump(), "x") == rich());
}

TEST_CASE("spec: text that is no JSON is refused with the place") {
  for (const auto& [text, byte] : std::vector<std::pair<std::string, int>>{
           {"", 1}, {"{", 2}, {"{\"a\": nope}", 8}, {"{} 7", 4}, {"{\"a\":\"\xff\"}", 7}}) {
    const Error error = parse_error_of(text);
    CHECK(error.code == ErrorCode::invalid_config);
    CHECK(error.message ==
          fmt::format("'/b/config.json' is not a usable OCI configuration: no JSON at byte {}", byte));
    CHECK_FALSE(error.hint.empty());
  }
}

TEST_CASE("spec: a wrong shape is refused, saying what is wrong") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "not a JSON object"},
      {"null", "not a JSON object"},
      {"{}", "root.path"},
      {R"({"root":{}})", "root.path"},
      {R"({"root":"x"})", "root.path"},
      {R"({"root":{"path":7}})", "root.path"},
      {R"({"root":{"path":"r"}})", "process"},
      {R"({"root":{"path":"r"},"process":[]})", "process"},
      {R"({"root":{"path":"r"},"process":{}})", "process.args"},
      {R"({"root":{"path":"r"},"process":{"args":[]}})", "process.args"},
      {R"({"root":{"path":"r"},"process":{"args":"sh"}})", "process.args"},
      {R"({"root":{"path":"r"},"process":{"args":["sh",1]}})", "process.args"},
      {R"({"root":{"path":"r"},"process":{"args":["sh"]},"mounts":{}})", "mounts"},
      {R"({"root":{"path":"r"},"process":{"args":["sh"]},"mounts":[1]})", "mount"},
      {R"({"root":{"path":"r"},"process":{"args":["sh"]},"mounts":[{"destination":1}]})", "destination"},
      {R"({"root":{"path":"r"},"process":{"args":["sh"]},"linux":[]})", "linux"}};
  for (const auto& [text, part] : cases) {
    INFO(text);
    const Error error = parse_error_of(text);
    CHECK(error.code == ErrorCode::invalid_config);
    CHECK(contains(error.message, part));
  }
}

TEST_CASE("spec: a wrong type anywhere that is read later is refused at once") {
  const std::vector<std::pair<json::json_pointer, json>> cases = {
      {json::json_pointer("/mounts/0/type"), 5},
      {json::json_pointer("/mounts/1/source"), 7},
      {json::json_pointer("/linux/devices"), "x"},
      {json::json_pointer("/linux/devices/0"), "/dev/x"},
      {json::json_pointer("/linux/devices/0/path"), 3},
      {json::json_pointer("/linux/namespaces"), "pid"},
      {json::json_pointer("/linux/namespaces/0"), 1},
      {json::json_pointer("/linux/namespaces/0/type"), 1},
      {json::json_pointer("/linux/namespaces/0/path"), 1},
      {json::json_pointer("/process/terminal"), "yes"}};
  for (const auto& [place, value] : cases) {
    json spec = rich();
    spec[place] = value;
    INFO(place.to_string());
    CHECK(parse_error_of(spec.dump()).code == ErrorCode::invalid_config);
  }
}

TEST_CASE("spec: our copy has absolute paths, the bundle's own are left") {
  const json before = rich();
  const json copy = prepare_spec(before, "/srv/bundle", RuntimeKind::runc, {});
  json expected = rich();
  expected["root"]["path"] = "/srv/bundle/rootfs";
  expected["mounts"][1]["source"] = "/srv/bundle/data";
  CHECK(copy == expected);
  CHECK(before == rich());
}

TEST_CASE("spec: dots in relative paths are resolved against the bundle") {
  json spec = minimal();
  spec["root"]["path"] = "../shared/./rootfs/";
  CHECK(prepare_spec(spec, "/srv/bundle", RuntimeKind::crun, {})["root"]["path"] == "/srv/shared/rootfs");
}

TEST_CASE("spec: other arguments replace those of the process") {
  const json copy = prepare_spec(minimal(), "/b", RuntimeKind::runc, {"/bin/echo", "a b"});
  CHECK(copy["process"] == json{{"args", {"/bin/echo", "a b"}}, {"cwd", "/"}});
}

TEST_CASE("spec: runsc gets no seccomp and of the devices only GPUs") {
  const json copy = prepare_spec(rich(), "/b", RuntimeKind::runsc, {});
  json expected = rich();
  expected["root"]["path"] = "/b/rootfs";
  expected["mounts"][1]["source"] = "/b/data";
  expected["linux"].erase("seccomp");
  expected["linux"]["devices"] = {{{"path", "/dev/nvidia0"}, {"type", "c"}, {"major", 195}},
                                  {{"path", "/dev/nvidiactl"}},
                                  {{"path", "/dev/nvidia-uvm"}}};
  CHECK(copy == expected);
}

TEST_CASE("spec: without GPUs runsc gets no devices at all") {
  json spec = rich();
  spec["linux"]["devices"] = {{{"path", "/dev/fuse"}}};
  CHECK_FALSE(prepare_spec(spec, "/b", RuntimeKind::runsc, {})["linux"].contains("devices"));
  CHECK(prepare_spec(spec, "/b", RuntimeKind::crun, {})["linux"] == spec["linux"]);
  CHECK_NOTHROW(prepare_spec(minimal(), "/b", RuntimeKind::runsc, {}));
}

TEST_CASE("spec: terminal and namespaces are read") {
  json spec = rich();
  CHECK_FALSE(wants_terminal(spec));
  spec["process"]["terminal"] = true;
  CHECK(wants_terminal(spec));
  CHECK_FALSE(makes_network_namespace(spec));
  spec["linux"]["namespaces"] = {{{"type", "network"}}, {{"type", "pid"}, {"path", "/proc/1/ns/pid"}}};
  CHECK(makes_network_namespace(spec));
  CHECK_FALSE(makes_network_namespace(minimal()));
}

TEST_CASE("spec: bind mounts are those of type or option bind") {
  CHECK(bind_mounts(rich()) == std::vector<BindMount>{{"data", "/data"}, {"/srv/hosts", "/etc/hosts"}});
  CHECK(bind_mounts(minimal()).empty());
}

TEST_CASE("spec: a missing bind source or root is named") {
  const TempDir dir;
  json spec = minimal();
  spec["root"]["path"] = dir.path().string();
  spec["mounts"] = {{{"destination", "/a"}, {"type", "bind"}, {"source", dir.file("here")}},
                    {{"destination", "/gone"}, {"type", "bind"}, {"source", (dir / "none").string()}}};
  const Error error = error_of([&] { require_bind_sources(spec); });
  CHECK(error.code == ErrorCode::not_found);
  CHECK(error.message ==
        fmt::format("the source '{}' of the bind mount at '/gone' does not exist", (dir / "none").string()));
  dir.file("none");
  CHECK_NOTHROW(require_bind_sources(spec));
  spec["root"]["path"] = (dir / "here").string();
  CHECK(contains(error_of([&] { require_bind_sources(spec); }).message, "root file system"));
}

TEST_CASE("spec: a bundle is read byte for byte, its directory made absolute") {
  const TempDir dir;
  dir.file("config.json", "{ } \n");
  const Bundle bundle = read_bundle(dir.path() / "x/..");
  CHECK(bundle.directory == dir.path());
  CHECK(bundle.text == "{ } \n");
  const Error error = error_of([&] { read_bundle(dir / "none"); });
  CHECK(error.code == ErrorCode::not_found);
  CHECK(contains(error.message, (dir / "none/config.json").string()));
  CHECK(contains(error.message, "no such file or directory"));
}

TEST_CASE("spec: a digest is 32 digits and differs with the text") {
  CHECK(digest_of("") == "99aa06d3014798d86001c324468d497f");
  CHECK(digest_of("a") != digest_of("b"));
  CHECK(digest_of("a").size() == 32);
}
