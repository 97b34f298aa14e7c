// CRIU as checkpoint and restore need it.
#include "commands/criu.h"

#include <fmt/ranges.h>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/program.h"

namespace ckpt {

std::string require_criu() {
  if (const auto criu = find_program("criu")) return *criu;
  throw Error(ErrorCode::unsupported,
              "criu is not installed; runc and crun need it to checkpoint and restore")
      .with_hint("install CRIU (4.2 or newer for kernels from 6.16 on); looked in " + search_path());
}

void write_criu_config(const fs::path& file, const Delivery& delivery) {
  if (!delivery.criu_config.empty())
    write_file_atomic(file, fmt::format("{}\n", fmt::join(delivery.criu_config, "\n")));
}

}  // namespace ckpt
