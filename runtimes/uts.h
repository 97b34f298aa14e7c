// The name of a host, in a container's UTS namespace.
#pragma once
#include <sys/types.h>

#include <string>

namespace ckpt {

/// Empty, or why `name` is none: 1 to 64 letters, digits, dots and dashes.
std::string no_hostname(const std::string& name);
/// Throws Error(verify_failed): for a process in ckpt's own namespace, too.
void set_hostname_of(pid_t pid, const std::string& name);

}  // namespace ckpt
