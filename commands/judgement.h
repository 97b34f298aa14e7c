// Whether this host could restore a container that a checkpoint is about to stop: by what it is like before
// its dump, and by the image that was dumped, before it is stopped.
#pragma once
#include <vector>

#include "commands/checkpoint_plan.h"
#include "commands/compatibility.h"
#include "runtimes/mount_table.h"

namespace ckpt {

/// Of a running container of runc or crun, by /proc and its config.json; others have nothing that fails here.
std::vector<CheckedItem> judge_running(const CheckpointPlan& plan);
/// Of the image in the making, which `manifest` describes. Reads its small files only: the container is
/// paused.
std::vector<CheckedItem> judge_image(const Context& context, const CheckpointPlan& plan,
                                     const StagedImage& image, const Manifest& manifest);
/// Warns of what differs, and of what fails when the container goes on, or with `force`; else throws
/// Error(host_incompatible).
void heed_judgement(const Context& context, const CheckpointPlan& plan,
                    const std::vector<CheckedItem>& items);

// Its parts, for tests.
/// `from_host`: where config.json has bind mounts and masked files.
std::vector<CheckedItem> judge_mounts(const std::vector<MountLine>& mounts,
                                      const std::vector<std::string>& from_host);
std::vector<CheckedItem> judge_programs(const std::vector<std::pair<std::string, std::string>>& programs);

}  // namespace ckpt
