// One CDI specification: read from JSON or YAML, and checked whole, so that what applies it need not.
#pragma once
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct CdiDevice {
  std::string name;      ///< without its kind
  nlohmann::json edits;  ///< its containerEdits, checked; an empty object when it has none
};

struct CdiFile {
  std::filesystem::path path;
  std::size_t priority = 0;  ///< higher wins
  std::string kind;          ///< "nvidia.com/gpu"
  nlohmann::json edits;      ///< the containerEdits that every device of it needs
  std::vector<CdiDevice> devices;
};

/// Why a specification cannot be used: "devices[0].name is missing".
struct BrokenCdi : std::exception {
  explicit BrokenCdi(std::string why_) : why(std::move(why_)) {}
  const char* what() const noexcept override { return why.c_str(); }
  std::string why;
};

/// The specification in `text`; `yaml` says how it is written. Throws BrokenCdi, whatever the text is.
CdiFile parse_cdi(std::string_view text, bool yaml);
/// YAML as JSON: plain numbers, true, false and null as such, everything else as text. Throws BrokenCdi, also
/// for more than 100000 values (aliases of aliases).
nlohmann::json json_from_yaml(std::string_view text);

/// What stands before, and what behind, the '=' of a device's full name.
bool is_cdi_kind(std::string_view kind);
bool is_cdi_device(std::string_view name);

}  // namespace ckpt
