// CDI: what a specification may be, which one wins, what its edits do to an OCI spec, and what is said of
// those that cannot be used.
#include "gpu/cdi.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "gpu/cdi_edit.h"
#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;
using nlohmann::json;

namespace {

/// A specification of nvidia.com/gpu whose devices set a variable NAME=VALUE.
json specification(const std::vector<std::string>& names, const std::string& value = "1",
                   const std::string& kind = "nvidia.com/gpu") {
  json devices = json::array();
  for (const std::string& name : names)
    devices.push_back({{"name", name}, {"containerEdits", {{"env", {"D_" + name + "=" + value}}}}});
  return {{"cdiVersion", "0.6.0"},
          {"kind", kind},
          {"containerEdits", {{"env", {"GLOBAL=" + value}}}},
          {"devices", devices}};
}

json oci() {
  return {{"process", {{"args", {"x"}}, {"env", {"PATH=/bin"}}, {"user", {{"uid", 0}, {"gid", 0}}}}},
          {"root", {{"path", "rootfs"}}}};
}

struct Host {
  TempDir dir;
  fs::path low = dir / "low", high = dir / "high";
  CdiDirs dirs{{low, high}};

  std::string put(const std::string& file, const json& content) const {
    return dir.file(file, content.dump());
  }
  json env_of(const std::vector<std::string>& devices) const {
    json spec = oci();
    apply_cdi(spec, devices, dirs);
    return spec["process"]["env"];
  }
};

json edited(const json& edits, json spec = oci()) {
  std::vector<std::string> notes;
  apply_edits(spec, edits, "nvidia.com/gpu=0", notes);
  CHECK(notes.empty());
  return spec;
}

std::string broken(std::string_view text, bool yaml = false) {
  try {
    parse_cdi(text, yaml);
  } catch (const BrokenCdi& error) {
    return error.why;
  }
  return "";
}

}  // namespace

// ---- one file

TEST_CASE("cdi: a specification in JSON and in YAML is the same") {
  const CdiFile file = parse_cdi(R"(
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  deviceNodes:
  - path: /dev/nvidiactl
    major: 195
    fileMode: 0666
devices:
- name: "0"
  containerEdits:
    hooks:
    - {hookName: createContainer, path: /usr/bin/nvidia-ctk, args: [nvidia-ctk, "7", yes]}
- name: 1
- name: GPU-3f8b:x
)",
                                 true);
  CHECK(file.kind == "nvidia.com/gpu");
  CHECK(file.edits ==
        json{{"env", {"NVIDIA_VISIBLE_DEVICES=void"}},
             {"deviceNodes", {{{"path", "/dev/nvidiactl"}, {"major", 195}, {"fileMode", 0666}}}}});
  REQUIRE(file.devices.size() == 3);
  CHECK(file.devices[0].name == "0");
  CHECK(file.devices[0].edits["hooks"][0]["args"] == json{"nvidia-ctk", "7", "yes"});
  CHECK(file.devices[1].name == "1");
  CHECK(file.devices[1].edits == json::object());
  CHECK(file.devices[2].name == "GPU-3f8b:x");
  CHECK(parse_cdi(specification({"0"}).dump(), false).devices[0].edits == json{{"env", {"D_0=1"}}});
  CHECK(parse_cdi(specification({"0"}).dump(), true).devices[0].edits == json{{"env", {"D_0=1"}}});
}

TEST_CASE("cdi: what makes a specification unusable is said with its place") {
  CHECK(broken("") == "it is no JSON");
  CHECK(broken("{") == "it is no JSON");
  CHECK(broken("[]") == "the specification is not an object");
  CHECK(broken("a: [", true).starts_with("it is no YAML at line "));
  CHECK(broken("", true) == "the specification is not an object");
  CHECK(broken("kind: \"a\xff\"", true) == "it is not UTF-8");
  CHECK(broken("\"a\xff\": b", true) == "it is not UTF-8");
  CHECK(broken("{\"kind\": \"a\xff\"}") == "it is no JSON");
  CHECK(broken("? [a]\n: b", true) == "it has a key that is not text");
  const json good = specification({"0"});
  const auto with = [&](const char* place, const json& value) {
    json changed = good;
    changed[json::json_pointer(place)] = value;
    return broken(changed.dump());
  };
  CHECK(with("/cdiVersion", nullptr) == "cdiVersion is missing");
  CHECK(with("/cdiVersion", 6) == "cdiVersion is not text");
  CHECK(with("/cdiVersion", "latest") == "cdiVersion 'latest' is no version");
  CHECK(with("/cdiVersion", "1.0") == "cdiVersion '1.0' is no version");
  CHECK(with("/cdiVersion", "v1.1.0").empty());
  CHECK(with("/kind", "nvidia") == "kind 'nvidia' is not vendor.com/class");
  CHECK(with("/kind", "nvidia.com/gpu/x") == "kind 'nvidia.com/gpu/x' is not vendor.com/class");
  CHECK(with("/kind", "nvidia.com/gpu=0") == "kind 'nvidia.com/gpu=0' is not vendor.com/class");
  CHECK(with("/devices", json::array()) == "devices is missing or empty");
  CHECK(with("/devices", "0") == "devices is not a list");
  CHECK(with("/devices/0", 1) == "devices[0] is not an object");
  CHECK(with("/devices/0/name", "") == "devices[0].name is empty");
  CHECK(with("/devices/0/name", "a b") == "devices[0].name 'a b' is no name of a device");
  CHECK(with("/devices/0/name", -1) == "devices[0].name is not text");
  CHECK(with("/devices/1", good["devices"][0]) == "devices[1] has the name of another, '0'");
  CHECK(with("/device", 1) == "device is no field of CDI 1.1.0");
  CHECK(with("/containerEdits", json::array()) == "containerEdits is not an object");
  CHECK(with("/containerEdits/devices", 1) == "containerEdits.devices is no field of CDI 1.1.0");
  CHECK(with("/containerEdits/env", "A=b") == "containerEdits.env is not a list");
  CHECK(with("/containerEdits/env/0", "=b") == "containerEdits.env[0] is not NAME=VALUE");
  CHECK(with("/containerEdits/env/0", nullptr) == "containerEdits.env[0] is not text");
  CHECK(with("/containerEdits/deviceNodes/0/hostPath", "/dev/x") ==
        "containerEdits.deviceNodes[0].path is missing");
  CHECK(with("/containerEdits/deviceNodes/0/path", "dev/x") ==
        "containerEdits.deviceNodes[0].path is not an absolute path");
  const json node{{"path", "/dev/x"}, {"type", "d"}};
  CHECK(with("/containerEdits/deviceNodes/0", node) ==
        "containerEdits.deviceNodes[0].type is none of b, c, u, p");
  CHECK(with("/containerEdits/deviceNodes/0", {{"path", "/dev/x"}, {"major", 1ULL << 40U}}) ==
        "containerEdits.deviceNodes[0].major is not a number from 0 to 2147483647");
  CHECK(with("/containerEdits/deviceNodes/0", {{"path", "/dev/x"}, {"uid", -1}}) ==
        "containerEdits.deviceNodes[0].uid is not a number from 0 to 4294967295");
  CHECK(with("/containerEdits/deviceNodes/0", {{"path", "/dev/x"}, {"permissions", "rwx"}}) ==
        "containerEdits.deviceNodes[0].permissions is none of r, w and m together, and not 'none'");
  CHECK(with("/containerEdits/mounts/0", {{"hostPath", "/x"}}) ==
        "containerEdits.mounts[0].containerPath is missing");
  CHECK(with("/containerEdits/hooks/0", {{"hookName", "before"}, {"path", "/x"}})
            .starts_with("containerEdits.hooks[0].hookName is none of prestart, "));
  CHECK(with("/containerEdits/hooks/0", {{"hookName", "prestart"}, {"path", "x"}}) ==
        "containerEdits.hooks[0].path is not an absolute path");
  CHECK(with("/containerEdits/additionalGids/0", "7") ==
        "containerEdits.additionalGids[0] is not a number from 0 to 4294967295");
  CHECK(with("/containerEdits/additionalGids/0", 1.5).starts_with("containerEdits.additionalGids[0] is not"));
  CHECK(with("/kind", std::string("a.b/c\0d", 7)).starts_with("kind holds a zero byte"));
}

TEST_CASE("cdi: YAML that would grow without end is refused") {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int k = 0; k < 10; ++k) bomb += fmt::format("{}*a{}", k == 0 ? "" : ",", i - 1);
    bomb += "]\n";
  }
  CHECK(broken(bomb, true) == "it holds more than 100000 values");
  CHECK(broken("&a [*a]", true) != "");
  CHECK(broken(std::string(5000, '['), true) != "");
  CHECK(broken(std::string(100, '[') + std::string(100, ']'), true) == "it is nested too deep");
  CHECK(broken(std::string(100'000, '['), false) == "it is no JSON");
}

// ---- which file

TEST_CASE("cdi: the later directory wins") {
  const Host host;
  host.put("low/a.json", specification({"0", "1"}, "low"));
  host.put("high/a.json", specification({"0"}, "high"));
  CHECK(host.env_of({"nvidia.com/gpu=0"}) == json{"PATH=/bin", "GLOBAL=high", "D_0=high"});
  CHECK(host.env_of({"nvidia.com/gpu=1"}) == json{"PATH=/bin", "GLOBAL=low", "D_1=low"});
  CHECK(CdiRegistry(host.dirs).names() == std::vector<std::string>{"nvidia.com/gpu=0", "nvidia.com/gpu=1"});
}

TEST_CASE("cdi: a device that one directory defines twice is refused, naming both files") {
  const Host host;
  const std::string a = host.put("high/a.json", specification({"0", "1"}));
  const std::string b = host.put("high/b.yaml", specification({"0", "2"}));
  host.put("low/c.json", specification({"0"}));
  const Error error = error_of([&] { host.env_of({"nvidia.com/gpu=0"}); });
  CHECK(error.code == ErrorCode::invalid_config);
  CHECK(error.message ==
        fmt::format("the CDI device 'nvidia.com/gpu=0' is defined twice, in '{}' and in '{}'", a, b));
  CHECK(host.env_of({"nvidia.com/gpu=1", "nvidia.com/gpu=2"}).size() == 4);
}

TEST_CASE("cdi: a conflict below a directory that defines the device does not matter") {
  const Host host;
  host.put("low/a.json", specification({"0"}, "a"));
  host.put("low/b.json", specification({"0"}, "b"));
  host.put("high/c.json", specification({"0"}, "c"));
  CHECK(host.env_of({"nvidia.com/gpu=0"}) == json{"PATH=/bin", "GLOBAL=c", "D_0=c"});
}

TEST_CASE("cdi: one directory by two names is one, and a missing one holds nothing") {
  const Host host;
  host.put("low/a.json", specification({"0"}));
  fs::create_directory_symlink(host.low, host.dir / "link");
  json spec = oci();
  CHECK(apply_cdi(spec, {"nvidia.com/gpu=0"}, {{host.low, host.dir / "link", "/no/such/directory"}}).empty());
  CHECK(cdi_dirs({}).directories == std::vector<fs::path>{"/etc/cdi", "/var/run/cdi"});
  CHECK(cdi_dirs({"/a", "/b/../c"}).directories == std::vector<fs::path>{"/a", "/c"});
}

TEST_CASE("cdi: 'all' is the specification's own, else every device of NVIDIA's GPUs") {
  const Host host;
  host.put("low/a.json", specification({"0", "1"}));
  host.put("low/b.json", specification({"a", "b"}, "1", "vendor.com/net"));
  CHECK(host.env_of({"nvidia.com/gpu=all"}) == json{"PATH=/bin", "GLOBAL=1", "D_0=1", "D_1=1"});
  CHECK(error_of([&] { host.env_of({"vendor.com/net=all"}); }).code == ErrorCode::not_found);
  host.put("high/a.json", specification({"all"}, "own"));
  CHECK(host.env_of({"nvidia.com/gpu=all"}) == json{"PATH=/bin", "GLOBAL=own", "D_all=own"});
}

TEST_CASE("cdi: the edits of a file are made once, a device named twice is one") {
  const Host host;
  json file = specification({"0", "1"});
  file["containerEdits"]["mounts"] = {{{"hostPath", "/etc"}, {"containerPath", "/x"}}};
  host.put("low/a.json", file);
  json spec = oci();
  apply_cdi(spec, {"nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=0"}, host.dirs);
  CHECK(spec["process"]["env"] == json{"PATH=/bin", "GLOBAL=1", "D_0=1", "D_1=1"});
  CHECK(spec["mounts"].size() == 1);
}

TEST_CASE("cdi: an unknown device names those that there are, and the nearest") {
  const Host host;
  host.put("low/a.json", specification({"0", "1"}));
  Error error = error_of([&] { host.env_of({"nvidia.com/gpus=0"}); });
  CHECK(error.code == ErrorCode::not_found);
  CHECK(error.message ==
        "there is no CDI device 'nvidia.com/gpus=0'; did you mean 'nvidia.com/gpu=0' or "
        "'nvidia.com/gpu=1'?");
  CHECK(error.hint == fmt::format("there are nvidia.com/gpu=0, nvidia.com/gpu=1 (in {}, {})",
                                  host.low.string(), host.high.string()));
  const Host empty;
  error = error_of([&] { empty.env_of({"nvidia.com/gpu=0"}); });
  CHECK(error.message == "there is no CDI device 'nvidia.com/gpu=0'");
  CHECK(contains(error.hint, "hold none; 'nvidia-ctk cdi generate"));
}

TEST_CASE("cdi: what is no name of a device is wrong use") {
  const Host host;
  for (const char* name : {"", "0", "all", "nvidia.com/gpu", "nvidia.com/gpu=", "=0", "/dev/nvidia0", "gpu=0",
                           "nvidia.com/gpu=0 ", "nvidia.com/gpu=a=b", "nvidia.com//gpu=0", "n/../g=0"}) {
    INFO(name);
    const Error error = error_of([&] { host.env_of({name}); });
    CHECK(error.code == ErrorCode::usage);
    CHECK(error.message == fmt::format("'{}' is no name of a CDI device", name));
  }
}

TEST_CASE("cdi: a broken file stops only those whose devices it may define") {
  const Host host;
  host.put("low/good.json", specification({"0"}));
  const std::string bad = host.dir.file("high/bad.json", R"({"kind": "vendor.com/net", "devices": [)");
  const std::string odd = host.dir.file("high/odd.yaml", "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\n");
  json spec = oci();
  CHECK(apply_cdi(spec, {"nvidia.com/gpu=0"}, host.dirs) ==
        std::vector<std::string>{
            fmt::format("the CDI specification '{}' is left out: it is no JSON", bad),
            fmt::format("the CDI specification '{}' is left out: devices is missing or empty", odd)});
  Error error = error_of([&] { host.env_of({"vendor.com/net=a"}); });
  CHECK(error.code == ErrorCode::invalid_config);
  CHECK(error.message ==
        fmt::format("the CDI specification '{}' cannot be used for 'vendor.com/net=a': it is no JSON", bad));
  CHECK(error_of([&] { host.env_of({"nvidia.com/gpu=7"}); }).code == ErrorCode::invalid_config);
  error = error_of([&] { host.env_of({"other.com/x=1"}); });
  CHECK(error.code == ErrorCode::not_found);
  CHECK(contains(error.hint, bad));
}

TEST_CASE("cdi: what is no file, or too large, is left out and said") {
  const Host host;
  host.put("low/good.json", specification({"0"}));
  host.dir.file("low/readme.txt", "x");
  host.dir.file("low/good.json.bak", "x");
  REQUIRE(::mkfifo((host.low / "pipe.json").c_str(), 0600) == 0);
  fs::create_directory(host.low / "directory.yaml");
  fs::create_symlink("/dev/zero", host.low / "zero.json");
  fs::create_symlink("/no/such/file", host.low / "dangling.json");
  fs::resize_file(host.dir.file("low/large.json"), 5U << 20U);
  json spec = oci();
  const std::vector<std::string> notes = apply_cdi(spec, {"nvidia.com/gpu=0"}, host.dirs);
  CHECK(notes.size() == 5);
  CHECK(contains(notes[2], "large.json' is left out: it is larger than 4 MiB"));
}

// ---- what the edits do

TEST_CASE("cdi: a variable replaces the one of its name, in its place") {
  json spec = oci();
  spec["process"]["env"] = {"A=1", "B=2", "AB=3", "A=4"};
  CHECK(edited({{"env", {"A=x", "C=y=z"}}}, spec)["process"]["env"] == json{"A=x", "B=2", "AB=3", "C=y=z"});
}

TEST_CASE("cdi: a device node is completed from the host, and allowed") {
  const json spec = edited({{"deviceNodes", {{{"path", "/dev/nvidia0"}, {"hostPath", "/dev/null"}}}}});
  struct stat status = {};
  REQUIRE(::stat("/dev/null", &status) == 0);
  CHECK(spec["linux"]["devices"] == json{{{"path", "/dev/nvidia0"},
                                          {"type", "c"},
                                          {"major", 1},
                                          {"minor", 3},
                                          {"fileMode", status.st_mode & 07777U}}});
  CHECK(spec["linux"]["resources"]["devices"] ==
        json{{{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 3}, {"access", "rwm"}}});
}

TEST_CASE("cdi: a device node that is described whole need not exist") {
  const json node{{"path", "/dev/nvidia9"}, {"type", "c"},         {"major", 195}, {"minor", 9},
                  {"fileMode", 0600},       {"permissions", "rw"}, {"uid", 5},     {"gid", 6}};
  const json spec = edited({{"deviceNodes", {node}}});
  CHECK(spec["linux"]["devices"] == json{{{"path", "/dev/nvidia9"},
                                          {"type", "c"},
                                          {"major", 195},
                                          {"minor", 9},
                                          {"fileMode", 0600},
                                          {"uid", 5},
                                          {"gid", 6}}});
  CHECK(spec["linux"]["resources"]["devices"][0]["access"] == "rw");
}

TEST_CASE(
    "cdi: a device replaces the one of its path, belongs to the container's user, and 'none' allows "
    "nothing") {
  json spec = oci();
  spec["linux"]["devices"] = {{{"path", "/dev/a"}, {"type", "b"}}, {{"path", "/dev/b"}}};
  spec["process"]["user"] = {{"uid", 1000U}, {"gid", 100U}};
  spec = edited({{"deviceNodes", {{{"path", "/dev/a"}, {"hostPath", "/dev/null"}, {"permissions", "none"}}}}},
                spec);
  REQUIRE(spec["linux"]["devices"].size() == 2);
  CHECK(spec["linux"]["devices"][0]["major"] == 1);
  CHECK(spec["linux"]["devices"][0]["uid"] == 1000);
  CHECK(spec["linux"]["devices"][0]["gid"] == 100);
  CHECK_FALSE(spec["linux"].contains("resources"));
}

TEST_CASE("cdi: a device node that is not there, or of another type, is refused") {
  const auto failing = [](const json& node) { return error_of([&] { edited({{"deviceNodes", {node}}}); }); };
  Error error = failing({{"path", "/dev/nvidia77"}});
  CHECK(error.code == ErrorCode::not_found);
  CHECK(error.message == "the device node '/dev/nvidia77', which 'nvidia.com/gpu=0' needs, does not exist");
  CHECK(contains(failing({{"path", "/etc"}}).message, "is no device"));
  error = failing({{"path", "/dev/null"}, {"type", "b"}});
  CHECK(error.code == ErrorCode::invalid_config);
  CHECK(error.message == "the device node '/dev/null' of 'nvidia.com/gpu=0' is of type c, not b");
}

TEST_CASE("cdi: a mount is a bind unless it says otherwise, and replaces the one at its destination") {
  json spec = oci();
  spec["mounts"] = {{{"destination", "/x/"}, {"source", "/old"}},
                    {{"destination", "/proc"}, {"type", "proc"}}};
  spec =
      edited({{"mounts",
               {{{"hostPath", "/etc"}, {"containerPath", "/x"}, {"options", {"ro"}}},
                {{"hostPath", "tmpfs"}, {"containerPath", "/t"}, {"type", "tmpfs"}},
                {{"hostPath", "/etc"}, {"containerPath", "/n"}, {"type", "none"}, {"options", {"bind"}}}}}},
             spec);
  CHECK(spec["mounts"] ==
        json{{{"destination", "/x"}, {"source", "/etc"}, {"type", "bind"}, {"options", {"ro", "rbind"}}},
             {{"destination", "/proc"}, {"type", "proc"}},
             {{"destination", "/t"}, {"source", "tmpfs"}, {"type", "tmpfs"}, {"options", json::array()}},
             {{"destination", "/n"}, {"source", "/etc"}, {"type", "none"}, {"options", {"bind"}}}});
  const Error error = error_of([&] {
    edited({{"mounts", {{{"hostPath", "/no/such"}, {"containerPath", "/x"}}}}});
  });
  CHECK(error.code == ErrorCode::not_found);
  CHECK(error.message == "'/no/such', which 'nvidia.com/gpu=0' mounts, does not exist");
}

TEST_CASE("cdi: hooks go to their phase, the same one once") {
  const json hook{{"hookName", "createContainer"},
                  {"path", "/h"},
                  {"args", {"h", "x"}},
                  {"env", {"A=b"}},
                  {"timeout", 3}};
  const json spec =
      edited({{"hooks", {hook, hook, {{"hookName", "poststop"}, {"path", "/p"}, {"timeout", nullptr}}}}});
  CHECK(spec["hooks"] ==
        json{{"createContainer", {{{"path", "/h"}, {"args", {"h", "x"}}, {"env", {"A=b"}}, {"timeout", 3}}}},
             {"poststop", {{{"path", "/p"}}}}});
}

TEST_CASE("cdi: groups are added once, and never root's") {
  json spec = oci();
  spec["process"]["user"]["additionalGids"] = {44};
  CHECK(edited({{"additionalGids", {0, 44, 109, 109}}}, spec)["process"]["user"]["additionalGids"] ==
        json{44, 109});
  CHECK(parse_cdi(R"({"cdiVersion":"1.1.0","kind":"a.b/c","containerEdits":{"additionalGIDs":[7]},
                      "devices":[{"name":"x"}]})",
                  false)
            .edits["additionalGids"] == json{7});
}

TEST_CASE("cdi: edits that are not made are said") {
  json spec = oci();
  std::vector<std::string> notes;
  apply_edits(spec, {{"intelRdt", {{"closID", "x"}}}, {"netDevices", {{{"name", "eth0"}}}}}, "a.b/c=d",
              notes);
  CHECK(notes == std::vector<std::string>{"'a.b/c=d' asks for intelRdt, which is not applied",
                                          "'a.b/c=d' asks for netDevices, which is not applied"});
  CHECK(spec == oci());
}

TEST_CASE("cdi: an OCI spec with something else where an edit belongs is refused and left as it was") {
  const Host host;
  json file = specification({"0"});
  file["devices"][0]["containerEdits"] = {{"env", {"A=b"}},
                                          {"additionalGids", {5}},
                                          {"deviceNodes", {{{"path", "/dev/null"}}}},
                                          {"mounts", {{{"hostPath", "/etc"}, {"containerPath", "/x"}}}},
                                          {"hooks", {{{"hookName", "poststop"}, {"path", "/p"}}}}};
  host.put("low/a.json", file);
  for (const char* place :
       {"/process", "/process/env", "/process/user", "/linux", "/linux/devices", "/linux/resources",
        "/linux/resources/devices", "/mounts", "/hooks", "/hooks/poststop"}) {
    INFO(place);
    json spec = oci();
    spec[json::json_pointer(place)] = "text";
    const json before = spec;
    CHECK(error_of([&] { apply_cdi(spec, {"nvidia.com/gpu=0"}, host.dirs); }).code ==
          ErrorCode::invalid_config);
    CHECK(spec == before);
  }
  for (const json& odd : {json(), json::array(), json(3)}) {
    json spec = odd;
    CHECK(error_of([&] { apply_cdi(spec, {"nvidia.com/gpu=0"}, host.dirs); }).code ==
          ErrorCode::invalid_config);
  }
  json strange = {{"process", {{"env", {1, nullptr}}}},
                  {"mounts", {1, {{"destination", 2}}}},
                  {"linux", {{"devices", {"x", {{"path", 1}}}}}}};
  apply_cdi(strange, {"nvidia.com/gpu=0"}, host.dirs);
  CHECK(strange["mounts"].size() == 3);
}
