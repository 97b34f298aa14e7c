// Loading the module.
#include "images/module.h"

#include <dlfcn.h>

#include <algorithm>
#include <cerrno>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/program.h"

namespace ckpt {

const void* module_table(const char* symbol) {
  const auto path = own_helper("libckpt-layer.so");
  // Never closed: it is needed until the end.
  void* library = path ? ::dlopen(path->c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  const void* found = library != nullptr ? ::dlsym(library, symbol) : nullptr;
  if (found == nullptr)
    throw Error(ErrorCode::unsupported,
                fmt::format("cannot load ckpt's libckpt-layer.so, which reads and writes archives: {}",
                            path ? ::dlerror() : "it is not installed"))
        .with_hint("install ckpt whole; it belongs into libexec/ckpt");
  return found;
}

bool of_this_host(int error) {
  constexpr int kOfTheHost[] = {ENOSPC, EDQUOT, EIO, EROFS, ENOMEM, EMFILE, ENFILE};
  return std::find(std::begin(kOfTheHost), std::end(kOfTheHost), error) != std::end(kOfTheHost);
}

}  // namespace ckpt
