// The order of preference: what the runtime does itself, then CRIU, then ckpt.
#include "gpu/strategy.h"

#include <fmt/format.h>

#include "runtimes/error.h"
#include "runtimes/probe.h"

namespace ckpt {
namespace {

constexpr std::pair<CudaStrategy, std::string_view> kNames[] = {
    {CudaStrategy::none, "none"},
    {CudaStrategy::native, "native"},
    {CudaStrategy::plugin, "plugin"},
    {CudaStrategy::manual, "manual"},
};

std::string lacks_tool(const CudaOffer& offer) {
  if (offer.works) return "";
  return offer.tool_problem.empty() ? "cuda-checkpoint does not work" : offer.tool_problem;
}

/// Empty: it can be done.
std::string lacks_native(const CudaOffer& offer) {
  if (offer.runtime.uses_criu)
    return fmt::format("{} does not call cuda-checkpoint itself", offer.runtime.name);
  if (!offer.native_flag) return fmt::format("this {} has no --cuda-checkpoint-path", offer.runtime.name);
  if (!offer.mounted) return "cuda-checkpoint is not mounted in the container; 'ckpt run' does that";
  return lacks_tool(offer);
}

std::string lacks_plugin(const CudaOffer& offer) {
  if (!offer.runtime.uses_criu) return fmt::format("{} does not use CRIU", offer.runtime.name);
  if (!offer.plugin) return fmt::format("CRIU's plugin '{}' is not there", offer.plugin_place);
  if (!offer.tool_name.empty() && offer.tool_name != "cuda-checkpoint")
    return fmt::format("CRIU's plugin calls 'cuda-checkpoint', and this one's name is '{}'", offer.tool_name);
  if (offer.works && !offer.actions) return "cuda-checkpoint has no --action (driver 555 or newer)";
  // NVIDIA/cuda-checkpoint: process trees and CRIU's integration came with 570.
  if (!offer.driver.empty() && !version_at_least(offer.driver, 570, 0))
    return fmt::format("CRIU's plugin needs driver 570, this one is {}", offer.driver);
  return lacks_tool(offer);
}

}  // namespace

std::string_view name_of(CudaStrategy strategy) {
  for (const auto& [known, name] : kNames)
    if (known == strategy) return name;
  return "none";
}

CudaStrategy strategy_named(std::string_view name) {
  for (const auto& [strategy, known] : kNames)
    if (known == name) return strategy;
  return CudaStrategy::none;
}

CudaStrategy choose_cuda_strategy(std::string_view asked, const CudaOffer& offer, const std::string& id) {
  if (asked == "off") return CudaStrategy::none;
  const std::pair<CudaStrategy, std::string> ways[] = {
      {CudaStrategy::native, lacks_native(offer)},
      {CudaStrategy::plugin, lacks_plugin(offer)},
      {CudaStrategy::manual, lacks_tool(offer)},
  };
  std::string why;
  for (const auto& [strategy, lacking] : ways) {
    if (asked != "auto" && asked != name_of(strategy)) continue;
    if (lacking.empty()) return strategy;
    why += fmt::format("{}{}: {}", why.empty() ? "" : "; ", name_of(strategy), lacking);
  }
  throw Error(ErrorCode::unsupported, fmt::format("the CUDA processes of '{}' cannot be frozen: {}", id, why))
      .with_runtime(std::string(offer.runtime.name))
      .with_hint("'ckpt gpu-detect' shows what this host lacks");
}

}  // namespace ckpt
