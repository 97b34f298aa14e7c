// The proof after a restore: it lives, apart from the host, with its GPU, and answers.
#pragma once
#include "commands/restore_plan.h"

namespace ckpt {

/// Asks the container and /proc. Throws Error(verify_failed).
void verify_restored(const Context& context, const RestorePlan& plan);

/// Thaws what was frozen for the checkpoint. A container whose GPU state does not come back is removed again,
/// and Error(gpu_failed) thrown.
std::vector<CudaStep> bring_gpu_back(const Context& context, const RestorePlan& plan);

/// Runs `command` inside the container, again and again until it succeeds or the time is over: then
/// Error(verify_failed), and the container is left as it is. The words are divided as a shell does, without
/// any other expansion.
void probe_restored(const RestorePlan& plan, const std::string& command, std::chrono::milliseconds limit);

}  // namespace ckpt
