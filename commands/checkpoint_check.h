// checkpoint --check: all that would fail, said at once; nothing is changed.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "commands/checkpoint_plan.h"

namespace ckpt {

struct CheckRequest {
  const CheckpointOpts& opts;
  const CudaOptions& cuda;
  bool pre_copy = false;
  bool explain_flags = false;
  bool force = false;
  std::filesystem::path place;  ///< where the image would go
};

/// Shows each container's checks. Throws Error of the first that fails, after all were shown;
/// Error(not_found) and NotRunningError at once.
void check_containers(const Context& context, const CheckRequest& request,
                      const std::vector<std::string>& ids);

/// --explain-flags of a checkpoint that is taken: on stderr.
void explain_choices(const Context& context, const CheckpointPlan& plan);

}  // namespace ckpt
