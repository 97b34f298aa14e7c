// From directories to devices: precedence, conflicts, and the names that are not there.
#include "gpu/cdi.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "gpu/cdi_edit.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"
#include "runtimes/suggest.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

using nlohmann::json;
constexpr std::size_t kLargest = 4U << 20U;

std::string full_name(const CdiFile& file, const CdiDevice& device) {
  return file.kind + "=" + device.name;
}

std::string kind_of(const std::string& name) {
  return name.substr(0, name.find('='));
}

void require_name(const std::string& name) {
  const std::size_t equals = name.find('=');
  if (equals != name.npos && is_cdi_kind(kind_of(name)) && is_cdi_device(name.substr(equals + 1))) return;
  throw Error(ErrorCode::usage, fmt::format("'{}' is no name of a CDI device", name))
      .with_hint("write vendor.com/class=name, as in nvidia.com/gpu=0 or nvidia.com/gpu=all");
}

/// Specifications directly in the directory, by name.
std::vector<fs::path> specifications(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (auto entry = fs::directory_iterator(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const fs::path extension = entry->path().extension();
    if (extension == ".json" || extension == ".yaml") files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Each directory once, where it stands last: /var/run is often /run.
std::vector<fs::path> distinct(const std::vector<fs::path>& directories) {
  std::vector<fs::path> kept;
  std::set<fs::path> seen;
  for (auto one = directories.rbegin(); one != directories.rend(); ++one) {
    std::error_code error;
    const fs::path real = fs::weakly_canonical(*one, error);
    if (seen.insert(error ? *one : real).second) kept.push_back(*one);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

std::vector<std::string> texts(const std::vector<fs::path>& paths) {
  std::vector<std::string> result;
  for (const fs::path& path : paths) result.push_back(path.string());
  return result;
}

}  // namespace

CdiDirs cdi_dirs(const std::vector<std::string>& given) {
  if (given.empty()) return {};
  CdiDirs dirs{.directories = {}};
  for (const std::string& one : given) dirs.directories.push_back(absolute_path(one));
  return dirs;
}

CdiRegistry::CdiRegistry(const CdiDirs& dirs) : dirs_{distinct(dirs.directories)} {
  for (std::size_t priority = 0; priority < dirs_.directories.size(); ++priority)
    for (const fs::path& file : specifications(dirs_.directories[priority])) read(file, priority);
}

void CdiRegistry::read(const fs::path& file, std::size_t priority) {
  std::error_code error;
  std::string text;
  try {
    // Opening a pipe would wait for its other end.
    if (!fs::is_regular_file(file, error)) throw BrokenCdi("it is no file");
    if (fs::file_size(file, error) > kLargest) throw BrokenCdi("it is larger than 4 MiB");
    auto content = read_file(file, kLargest);
    if (!content) throw BrokenCdi("it cannot be read: " + errno_text(errno));
    text = std::move(*content);
    if (const auto why = why_not_trusted(file)) throw BrokenCdi("it is not trusted: " + *why);
    CdiFile parsed = parse_cdi(text, file.extension() == ".yaml");
    parsed.path = file;
    parsed.priority = priority;
    files_.push_back(std::move(parsed));
  } catch (const BrokenCdi& broken) {
    broken_.push_back({file, broken.why, std::move(text)});
  }
}

/// Those of the highest priority that has any.
std::vector<CdiRegistry::Place> CdiRegistry::definitions(const std::string& name) const {
  std::vector<Place> found;
  for (const CdiFile& file : files_)
    for (const CdiDevice& device : file.devices) {
      if (full_name(file, device) != name) continue;
      if (!found.empty() && found.front().file->priority < file.priority) found.clear();
      found.push_back({&file, &device});
    }
  return found;
}

std::vector<CdiRegistry::Place> CdiRegistry::resolve(const std::string& name) const {
  require_name(name);
  std::vector<Place> found = definitions(name);
  if (found.size() > 1)
    throw Error(ErrorCode::invalid_config,
                fmt::format("the CDI device '{}' is defined twice, in '{}' and in '{}'", name,
                            found[0].file->path.string(), found[1].file->path.string()))
        .with_hint("remove one, or move it to a directory of another priority");
  if (found.size() == 1) return found;
  if (name == "nvidia.com/gpu=all")
    for (const std::string& one : names())
      if (kind_of(one) == kind_of(name)) found.push_back(definitions(one).front());
  if (found.empty()) refuse_unknown(name);
  return found;
}

/// A broken specification that mentions the kind may be the one that defines the device.
void CdiRegistry::refuse_unknown(const std::string& name) const {
  for (const Broken& broken : broken_)
    if (broken.text.find(kind_of(name)) != std::string::npos)
      throw Error(ErrorCode::invalid_config,
                  fmt::format("the CDI specification '{}' cannot be used for '{}': {}", broken.file.string(),
                              name, broken.why))
          .with_hint("have it made anew; for NVIDIA's: 'nvidia-ctk cdi generate --output=FILE'");
  const std::vector<std::string> known = names();
  const std::string where = fmt::format("{}", fmt::join(texts(dirs_.directories), ", "));
  std::string hint = fmt::format("there are {} (in {})", fmt::join(known, ", "), where);
  if (known.empty())
    hint = fmt::format(
        "{} hold none; 'nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml' writes a specification",
        where);
  for (const std::string& warning : warnings()) hint += "; " + warning;
  throw Error(ErrorCode::not_found,
              fmt::format("there is no CDI device '{}'{}", name, did_you_mean(name, known)))
      .with_hint(hint);
}

std::vector<std::string> CdiRegistry::names() const {
  std::set<std::string> all;
  for (const CdiFile& file : files_)
    for (const CdiDevice& device : file.devices)
      if (definitions(full_name(file, device)).size() == 1) all.insert(full_name(file, device));
  return {all.begin(), all.end()};
}

std::vector<std::string> CdiRegistry::warnings() const {
  std::vector<std::string> all;
  for (const Broken& broken : broken_)
    all.push_back(
        fmt::format("the CDI specification '{}' is left out: {}", broken.file.string(), broken.why));
  return all;
}

std::vector<std::string> apply_cdi(json& spec, const std::vector<std::string>& devices, const CdiDirs& dirs) {
  if (devices.empty()) return {};
  if (!spec.is_object()) throw Error(ErrorCode::invalid_config, "config.json is not an object");
  const CdiRegistry registry(dirs);
  std::vector<std::string> notes = registry.warnings();
  std::set<const CdiFile*> files;
  std::set<const CdiDevice*> applied;
  json edited = spec;
  for (const std::string& name : devices)
    for (const CdiRegistry::Place& place : registry.resolve(name)) {
      const std::string full = full_name(*place.file, *place.device);
      if (files.insert(place.file).second) apply_edits(edited, place.file->edits, full, notes);
      if (applied.insert(place.device).second) apply_edits(edited, place.device->edits, full, notes);
    }
  spec = std::move(edited);
  return notes;
}

}  // namespace ckpt
