// The configuration of a restore: the bundle's, or a new container's, with the sources and the name that the
// user wants.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands/external_mounts.h"
#include "commands/restore_plan.h"

namespace ckpt {

/// The configuration to restore with.
struct ChosenSpec {
  nlohmann::json spec;
  std::string config;  ///< its path
  std::vector<ResolvedMount> mounts;
  std::vector<CheckedItem> changes;     ///< of a new container's specification
  std::string hostname;                 ///< the new specification's, if it is another
  std::vector<CheckedItem> parted;      ///< what an engine's container leaves behind
  std::vector<ExternalMount> external;  ///< mounts of the image that the runtime does not give
};

/// What the container ran with, in the bundle that the user has (now). Another config.json than the one of
/// the checkpoint restores "successfully" and wrongly (facts 2.4), so the host's check refuses it, but for
/// --spec. Fills in the record's bundle and digest.
ChosenSpec choose_spec(const RestoreOptions& o, const Image& image, const RuntimeTable& table,
                       Record& record);
/// Items of a new specification that the image has fixed.
std::vector<std::string> kept_by_image(const std::vector<CheckedItem>& changes);
/// What the user says, else what the new specification changed; also into `chosen`. Throws Error(unsupported)
/// where the runtime cannot do what the user wants.
std::string choose_hostname(const RestoreOptions& o, const Driver& driver, ChosenSpec& chosen);

}  // namespace ckpt
