// Whether a host's GPUs can take a checkpoint, the device map of --gpu-map, and room in host memory.
#include "gpu/memory.h"

#include <unistd.h>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::uint64_t kGb = 1'000'000'000;

Gpu gpu(const std::string& uuid, const std::string& name = "H100",
        std::optional<std::uint64_t> total = 80 * kGb, std::optional<std::uint64_t> used = 0) {
  return {.name = name, .uuid = uuid, .memory_total = total, .memory_used = used};
}
const SavedGpus kSaved = {.driver = "570.86.15", .gpus = {{"A", "H100"}, {"B", "H100"}}, .bytes = 100 * kGb};
const PresentGpus kSame = {.driver = "570.86.15", .gpus = {gpu("A"), gpu("B")}};
using Lines = std::vector<std::string>;

ErrorCode refused(const SavedGpus& saved, const PresentGpus& present, const Lines& pairs) {
  return error_of([&] { device_map_of(saved, present, pairs); }).code;
}

}  // namespace

TEST_CASE("memory: what stands against a restore") {
  CHECK(gpu_obstacles(kSaved, kSame).empty());
  CHECK(gpu_obstacles({}, {}).empty());
  CHECK(gpu_obstacles({.driver = "999", .gpus = {}, .bytes = UINT64_MAX}, kSame).empty());
  CHECK(gpu_obstacles(kSaved, {}) == Lines{"this host has no GPU, or its driver does not answer"});
  CHECK(gpu_obstacles(kSaved, {.driver = "580.1", .gpus = {gpu("X"), gpu("Y")}}).empty());
  CHECK(gpu_obstacles(kSaved, {.driver = "570.1", .gpus = kSame.gpus}).empty());
  CHECK(gpu_obstacles(kSaved, {.driver = "560.35", .gpus = kSame.gpus}) ==
        Lines{"the driver is 560.35, older than the checkpoint's 570.86.15"});
  CHECK(gpu_obstacles(kSaved, {.driver = "570.86.15", .gpus = {gpu("A", "T4", 16 * kGb)}}) ==
        Lines{"there are 1 GPUs, the checkpoint had 2", "GPU 0 is a 'T4', the checkpoint's was a 'H100'",
              "16.0 GB of GPU memory are free, the checkpoint needs 100.0 GB"});
}

TEST_CASE("memory: free GPU memory") {
  const auto with = [](std::optional<std::uint64_t> total, std::optional<std::uint64_t> used) {
    return gpu_obstacles(
        kSaved, {.driver = "570", .gpus = {gpu("A", "H100", total, used), gpu("B", "H100", total, used)}});
  };
  CHECK(with(50 * kGb, 0).empty());
  CHECK(with(50 * kGb, 1).size() == 1);
  CHECK(with(80 * kGb, 31 * kGb) == Lines{"98.0 GB of GPU memory are free, the checkpoint needs 100.0 GB"});
  CHECK(with(80 * kGb, 81 * kGb) == Lines{"0.0 GB of GPU memory are free, the checkpoint needs 100.0 GB"});
  CHECK(with(std::nullopt, std::nullopt).empty());
  CHECK(with(std::nullopt, 7).empty());
  CHECK(with(80 * kGb, std::nullopt).empty());
}

TEST_CASE("memory: a device map is the whole permutation") {
  const SavedGpus saved = {
      .driver = "580", .gpus = {{"A", "H100"}, {"B", "H100"}, {"C", "H100"}}, .bytes = 0};
  const PresentGpus present = {.driver = "580", .gpus = {gpu("A"), gpu("B"), gpu("C")}};
  CHECK(device_map_of(saved, present, {}) == "A=A,B=B,C=C");
  CHECK(device_map_of(saved, present, {"0=0"}) == "A=A,B=B,C=C");
  CHECK(device_map_of(saved, present, {"0=1", "1=0"}) == "A=B,B=A,C=C");
  CHECK(device_map_of(saved, present, {"A=2", "2=A"}) == "A=C,B=B,C=A");
  CHECK(device_map_of(saved, present, {"A=B", "B=C", "C=A"}) == "A=B,B=C,C=A");
  CHECK(device_map_of(saved, {.driver = "580", .gpus = {gpu("X"), gpu("C"), gpu("A")}}, {"1=X"}) ==
        "A=A,B=X,C=C");
  CHECK(device_map_of({}, {}, {}).empty());
}

TEST_CASE("memory: a map that is none") {
  CHECK(refused(kSaved, kSame, {"0=1"}) == ErrorCode::usage);         // two onto B
  CHECK(refused(kSaved, kSame, {"0=1", "0=0"}) == ErrorCode::usage);  // twice
  CHECK(refused(kSaved, kSame, {"0=1", "A=0"}) == ErrorCode::usage);
  for (const char* odd : {"", "=", "0", "0=", "=0", "2=0", "0=2", "0=-1", "-1=0", "0x1=0", "0=1=0",
                          "99999999999=0", "0= 1", "a=0", "A=b", "\xff=\xff"}) {
    INFO(odd);
    CHECK(refused(kSaved, kSame, {odd}) == ErrorCode::usage);
  }
  CHECK(refused({}, kSame, {"0=0"}) == ErrorCode::usage);
  CHECK(refused(kSaved, {}, {"0=0"}) == ErrorCode::usage);
  const PresentGpus other = {.driver = "570", .gpus = {gpu("A"), gpu("X")}};
  CHECK(refused(kSaved, other, {}) == ErrorCode::host_incompatible);
  CHECK(device_map_of(kSaved, other, {"0=X", "1=A"}) == "A=X,B=A");
  const Error error = error_of([&] { device_map_of(kSaved, kSame, {"2=0"}); });
  CHECK(error.message == "--gpu-map: '2' is no GPU of the checkpoint; there are 2");
  CHECK(error.hint == "write an index or a UUID on each side, as 0=1");
}

TEST_CASE("memory: a map goes between GPUs of one model") {
  const SavedGpus saved = {.driver = "580", .gpus = {{"A", "H100"}, {"B", "T4"}}, .bytes = 0};
  const PresentGpus turned = {.driver = "580", .gpus = {gpu("X", "T4"), gpu("Y", "H100")}};
  CHECK(device_map_of(saved, turned, {"0=1", "1=0"}) == "A=Y,B=X");
  CHECK(refused(saved, turned, {"0=0", "1=1"}) == ErrorCode::host_incompatible);
  CHECK(gpu_obstacles(saved, turned).size() == 2);
  CHECK(gpu_obstacles(saved, turned, true).empty());
}

TEST_CASE("memory: this host's room, and a container that needs more") {
  const std::uint64_t room = available_memory(::getpid());
  CHECK(room > 1'000'000);
  CHECK(room < 1'000'000 * kGb);
  CHECK(available_memory(1 << 30) > 1'000'000);  // no such process: the host's alone
  CHECK_NOTHROW(require_host_memory(1, ::getpid(), "c1"));
  const Error error = error_of([&] { require_host_memory(2'000'000 * kGb, ::getpid(), "c1"); });
  CHECK(error.code == ErrorCode::conflict);
  CHECK(contains(error.message, "container 'c1' cannot be checkpointed: its 2000000.0 GB of GPU memory"));
}
