// Which system calls an image's filter lets through that a profile of config.json does not.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "images/criu_privileges.h"

namespace ckpt {

/// Names of calls that pass with some arguments through the filter at place `last` and all before it, and
/// with none through `seccomp`, a linux.seccomp; arguments are not compared. Calls of other architectures,
/// which have other numbers, count when the profile does not name theirs. Empty where calls cannot be told
/// apart. Pure.
std::vector<std::string> calls_beyond(const std::vector<ImageFilter>& filters, std::uint32_t last,
                                      const nlohmann::json& seccomp);

}  // namespace ckpt
