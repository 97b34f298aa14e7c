// libckpt-layer.so, which has all that needs libarchive: loaded when it is asked for, and then kept.
#pragma once

namespace ckpt {

/// The module's table of that name. Throws Error(unsupported) when it cannot be loaded.
const void* module_table(const char* symbol);

/// Whether an errno that the module handed back is of the disk or memory of this host, and says nothing
/// against the image.
bool of_this_host(int error);

}  // namespace ckpt
