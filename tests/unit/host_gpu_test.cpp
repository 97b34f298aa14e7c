// The host's GPUs: NVML (a fake library), the driver's /proc files, cuda-checkpoint, the runtimes, and the
// capability table, its rows compared whole.
#include <stdlib.h>

#include "gpu/host.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::uint64_t kGi = 1ULL << 30U;

/// An environment variable for the length of a test.
class With {
 public:
  With(const char* name, const std::string& value) : name_(name) {
    if (const char* before = ::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  With(const With&) = delete;
  With& operator=(const With&) = delete;
  ~With() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

std::vector<Gpu> two_gpus() {
  return {{.index = 0,
           .name = "NVIDIA H100 80GB HBM3",
           .uuid = "GPU-00000000-1111-2222-3333-444444444444",
           .memory_total = 80 * kGi,
           .memory_used = kGi,
           .mig = true,
           .minor = 4},
          {.index = 1,
           .name = "NVIDIA T4",
           .uuid = "GPU-5",
           .memory_total = 80 * kGi,
           .memory_used = kGi + 1,
           .minor = 5}};
}

/// Files as the driver has them under /proc.
struct Proc {
  TempDir dir;
  void version(const std::string& text) const { dir.file("proc/driver/nvidia/version", text); }
  void gpu(const std::string& location, const std::string& text) const {
    dir.file("proc/driver/nvidia/gpus/" + location + "/information", text);
  }
};

/// A host on which everything works, with driver 580; tests take away.
HostFacts good() {
  HostFacts facts;
  facts.gpus = two_gpus();
  facts.driver = "580.65.06";
  facts.nvml = true;
  facts.cuda_checkpoint = CudaCheckpoint{
      .path = "/usr/bin/cuda-checkpoint",
      .advertises = {"--action", "--device-map", "--get-state", "--launch-job", "--timeout", "--toggle"}};
  facts.criu = {.path = "/usr/sbin/criu",
                .version = "4.2",
                .plugin = "/usr/lib/criu/cuda_plugin.so",
                .plugin_there = true};
  return facts;
}
HostFacts with(RuntimeFacts runtime) {
  HostFacts facts = good();
  facts.runtimes = {std::move(runtime)};
  return facts;
}
RuntimeFacts runc() {
  return {.kind = RuntimeKind::runc, .path = "/usr/bin/runc", .version = "1.3"};
}
RuntimeFacts runsc() {
  return {.kind = RuntimeKind::runsc,
          .path = "/usr/bin/runsc",
          .version = "v0",
          .nvproxy_drivers = std::vector<std::string>{"550.90.07", "580.65.06"},
          .cuda_checkpoint_path = true};
}

std::vector<Capability> rows(const std::string& runtime, bool ok, const std::string& reason,
                             const std::string& fix) {
  std::vector<Capability> all;
  for (const GpuFeature& feature : gpu_features())
    all.push_back({runtime, std::string(feature.name), ok, reason, fix});
  return all;
}

}  // namespace

// ---- NVML

TEST_CASE("nvml: driver, GPUs and processes") {
  const Nvml nvml(FAKE_NVML_LIBRARY);
  CHECK(nvml.driver_version() == "570.86.15");
  CHECK(nvml.gpus() == two_gpus());
  CHECK(nvml.processes() == std::vector<GpuProcess>{{100, 0, 1024}, {101, 0, std::nullopt}, {100, 1, 1024}});
}

TEST_CASE("nvml: the process list of older drivers") {
  CHECK(Nvml(FAKE_NVML_V2_LIBRARY).processes().size() == 3);
}

TEST_CASE("nvml: more processes than first asked for") {
  const With set("FAKE_NVML", "crowd");
  const std::vector<GpuProcess> all = Nvml(FAKE_NVML_LIBRARY).processes();
  CHECK(all.size() == 101);
  CHECK(all[99].pid == 199);
}

TEST_CASE("nvml: a GPU that cannot be opened is shown with its reason, and its processes are not none") {
  const With set("FAKE_NVML", "lost");
  const Nvml nvml(FAKE_NVML_LIBRARY);
  const std::vector<Gpu> gpus = nvml.gpus();
  REQUIRE(gpus.size() == 2);
  CHECK(gpus[1] == Gpu{.index = 1, .problem = "NVML cannot open GPU 1: GPU is lost"});
  CHECK(error_of([&] { nvml.processes(); }).code == ErrorCode::gpu_failed);
}

TEST_CASE("nvml: what a GPU does not tell stays open") {
  const With set("FAKE_NVML", "bare");
  CHECK(Nvml(FAKE_NVML_LIBRARY).gpus()[1] == Gpu{.index = 1, .name = "NVIDIA T4", .uuid = "GPU-5"});
}

TEST_CASE("nvml: a library that is not there, is none, or does not start is told of") {
  Error error = error_of([] { Nvml("/no/such/library.so"); });
  CHECK(error.code == ErrorCode::unsupported);
  CHECK(error.message.starts_with("cannot load '/no/such/library.so'"));
  error = error_of([] { Nvml("libc.so.6"); });
  CHECK(error.code == ErrorCode::unsupported);
  CHECK(error.message == "'libc.so.6' is no NVML, or an old one");
  const With init("FAKE_NVML", "init");
  error = error_of([] { Nvml nvml(FAKE_NVML_LIBRARY); });
  CHECK(error.code == ErrorCode::gpu_failed);
  CHECK(error.message == "NVML cannot start: Driver Not Loaded");
  const With count("FAKE_NVML", "count");
  CHECK(error_of([] { Nvml(FAKE_NVML_LIBRARY).gpus(); }).message ==
        "NVML cannot count the GPUs: Driver Not Loaded");
}

// ---- /proc

TEST_CASE("proc driver: the version in the words of both kernel modules") {
  const Proc proc;
  CHECK(proc_driver_version(proc.dir.path()) == std::nullopt);
  proc.version(
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n"
      "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n");
  CHECK(proc_driver_version(proc.dir.path()) == "535.129.03");
  proc.version(
      "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder)\n");
  CHECK(proc_driver_version(proc.dir.path()) == "570.86.15");
  for (const char* odd :
       {"", "\n", "NVRM version: none\nGCC version: 12.2.0\n", "NVRM version: 535", ". .. 1. .1 x1.2"}) {
    proc.version(odd);
    CHECK(proc_driver_version(proc.dir.path()) == std::nullopt);
  }
}

TEST_CASE("proc driver: GPUs by bus location, without excluded ones") {
  const Proc proc;
  CHECK(proc_gpus(proc.dir.path()).empty());
  proc.gpu("0000:81:00.0",
           "Model: \t\t NVIDIA T4\nIRQ:   \t\t 7\nGPU UUID: \t GPU-?????\nDevice Minor: \t 0\n");
  proc.gpu("0000:07:00.0",
           "Model: \t\t NVIDIA A100\nGPU UUID: \t GPU-1\nBus Location: \t 0000:07:00.0\nDevice Minor: \t 1\n"
           "GPU Excluded:\t No\n");
  proc.gpu("0000:08:00.0", "Model: NVIDIA A100\nGPU Excluded:\t Yes\n");
  proc.gpu("0000:90:00.0", "\xff:\n:::\nDevice Minor: x");
  CHECK(proc_gpus(proc.dir.path()) ==
        std::vector<Gpu>{{.index = 0, .name = "NVIDIA A100", .uuid = "GPU-1", .minor = 1},
                         {.index = 1, .name = "NVIDIA T4", .minor = 0},
                         {.index = 2}});
}

// ---- looking

TEST_CASE("gpu host: without NVML the driver's files tell, without a driver there is none") {
  const Proc proc;
  proc.version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  x\n");
  proc.gpu("0000:07:00.0", "Model: NVIDIA T4\n");
  FakeRunner runner;
  Prober prober(runner, proc.dir / "probe");
  HostPlaces places{.nvml = "/no/nvml.so", .root = proc.dir.path(), .own_cuda_checkpoint = "/no/helper"};
  HostFacts facts = look_at_host(runner, prober, {}, places);
  CHECK_FALSE(facts.nvml);
  CHECK(contains(facts.nvml_problem, "/no/nvml.so"));
  CHECK(facts.driver == "550.54.15");
  CHECK(facts.gpus.size() == 1);
  places.root = "/no/such";
  facts = look_at_host(runner, prober, {}, places);
  CHECK(facts.driver.empty());
  CHECK(facts.gpus.empty());
  places.nvml = FAKE_NVML_LIBRARY;
  facts = look_at_host(runner, prober, {}, places);
  CHECK(facts.nvml);
  CHECK(facts.driver == "570.86.15");
  CHECK(facts.gpus == two_gpus());
}

TEST_CASE("gpu host: NVIDIA's cuda-checkpoint before ours, and what it advertises") {
  const TempDir dir;
  const HostPlaces places{.own_cuda_checkpoint = dir.script("libexec/cuda-checkpoint", "exit 0")};
  FakeRunner runner([](const Command& command) {
    CHECK(command.args == Argv{"-h"});
    CHECK(command.timeout);
    return FakeRunner::said(0, "    --toggle --pid|-p <value>\n    --get-state\n  --actions\n",
                            "--device-map|-d");
  });
  const With path("PATH", (dir / "bin").string());
  const auto ours = find_cuda_checkpoint(runner, places);
  REQUIRE(ours);
  CHECK(ours->ours);
  CHECK(ours->problem.empty());
  CHECK(ours->advertises == std::set<std::string>{"--device-map", "--get-state", "--toggle"});
  const std::string real = dir.script("bin/cuda-checkpoint", "exit 0");
  const auto theirs = find_cuda_checkpoint(runner, places);
  REQUIRE(theirs);
  CHECK(theirs->path == real);
  CHECK_FALSE(theirs->ours);
}

TEST_CASE("gpu host: a cuda-checkpoint that does not work is told of") {
  const TempDir dir;
  const std::string program = dir.script("cuda-checkpoint", "");
  const auto problem = [&](const Result& result) {
    FakeRunner runner([&](const Command&) { return result; });
    const With path("PATH", dir.path().string());
    return find_cuda_checkpoint(runner)->problem;
  };
  CHECK(problem(FakeRunner::said(255, "", "Insufficient driver\n")) ==
        fmt::format("'{} -h' exited with status 255: Insufficient driver", program));
  CHECK(problem(FakeRunner::said(0, "hello\n")) ==
        fmt::format("'{} -h' shows no option of cuda-checkpoint", program));
  Result slow{.outcome = Killed{SIGTERM}};
  slow.timed_out = true;
  CHECK(problem(slow) == fmt::format("'{} -h' did not answer in time", program));
  Result stopped{.outcome = Killed{SIGTERM}};
  stopped.interrupted = SIGINT;
  CHECK(error_of([&] { problem(stopped); }).status() == 130);
}

TEST_CASE("gpu host: CRIU's plugin is where CRIU_LIBS_DIR says, else in /usr/lib/criu") {
  ::unsetenv("CRIU_LIBS_DIR");
  CHECK(criu_plugin_path() == "/usr/lib/criu/cuda_plugin.so");
  const TempDir dir;
  const With set("CRIU_LIBS_DIR", dir.path().string());
  FakeRunner runner;
  Prober prober(runner, dir / "probe");
  const HostPlaces places{.nvml = "/no/nvml.so", .root = dir.path()};
  CHECK_FALSE(look_at_host(runner, prober, {}, places).criu.plugin_there);
  dir.file("cuda_plugin.so");
  CHECK(look_at_host(runner, prober, {}, places).criu.plugin_there);
}

TEST_CASE("gpu host: a runsc's drivers and options, or why they are not known") {
  const TempDir dir;
  const std::string path = dir.script("runsc", "");
  const auto look = [&](const Result& drivers, const std::string& help) {
    FakeRunner runner([&](const Command& command) {
      if (command.args == Argv{"--version"}) return FakeRunner::said(0, "runsc version v0\n");
      if (command.args == Argv{"nvproxy", "list-supported-drivers"}) return drivers;
      return FakeRunner::said(0, "",
                              fixture(command.args == Argv{"flags"} ? "help/runsc-2026-global.txt" : help));
    });
    Prober prober(runner, dir / "probe" / help);
    const HostPlaces places{.nvml = "/no/nvml.so", .root = dir.path()};
    return look_at_host(runner, prober, {{RuntimeKind::runsc, path}, {RuntimeKind::crun, ""}}, places)
        .runtimes;
  };
  auto runtimes =
      look(FakeRunner::said(0, "550.54.14\n535.129.03\nnote\n"), "help/runsc-2026-checkpoint.txt");
  REQUIRE(runtimes.size() == 2);
  CHECK(runtimes[0].version == "v0");
  CHECK(runtimes[0].nvproxy_drivers == std::vector<std::string>{"550.54.14", "535.129.03"});
  CHECK(runtimes[0].cuda_checkpoint_path);
  CHECK(runtimes[0].allows_unsupported_driver);
  CHECK(runtimes[0].problem.empty());
  CHECK(runtimes[1].path.empty());
  runtimes = look(FakeRunner::said(128, "", "unknown command nvproxy\n"), "help/runsc-2024-checkpoint.txt");
  CHECK_FALSE(runtimes[0].nvproxy_drivers);
  CHECK_FALSE(runtimes[0].cuda_checkpoint_path);
  CHECK(runtimes[0].problem ==
        fmt::format("'{} nvproxy list-supported-drivers' exited with status 128: unknown command nvproxy",
                    path));
}

// ---- the table

TEST_CASE("gpu capabilities: a host on which everything works, up to its driver") {
  HostFacts facts = good();
  facts.runtimes = {runc(), runsc()};
  const std::string plugin = "driver 580.65.06, by CRIU's CUDA plugin or by ckpt";
  const std::string native = "driver 580.65.06, by runsc (--cuda-checkpoint-path) or by ckpt";
  const std::string old = "driver 580.65.06 is older than 610",
                    newer = "install NVIDIA's driver 610 or newer";
  CHECK(capability_table(facts) == std::vector<Capability>{{"runc", "toggle", true, plugin, ""},
                                                           {"runc", "actions", true, plugin, ""},
                                                           {"runc", "nvml", true, plugin, ""},
                                                           {"runc", "device-map", true, plugin, ""},
                                                           {"runc", "ipc", false, old, newer},
                                                           {"runsc", "toggle", true, native, ""},
                                                           {"runsc", "actions", true, native, ""},
                                                           {"runsc", "nvml", true, native, ""},
                                                           {"runsc", "device-map", true, native, ""},
                                                           {"runsc", "ipc", false, old, newer}});
}

TEST_CASE("gpu capabilities: each generation of the driver") {
  const auto able = [](const std::string& driver) {
    HostFacts facts = with(runc());
    facts.driver = driver;
    std::string names;
    for (const Capability& row : capability_table(facts))
      if (row.ok) names += row.feature + " ";
    return names;
  };
  CHECK(able("535.129.03").empty());
  CHECK(able("550.54.14") == "toggle ");
  CHECK(able("554.99") == "toggle ");
  CHECK(able("555.42.02") == "toggle actions ");
  CHECK(able("570.86.15") == "toggle actions nvml ");
  CHECK(able("580.65.06") == "toggle actions nvml device-map ");
  CHECK(able("610.1") == "toggle actions nvml device-map ipc ");
}

TEST_CASE("gpu capabilities: no driver, no GPU") {
  HostFacts facts = with(runc());
  facts.gpus.clear();
  CHECK(capability_table(facts)[0] == Capability{"runc", "toggle", false, "the driver sees no GPU",
                                                 "look into the kernel's log ('dmesg | grep NVRM')"});
  facts.driver.clear();
  CHECK(capability_table(facts)[2] == Capability{"runc", "nvml", false, "no NVIDIA driver is loaded",
                                                 "install NVIDIA's driver 570 or newer"});
}

TEST_CASE("gpu capabilities: a runtime or CRIU that is missing") {
  HostFacts facts = with({.kind = RuntimeKind::crun});
  facts.driver = "610.1";
  CHECK(capability_table(facts) ==
        rows("crun", false, "crun is not installed", "install it, or name it with --runtime-path"));
  facts.runtimes = {runc()};
  facts.criu.path.clear();
  CHECK(capability_table(facts) ==
        rows("runc", false, "runc needs criu, which is not installed", "install criu"));
}

TEST_CASE("gpu capabilities: cuda-checkpoint missing, failing, or without the option") {
  HostFacts facts = with(runc());
  facts.driver = "610.1";
  facts.cuda_checkpoint->advertises = {"--toggle"};
  const std::vector<Capability> some = capability_table(facts);
  CHECK(some[0].ok);
  CHECK(some[1] == Capability{"runc", "actions", false, "'/usr/bin/cuda-checkpoint' has no --action",
                              "install the cuda-checkpoint of driver 555 or newer"});
  CHECK(some[4] == Capability{"runc", "ipc", false, "'/usr/bin/cuda-checkpoint' has no --launch-job",
                              "install the cuda-checkpoint of driver 610 or newer"});
  facts.cuda_checkpoint->problem = "'x -h' exited with status 255";
  CHECK(capability_table(facts) == rows("runc", false, "'x -h' exited with status 255",
                                        "make it work by hand, or take another cuda-checkpoint"));
  facts.cuda_checkpoint.reset();
  CHECK(capability_table(facts) ==
        rows("runc", false, "there is no cuda-checkpoint",
             "put NVIDIA's cuda-checkpoint into PATH, or install ckpt with its own"));
}

TEST_CASE("gpu capabilities: CRIU without its plugin, or with one that cannot be used, leaves it to ckpt") {
  HostFacts facts = with(runc());
  const auto reason = [&] { return capability_table(facts)[0].reason; };
  facts.driver = "555.42.02";
  CHECK(reason() == "driver 555.42.02, by ckpt; CRIU's CUDA plugin needs driver 570");
  facts.cuda_checkpoint->ours = true;
  CHECK(reason() == "driver 555.42.02, by ckpt; CRIU's CUDA plugin needs driver 570");
  facts.criu.plugin_there = false;
  CHECK(reason() == "driver 555.42.02, by ckpt; CRIU has no '/usr/lib/criu/cuda_plugin.so'");
}

TEST_CASE("gpu capabilities: a runsc whose nvproxy does not know the driver, or does not say") {
  HostFacts facts = with(runsc());
  facts.driver = "610.1";
  CHECK(capability_table(facts) ==
        rows("runsc", false, "nvproxy of runsc v0 does not know driver 610.1",
             "install a newer runsc, or a driver of 'runsc nvproxy list-supported-drivers'"));
  facts.runtimes[0].allows_unsupported_driver = true;
  CHECK(
      capability_table(facts)[0].fix.ends_with(", or try --runtime-arg=--nvproxy-allow-unsupported-driver"));
  facts.runtimes[0].nvproxy_drivers->push_back("610.1");
  facts.runtimes[0].cuda_checkpoint_path = false;
  CHECK(capability_table(facts) == rows("runsc", true, "driver 610.1, by ckpt, with 'runsc exec'", ""));
  facts.runtimes[0].nvproxy_drivers.reset();
  facts.runtimes[0].problem = "'runsc nvproxy' exited with status 1";
  CHECK(capability_table(facts) ==
        rows("runsc", false, "'runsc nvproxy' exited with status 1", "install a newer runsc"));
  facts.runtimes[0] = {.kind = RuntimeKind::runsc};
  CHECK(capability_table(facts)[0].reason == "runsc is not installed");
}
