// A seccomp filter as the kernel runs it, classic BPF, asked what it can let through whatever the arguments
// are.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct SystemCall {
  const char* name;
  std::uint32_t number;  ///< of this architecture
};
/// Those that the kernel headers knew when ckpt was built.
const std::vector<SystemCall>& system_calls();

/// struct sock_filter of linux/filter.h
struct BpfInstruction {
  std::uint16_t code = 0;
  std::uint8_t if_true = 0, if_false = 0;
  std::uint32_t k = 0;
  bool operator==(const BpfInstruction&) const = default;
};
using SeccompFilter = std::vector<BpfInstruction>;

/// The bytes of an image. Empty for what is no filter: nothing, or no whole number of instructions.
SeccompFilter seccomp_filter_of(std::string_view bytes);

/// Whether there are arguments with which the call passes: is allowed, logged, or left to a tracer. What the
/// kernel would not take as a filter, or has too many ways to follow, passes.
bool may_pass(const SeccompFilter& filter, std::uint32_t architecture, std::uint32_t number);

}  // namespace ckpt
