// Which way a container's GPU state is frozen: the choice alone, pure.
#pragma once
#include <string>
#include <string_view>

#include "runtimes/runtime.h"

namespace ckpt {

enum class CudaStrategy {
  none,    ///< no CUDA process, or --cuda off
  native,  ///< runsc calls cuda-checkpoint inside the sandbox itself (--cuda-checkpoint-path)
  plugin,  ///< CRIU's cuda_plugin.so calls it
  manual,  ///< ckpt calls it around the dump and behind the restore
};
std::string_view name_of(CudaStrategy strategy);
/// none for an unknown name.
CudaStrategy strategy_named(std::string_view name);

/// What the installed programs offer for one container.
struct CudaOffer {
  const RuntimeTable& runtime;
  bool native_flag = false;  ///< its `checkpoint` advertises --cuda-checkpoint-path
  bool mounted = false;      ///< cuda-checkpoint is where ckpt's run mounts it
  bool plugin = false;       ///< cuda_plugin.so where this CRIU looks
  std::string plugin_place;  ///< for the message
  bool actions = false;      ///< cuda-checkpoint works and has --action, which CRIU's plugin needs
  bool works = false;        ///< cuda-checkpoint works
  std::string tool_name;     ///< of the program on the host; CRIU's plugin calls cuda-checkpoint by that name
  std::string tool_problem;  ///< why it does not work
  std::string driver = {};   ///< version; empty: not known
};

/// `asked` is auto, native, plugin, manual or off. Throws Error(unsupported), saying what is missing, when
/// that way is not there; for auto when none is.
CudaStrategy choose_cuda_strategy(std::string_view asked, const CudaOffer& offer, const std::string& id);

}  // namespace ckpt
