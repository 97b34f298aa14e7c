// What a checkpoint's manifest says: of the container, its configuration, the dump and the host.
#pragma once
#include "commands/checkpoint_plan.h"
#include "images/store.h"

namespace ckpt {

/// After the dump and before the publication; sizes and digests of the files are left to that.
Manifest describe_image(const CheckpointPlan& plan, const StagedImage& image);

}  // namespace ckpt
