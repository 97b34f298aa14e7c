// Where runtimes keep their state: every root we know of, and who holds an id, found by looking at files, not
// by asking.
#pragma once
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtimes/runtime.h"

namespace ckpt {

/// A root that exists. `error` is set when it could not be read.
struct Root {
  std::string path;
  std::set<RuntimeKind> kinds;  ///< whose state is in it; empty: nobody's
  std::string error = {};
};

/// Roots of runc, crun and runsc by hand, and of docker, containerd, k3s, CRI-O and podman (root and users),
/// plus `extra`. Each directory once, even when reached by two names (/run and /var/run). `prefix` stands
/// before the well-known paths; tests use it. A well-known one that is not trusted (runtimes/trust.h) is left
/// out: its containers are somebody else's, and what its files name is theirs to choose.
std::vector<Root> known_roots(const std::vector<std::string>& extra, const std::string& prefix = "");
/// Those that are left out, but for empty ones.
std::vector<std::string> foreign_roots(const std::string& prefix = "");

/// The runtimes in whose form `root` holds `id`: runc ROOT/ID/state.json, crun ROOT/ID/status,
/// runsc ROOT/ID_sandbox:SANDBOX.state.
std::set<RuntimeKind> holders(const std::string& root, const std::string& id);

/// The ids of all containers in `root`, in whatever form; none when it cannot be read.
std::set<std::string> ids_in(const std::string& root);

/// Whether the root of `target` holds `id` in the form of its runtime.
bool holds(const Target& target, const std::string& id);

/// A container of gVisor whose id begins with `id` or is the beginning of it. runsc takes an id for an
/// abbreviation of a longer one: beside `web-2` it finds no `web` ("ambiguous"), and without a `web` it
/// deletes `web-2` in its place.
std::optional<std::string> confusable_sandbox(const std::string& root, const std::string& id);

}  // namespace ckpt
