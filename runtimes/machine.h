// What of this machine a memory image depends on: processor, kernel, cgroups.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct MachineFacts {
  std::string arch;    ///< uname(2) machine
  std::string kernel;  ///< uname(2) release
  /// What programs may find and use of the processor, sorted; neither the kernel's own marks nor its
  /// mitigations. runc writes no cpuinfo image, so CRIU cannot tell.
  std::vector<std::string> cpu;
  std::uint32_t xsave_bytes = 0;  ///< size of the registers as the kernel saves them (CPUID 0xd); 0: not x86
  std::string cgroups;            ///< v1, hybrid, v2
};

MachineFacts machine_facts();

/// The features in the first processor's block of /proc/cpuinfo.
std::vector<std::string> cpu_features(std::string_view cpuinfo);

}  // namespace ckpt
