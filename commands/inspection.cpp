// Gathering what is inside a checkpoint, and the words for it.
#include "commands/inspection.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>

#include "commands/images.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Of all processes; a hostile image may have as many files as it likes.
constexpr std::size_t kMostDetails = 1U << 19U;

/// Throws Error(image_invalid) for a directory without an image.
bool is_criu_image(const fs::path& images) {
  std::error_code error;
  if (fs::exists(images / "inventory.img", error)) return true;
  for (const char* name : {"checkpoint.img", "checkpoint.img.zst"})
    if (fs::exists(images / name, error)) return false;
  throw Error(
      ErrorCode::image_invalid,
      fmt::format("'{}' holds no complete image: neither inventory.img nor checkpoint.img", images.string()))
      .with_hint("name the directory that the runtime's image files are in");
}

Contents contents_of(const fs::path& images) {
  Contents contents;
  contents.files = image_regular_files(images);
  contents.sockets = image_sockets(images);
  contents.mounts = image_mounts(images);
  contents.shared_memory = image_shared_memory(images);
  std::vector<ImageProcess> processes = image_processes(images);
  std::size_t details = 0;
  for (ImageProcess& process : processes) {
    const int pid = process.pid;
    contents.processes.push_back(
        {std::move(process), image_memory(images, pid), image_descriptors(images, pid)});
    details +=
        contents.processes.back().memory.mappings.size() + contents.processes.back().descriptors.size();
    if (details > kMostDetails)
      throw Error(ErrorCode::image_invalid,
                  fmt::format("'{}' has more mappings and descriptors than are shown", images.string()));
  }
  return contents;
}

std::string option_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string options_text(const json& options) {
  std::string text;
  for (const auto& [key, value] : options.items())
    text += (text.empty() ? "" : ", ") + (value == true ? key : key + "=" + option_text(value));
  return text;
}

std::string seconds_text(const std::map<std::string, double>& seconds) {
  std::string text;
  for (const auto& [phase, took] : seconds)
    text += fmt::format("{}{} {:.3f} s", text.empty() ? "" : ", ", phase, took);
  return text;
}

void add_manifest(const Manifest& m, Facts& facts) {
  facts.emplace_back("container", m.id);
  facts.emplace_back("runtime", versions_text(m));
  facts.emplace_back("taken", fmt::format("{}, Linux {}, {}{}", m.created, m.machine.kernel, m.machine.arch,
                                          m.leave_running ? ", left running" : ""));
  facts.emplace_back("guarantee", m.guarantee);
  facts.emplace_back("bundle", m.bundle);
  facts.emplace_back("options", options_text(manifest_to_json(m)["options"]));
  facts.emplace_back("gpu", gpu_text(m.gpu));
  facts.emplace_back("took", seconds_text(m.seconds));
}

}  // namespace

Inspection inspect(Image image, const std::string& name) {
  Inspection result;
  result.image = std::move(image);
  result.name = result.image.manifest ? name_of(result.image) : name;
  result.files = files_below(result.image.directory);
  std::stable_sort(result.files.begin(), result.files.end(),
                   [](const ImageFile& a, const ImageFile& b) { return a.size > b.size; });
  result.bytes = total_size(result.files);
  if (!is_criu_image(result.image.runtime_images())) return result;
  result.contents = contents_of(result.image.runtime_images());
  for (const ImageOpenFile& file : result.contents->files) result.paths[file.id] = file.path;
  for (const InspectedProcess& one : result.contents->processes)
    for (const ImageDescriptor& d : one.descriptors)
      result.holders[d.file_id].push_back({one.process.pid, d.fd});
  return result;
}

std::string protection(const ImageMapping& mapping) {
  return fmt::format("{}{}{}{}", (mapping.protection & PROT_READ) != 0 ? 'r' : '-',
                     (mapping.protection & PROT_WRITE) != 0 ? 'w' : '-',
                     (mapping.protection & PROT_EXEC) != 0 ? 'x' : '-', mapping.shared ? 's' : 'p');
}

std::string open_flags(std::uint32_t flags) {
  constexpr std::pair<std::uint32_t, const char*> kFlags[] = {
      {O_APPEND, "O_APPEND"}, {O_NONBLOCK, "O_NONBLOCK"}, {O_SYNC, "O_SYNC"},
      {O_DIRECT, "O_DIRECT"}, {O_PATH, "O_PATH"},         {O_DIRECTORY, "O_DIRECTORY"}};
  std::string text = (flags & O_ACCMODE) == O_WRONLY ? "O_WRONLY"
                     : (flags & O_ACCMODE) == O_RDWR ? "O_RDWR"
                                                     : "O_RDONLY";
  for (const auto& [bits, name] : kFlags)
    if ((flags & bits) == bits) text += fmt::format("|{}", name);
  return text;
}

std::string holders_text(const Inspection& inspection, std::uint32_t id, std::size_t most,
                         std::string_view separator) {
  const auto found = inspection.holders.find(id);
  if (found == inspection.holders.end()) return "-";
  std::string text;
  for (std::size_t i = 0; i < std::min(found->second.size(), most); ++i)
    text += fmt::format("{}{}:{}", i == 0 ? "" : separator, found->second[i].pid, found->second[i].fd);
  return found->second.size() > most ? fmt::format("{}{}...", text, separator) : text;
}

std::string gpu_text(const GpuImage& gpu) {
  if (gpu.strategy == "none") return "none";
  std::string text = fmt::format("{}, {} processes, {}, driver {}", gpu.strategy, gpu.processes.size(),
                                 gpu.bytes == 0 ? "size not known" : human(gpu.bytes),
                                 gpu.driver.empty() ? "not known" : gpu.driver);
  for (const GpuIdentity& one : gpu.gpus) text += fmt::format(", {} ({})", one.name, one.uuid);
  return text;
}

std::string versions_text(const Manifest& m) {
  return fmt::format("{} {}{}{}", table_of(m.target.kind).name, m.runtime_version,
                     m.criu_version.empty() ? "" : ", CRIU " + m.criu_version,
                     m.cedana_version.empty() ? "" : ", Cedana " + m.cedana_version);
}

Facts facts_of(const Inspection& inspection) {
  Facts facts = {{"name", inspection.name}};
  if (inspection.image.manifest)
    add_manifest(*inspection.image.manifest, facts);
  else
    facts.emplace_back("manifest", "none; a runtime made this image itself");
  facts.emplace_back("size", fmt::format("{} in {} files", human(inspection.bytes), inspection.files.size()));
  return facts;
}

}  // namespace ckpt
