// Cedana, which dumps and restores containers of runc in the runtime's stead: what it is asked, as pure
// functions over what the installed program advertises.
#pragma once
#include <string>

#include "runtimes/spelling.h"

namespace ckpt {

/// Its options, for a Dialect. The kind is runc's: it drives no other.
const RuntimeTable& cedana_table();

/// The installed program, and what it takes for one verb, dump or restore.
struct Cedana {
  std::string path, version;
  Advertised flags;

  Dialect dialect() const { return {cedana_table(), path, version, flags}; }
};

// Everything behind the program's name. Both throw Error(unsupported) for what this program cannot be told,
// and for one without the runc plugin.
/// Into the directory `opts.image_path`, which must not be there yet.
Delivery cedana_dump(const Dialect& dialect, const CheckpointOpts& opts, const std::string& root,
                     const std::string& id);
/// Without its daemon, so that the container is a child of the caller, with its streams.
Delivery cedana_restore(const Dialect& dialect, const RestoreOpts& opts, const std::string& root,
                        const std::string& id);

/// Without colours and tables in what it prints.
Command cedana_command(const std::string& path, const Argv& args);

}  // namespace ckpt
