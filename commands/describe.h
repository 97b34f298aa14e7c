// What a checkpoint's manifest says: of the container, its configuration, the dump and the host.
#pragma once
#include "commands/checkpoint_plan.h"
#include "images/store.h"

namespace ckpt {

/// All that is known before the dump: it is also what publishes the image when this ckpt cannot.
Manifest describe_plan(const CheckpointPlan& plan, const StagedImage& image);
/// What only the dump tells. Sizes and digests of the files are left to the publication. Throws
/// Error(image_invalid).
void describe_dump(const std::filesystem::path& images, Manifest& m);

}  // namespace ckpt
