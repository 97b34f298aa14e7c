// Whether /proc tells of the processes that ckpt sees.
#pragma once

namespace ckpt {

/// Throws Error(unsupported) when /proc is not mounted, or is that of another pid namespace than ours.
void require_own_proc();

}  // namespace ckpt
