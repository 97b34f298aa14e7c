// The version that `ckpt --version` shows; scripts/version.cmake writes its source.
#pragma once

namespace ckpt {
/// The tag of the checkout, such as 0.2.0, or what git adds to it; the project's version without git.
const char* version();
}  // namespace ckpt
