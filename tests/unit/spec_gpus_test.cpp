// By which rules a spec is said to use GPUs, and that nothing odd counts or crashes.
#include "gpu/spec_gpus.h"

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using nlohmann::json;

namespace {

using Reasons = std::vector<GpuReason>;

json devices(const json& paths) {
  json list = json::array();
  for (const json& path : paths) list.push_back({{"path", path}, {"type", "c"}});
  return {{"linux", {{"devices", list}}}};
}
json bind(const json& source, const json& destination) {
  return {{"mounts", {{{"type", "bind"}, {"source", source}, {"destination", destination}}}}};
}
json environment(const json& list) {
  return {{"process", {{"env", list}}}};
}

json with_hook(json spec) {
  spec["hooks"]["prestart"] = {{{"path", "/usr/bin/nvidia-container-runtime-hook"}}};
  return spec;
}
json mounted_at(const char* destination) {
  return {{"mounts", {{{"type", "bind"}, {"source", "/dev/null"}, {"destination", destination}}}}};
}

}  // namespace

TEST_CASE("spec gpus: what an image asks for in its environment gives nothing by itself") {
  CHECK_FALSE(uses_gpu(environment({"NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=all"})));
  CHECK_FALSE(uses_gpu(mounted_at("/var/run/nvidia-container-devices/all")));
  CHECK(uses_gpu(with_hook(environment({"NVIDIA_VISIBLE_DEVICES=all"}))));
  json spec = environment({"NVIDIA_VISIBLE_DEVICES=0"});
  spec.update(devices({"/dev/nvidia0"}));
  CHECK(gpu_reasons(spec).size() == 2);
  CHECK(uses_gpu(environment({"NVIDIA_VISIBLE_DEVICES=nvidia.com/gpu=0"})));
}

TEST_CASE("spec gpus: devices that volume mounts name") {
  CHECK(gpu_reasons(mounted_at("/var/run/nvidia-container-devices/cdi/nvidia.com/gpu/all")) ==
        Reasons{{"cdi-device", "mounts[0].destination", "nvidia.com/gpu=all"}});
  CHECK(gpu_reasons(mounted_at("/run/nvidia-container-devices/cdi/nvidia.com/gpu/0")).size() == 1);
  CHECK(gpu_reasons(with_hook(mounted_at("/var/run/nvidia-container-devices/GPU-7f1c"))).front() ==
        GpuReason{"visible-devices", "mounts[0].destination", "GPU-7f1c"});
  for (const char* none :
       {"/var/run/nvidia-container-devices", "/var/run/nvidia-container-devices/",
        "/var/run/nvidia-container-devices/cdi/", "/var/run/nvidia-container-devices/cdi/x",
        "/var/run/nvidia-container-devices/cdi/vendor.com/net/eth0", "/dev/null"})
    CHECK_FALSE(uses_gpu(mounted_at(none)));
}

TEST_CASE("spec gpus: the nodes of a Jetson") {
  for (const char* path : {"/dev/nvmap", "/dev/nvhost-gpu", "/dev/nvhost-ctrl-gpu", "/dev/nvgpu/igpu0/power"})
    CHECK(uses_gpu(devices({path})));
  for (const char* path : {"/dev/nvmap2", "/dev/nvhost", "/dev/nvhost-gpu/x", "/dev/nvgpu", "/dev/nvgpu/",
                           "/dev/nvme0", "/dev/nvram"})
    CHECK_FALSE(uses_gpu(devices({path})));
}

TEST_CASE("spec gpus: NVIDIA's device nodes, and nothing that only looks like one") {
  for (const char* path :
       {"/dev/nvidia0", "/dev/nvidia7", "/dev/nvidia128", "/dev/nvidiactl", "/dev/nvidia-uvm",
        "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/nvidia-caps/nvidia-cap1", "/dev//nvidia0",
        "/dev/./nvidia0", "/dev/shm/../nvidia0"}) {
    INFO(path);
    CHECK(is_nvidia_device(path));
    CHECK(gpu_reasons(devices({path})) == Reasons{{"device", "linux.devices[0].path", path}});
  }
  for (const char* path : {"",
                           "/",
                           "d",
                           "/dev",
                           "/dev/",
                           "/dev/nvidia",
                           "/dev/nvidia/",
                           "/dev/nvidiafoo",
                           "/dev/nvidia0x",
                           "/dev/nvidia-1",
                           "/dev/nvidia 0",
                           "/dev/nvidia0/x",
                           "/dev/nvidia-caps",
                           "/dev/nvidia-caps/",
                           "/dev/nvidia-caps/a/b",
                           "/dev/nvidia-modeset2",
                           "/dev/nvidia-uvm/x",
                           "/dev/nvidiactl2",
                           "dev/nvidia0",
                           "nvidia0",
                           "/mydev/nvidia0",
                           "/dev/NVIDIA0",
                           "/dev/nvidia0/../null",
                           "/dev/dri/card0"}) {
    INFO(path);
    CHECK_FALSE(is_nvidia_device(path));
    CHECK_FALSE(uses_gpu(devices({path})));
    CHECK_FALSE(uses_gpu(bind(path, path)));
  }
  CHECK_FALSE(is_nvidia_device(std::string_view("/dev/nvidia0\0", 13)));
  CHECK_FALSE(is_nvidia_device(std::string(1U << 20U, '/')));
}

TEST_CASE("spec gpus: each device that counts is a reason of its own, with its place") {
  CHECK(gpu_reasons(devices({"/dev/null", "/dev/nvidia0", "/dev/fuse", "/dev/nvidiactl"})) ==
        Reasons{{"device", "linux.devices[1].path", "/dev/nvidia0"},
                {"device", "linux.devices[3].path", "/dev/nvidiactl"}});
}

TEST_CASE("spec gpus: a bind mount counts by either end, once; other mounts do not") {
  CHECK(gpu_reasons(bind("/dev/nvidia0", "/dev/nvidia0")) ==
        Reasons{{"mount", "mounts[0].source", "/dev/nvidia0"}});
  CHECK(gpu_reasons(bind("/dev/zero", "/dev/nvidia3")) ==
        Reasons{{"mount", "mounts[0].destination", "/dev/nvidia3"}});
  json spec = bind("/dev/nvidia0", "/x");
  for (const char* option : {"bind", "rbind"}) {
    spec["mounts"][0]["type"] = "none";
    spec["mounts"][0]["options"] = {"ro", option};
    CHECK(uses_gpu(spec));
  }
  spec["mounts"][0]["options"] = {"ro"};
  CHECK_FALSE(uses_gpu(spec));
  spec["mounts"][0].erase("type");
  CHECK_FALSE(uses_gpu(spec));
  CHECK_FALSE(uses_gpu(bind("/usr/lib/libcuda.so.1", "/usr/lib/libcuda.so.1")));
}

TEST_CASE("spec gpus: CDI annotations that name a device of NVIDIA's") {
  const auto reasons = [](const char* key, const json& value) {
    return gpu_reasons({{"annotations", {{key, value}}}});
  };
  for (const char* value : {"nvidia.com/gpu=0", "nvidia.com/gpu=all", "vendor.com/net=eth0,nvidia.com/gpu=1",
                            "runtime.nvidia.com/gpu=all", "nvidia.com/mig-1g.10gb=0"}) {
    INFO(value);
    CHECK(reasons("cdi.k8s.io/gpu", value) ==
          Reasons{{"cdi-annotation", "annotations[\"cdi.k8s.io/gpu\"]", value}});
    CHECK(reasons("cdi.k8s.io/", value).empty());
    CHECK(reasons("cdi.k8s.io", value).empty());
    CHECK(reasons("xcdi.k8s.io/gpu", value).empty());
  }
  for (const json& value :
       {json(""), json("0"), json("vendor.com/net=eth0"), json("nvidia.com"), json("nvidia.com/"),
        json("nvidia.com/gpu"), json("nvidia.com/gpu="), json("nvidia.com/=0"), json("=nvidia.com/gpu"),
        json("notnvidia.com/gpu=0"), json("nvidia.com/ =0"), json("nvidia.com/gpu=a b"),
        json("nvidia.com/a/b=0"), json(7), json(nullptr), json(true), json::array({"nvidia.com/gpu=0"})}) {
    INFO(value.dump());
    CHECK(reasons("cdi.k8s.io/gpu", value).empty());
  }
}

TEST_CASE("spec gpus: CDI names among the devices and in NVIDIA_VISIBLE_DEVICES") {
  CHECK(gpu_reasons(devices({"nvidia.com/gpu=0"})) ==
        Reasons{{"cdi-device", "linux.devices[0].path", "nvidia.com/gpu=0"}});
  CHECK(gpu_reasons({{"linux", {{"devices", {"nvidia.com/gpu=0", "/dev/nvidia0", "x"}}}}}) ==
        Reasons{{"cdi-device", "linux.devices[0]", "nvidia.com/gpu=0"}});
  CHECK(gpu_reasons(environment({"A=b", "NVIDIA_VISIBLE_DEVICES=nvidia.com/gpu=0"})) ==
        Reasons{{"cdi-device", "process.env[1]", "nvidia.com/gpu=0"}});
}

TEST_CASE("spec gpus: NVIDIA_VISIBLE_DEVICES, of which the last counts") {
  const auto counts = [](const std::string& value) {
    const Reasons found = gpu_reasons(with_hook(environment({"NVIDIA_VISIBLE_DEVICES=" + value})));
    return found.front() == GpuReason{"visible-devices", "process.env[0]", value};
  };
  for (const char* value : {"all", "0", "0,1", "GPU-7f1c", "MIG-1/2", "1:0", " 0 "}) CHECK(counts(value));
  for (const char* value : {"", " ", ",", "none", "void", " none ", "void,"}) {
    INFO(value);
    CHECK_FALSE(uses_gpu(environment({std::string("NVIDIA_VISIBLE_DEVICES=") + value})));
  }
  CHECK_FALSE(uses_gpu(environment({"NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_VISIBLE_DEVICES=void"})));
  CHECK(gpu_reasons(with_hook(environment({"NVIDIA_VISIBLE_DEVICES=void", "NVIDIA_VISIBLE_DEVICES=2"})))
            .front() == GpuReason{"visible-devices", "process.env[1]", "2"});
  CHECK_FALSE(uses_gpu(environment({"NVIDIA_VISIBLE_DEVICES", "XNVIDIA_VISIBLE_DEVICES=all",
                                    "NVIDIA_DRIVER_CAPABILITIES=all", "nvidia_visible_devices=all"})));
}

TEST_CASE("spec gpus: hooks of NVIDIA's container toolkit, by path or arguments") {
  const auto hook = [](const json& one) { return gpu_reasons({{"hooks", {{"prestart", {one}}}}}); };
  for (const char* path : {"/usr/bin/nvidia-container-runtime-hook", "/usr/bin/nvidia-container-toolkit",
                           "/usr/bin/nvidia-ctk", "/usr/bin/nvidia-cdi-hook", "nvidia-ctk",
                           "/usr/local/nvidia/toolkit/nvidia-container-runtime-hook.real"}) {
    INFO(path);
    CHECK(hook({{"path", path}}) == Reasons{{"hook", "hooks.prestart[0].path", path}});
    CHECK(hook({{"path", "/bin/env"}, {"args", {"env", path, "hook"}}}) ==
          Reasons{{"hook", "hooks.prestart[0].args[1]", path}});
  }
  CHECK(hook({{"path", "/usr/bin/nvidia-ctk"}, {"args", {"nvidia-ctk", "hook"}}}).size() == 1);
  for (const json& one :
       {json{{"path", "/usr/bin/nvidia-ctk-not"}}, json{{"path", "/usr/bin/nvidia-ctk/x"}},
        json{{"path", "/"}}, json{{"path", ""}}, json{{"path", 3}}, json{{"args", "nvidia-ctk"}},
        json{{"args", {1, nullptr}}}, json("nvidia-ctk"), json(nullptr), json{{"env", {"nvidia-ctk"}}}})
    CHECK(hook(one).empty());
}

TEST_CASE("spec gpus: anything at any place neither counts nor crashes") {
  const json odd[] = {nullptr,
                      true,
                      0,
                      -1,
                      1.5,
                      "",
                      "x",
                      "/",
                      json::array(),
                      json::object(),
                      {nullptr},
                      {1},
                      {"/dev/nvidia"},
                      {{"a", "b"}},
                      json::array({json::array()}),
                      "\xff\xfe"};
  for (const json& value : odd) {
    CHECK_FALSE(uses_gpu(value));
    for (const char* place : {"/linux",
                              "/linux/devices",
                              "/linux/devices/0",
                              "/linux/devices/0/path",
                              "/mounts",
                              "/mounts/0",
                              "/mounts/0/type",
                              "/mounts/0/options",
                              "/mounts/0/source",
                              "/annotations",
                              "/annotations/cdi.k8s.io~1x",
                              "/process",
                              "/process/env",
                              "/process/env/0",
                              "/hooks",
                              "/hooks/prestart",
                              "/hooks/prestart/0",
                              "/hooks/prestart/0/path",
                              "/hooks/prestart/0/args",
                              "/hooks/prestart/0/args/0"}) {
      json spec;
      spec[json::json_pointer(place)] = value;
      INFO(place);
      CHECK_FALSE(uses_gpu(spec));
    }
  }
  CHECK_FALSE(uses_gpu(json(json::value_t::discarded)));
}

TEST_CASE("spec gpus: what the reasons name, each once, without hooks") {
  CHECK(named_gpus({{"device", "", "/dev/nvidia0"},
                    {"mount", "", "/dev/nvidia0"},
                    {"cdi-annotation", "", "nvidia.com/gpu=0,nvidia.com/gpu=1"},
                    {"visible-devices", "", "0, 1,,0"},
                    {"hook", "", "/usr/bin/nvidia-ctk"}}) ==
        std::vector<std::string>{"/dev/nvidia0", "nvidia.com/gpu=0", "nvidia.com/gpu=1", "0", "1"});
  CHECK(named_gpus({}).empty());
}
