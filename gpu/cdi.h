// The Container Device Interface (CDI 1.1.0): devices by name, as nvidia.com/gpu=0, and the edits that give
// them to a container.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gpu/cdi_file.h"

namespace ckpt {

/// Where specifications are; a later directory wins over an earlier one. One that is missing holds none.
struct CdiDirs {
  std::vector<std::filesystem::path> directories = {"/etc/cdi", "/var/run/cdi"};
};
/// The directories of --cdi-spec-dir, in the order given, *instead of* the default ones; the default ones
/// when none is given.
CdiDirs cdi_dirs(const std::vector<std::string>& given);

/// Adds the devices to an OCI spec, and returns what the user should know: specifications that cannot be
/// used, edits that are not made. On an error the spec is as it was. Throws
///  - Error(usage) for what is no CDI name (vendor.com/class=name);
///  - Error(not_found) for a device that no specification has, naming those that there are, and for a device
///    node or a bind source that this host lacks;
///  - Error(invalid_config) for a device that two specifications of one directory define, for one whose
///    specification is broken, and for a spec that has something else where an edit belongs.
std::vector<std::string> apply_cdi(nlohmann::json& spec, const std::vector<std::string>& devices,
                                   const CdiDirs& dirs);

/// Every specification in some directories, and which device is defined where.
class CdiRegistry {
 public:
  explicit CdiRegistry(const CdiDirs& dirs);

  /// A device of a specification; both live as long as the registry.
  struct Place {
    const CdiFile* file;
    const CdiDevice* device;
  };
  /// Where `name` is defined. `all`, where no specification of the kind nvidia.com/gpu defines it, stands for
  /// every device of that kind. Throws as apply_cdi() does.
  std::vector<Place> resolve(const std::string& name) const;
  /// Full names of the devices that resolve() finds, sorted.
  std::vector<std::string> names() const;
  /// Specifications that cannot be used, each with its reason.
  std::vector<std::string> warnings() const;

 private:
  struct Broken {
    std::filesystem::path file;
    std::string why;
    std::string text;
  };
  void read(const std::filesystem::path& file, std::size_t priority);
  std::vector<Place> definitions(const std::string& name) const;
  [[noreturn]] void refuse_unknown(const std::string& name) const;

  CdiDirs dirs_;
  std::vector<CdiFile> files_;
  std::vector<Broken> broken_;
};

}  // namespace ckpt
