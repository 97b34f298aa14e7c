// What is said of MIG, MPS and NCCL before a freeze.
#include "gpu/cautions.h"

#include <unistd.h>

#include "support.h"

using namespace ckpt;
using ckpt::test::contains;

TEST_CASE("cautions: an ordinary process gets none") {
  CHECK(cuda_cautions({.environment = {"PATH=/bin", "NVIDIA_VISIBLE_DEVICES=0"},
                       .devices = {"/dev/nvidia0", "/dev/nvidia-uvm"},
                       .processes = 4,
                       .driver = "570.1"})
            .empty());
}

TEST_CASE("cautions: MIG by its devices or its name, MPS by its variable") {
  CHECK(cuda_cautions({.devices = {"/dev/nvidia-caps/nvidia-cap1"}}).size() == 1);
  for (const char* variable : {"NVIDIA_VISIBLE_DEVICES=MIG-0a", "CUDA_VISIBLE_DEVICES=MIG-0a"})
    CHECK(contains(cuda_cautions({.environment = {variable}}).at(0), "MIG"));
  CHECK(contains(cuda_cautions({.environment = {"CUDA_MPS_PIPE_DIRECTORY=/tmp/mps"}}).at(0), "MPS"));
}

TEST_CASE("cautions: NCCL between processes, by driver and setting") {
  CudaSurroundings seen{.processes = 2, .nccl = true, .driver = "580.95.05"};
  CHECK(contains(cuda_cautions(seen).at(0), "NCCL_P2P_DISABLE=1"));
  seen.driver = "610.3";
  CHECK(contains(cuda_cautions(seen).at(0), "--launch-job"));
  seen.environment = {"NCCL_P2P_DISABLE=1"};
  CHECK(cuda_cautions(seen).empty());
  seen = {.processes = 1, .nccl = true, .driver = "570"};
  CHECK(cuda_cautions(seen).empty());
}

TEST_CASE("cautions: the environment of a process on the host is read, not of one in a sandbox") {
  const GpuHolder self{::getpid(), ::getpid(), "unit-tests", {"/dev/nvidia0"}};
  const auto seen = look_around({self}, true, {"A=1"}, "570");
  CHECK(seen.environment.size() > 1);
  CHECK(seen.environment.front() == "A=1");
  CHECK(look_around({self}, false, {"A=1"}, "570").environment == std::vector<std::string>{"A=1"});
  CHECK(seen.devices == std::vector<std::string>{"/dev/nvidia0"});
  CHECK_FALSE(seen.nccl);
}
