// What on this host would stop a checkpoint of a container with GPUs.
#pragma once
#include <vector>

#include "gpu/host.h"
#include "runtimes/checkup.h"

namespace ckpt {

/// Nothing fails: a host without a GPU is a good host. Pure.
std::vector<Check> check_gpus(const HostFacts& facts);

}  // namespace ckpt
