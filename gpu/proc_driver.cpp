// The driver's own files: /proc/driver/nvidia/version and gpus/BUS-LOCATION/information.
#include <algorithm>
#include <charconv>
#include <map>

#include "gpu/nvml.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// "Key: value" lines.
std::map<std::string, std::string> fields(std::string_view text) {
  std::map<std::string, std::string> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (const std::size_t colon = line.find(':'); colon != line.npos)
      found[std::string(trimmed(line.substr(0, colon)))] = trimmed(line.substr(colon + 1));
  }
  return found;
}

/// Numbers with dots between, as 570.86.15; at least one dot.
bool is_version(std::string_view word) {
  return word.size() > 2 && word.find_first_not_of("0123456789.") == word.npos && word.front() != '.' &&
         word.back() != '.' && word.find('.') != word.npos;
}

std::optional<Gpu> read_gpu(const fs::path& file) {
  const auto text = read_file(file, 64U << 10U);
  if (!text) return std::nullopt;
  auto field = fields(*text);
  if (field["GPU Excluded"] == "Yes") return std::nullopt;
  Gpu gpu;
  gpu.name = field["Model"];
  // Question marks stand for digits that the driver has not read yet: no program has opened the GPU.
  if (field["GPU UUID"].find('?') == std::string::npos) gpu.uuid = field["GPU UUID"];
  const std::string& minor = field["Device Minor"];
  int number = 0;
  if (std::from_chars(minor.data(), minor.data() + minor.size(), number).ec == std::errc())
    gpu.minor = number;
  return gpu;
}

}  // namespace

std::vector<Gpu> proc_gpus(const fs::path& root) {
  std::error_code error;
  std::vector<fs::path> locations;
  for (auto entry = fs::directory_iterator(root / "proc/driver/nvidia/gpus", error);
       !error && entry != fs::directory_iterator(); entry.increment(error))
    locations.push_back(entry->path());
  std::sort(locations.begin(), locations.end());
  std::vector<Gpu> gpus;
  for (const fs::path& location : locations)
    if (auto gpu = read_gpu(location / "information")) {
      gpu->index = static_cast<int>(gpus.size());
      gpus.push_back(std::move(*gpu));
    }
  return gpus;
}

std::optional<std::string> proc_driver_version(const fs::path& root) {
  const auto text = read_file(root / "proc/driver/nvidia/version", 64U << 10U);
  if (!text) return std::nullopt;
  const std::string_view line = std::string_view(*text).substr(0, text->find('\n'));
  for (std::size_t begin = 0; begin < line.size();) {
    const std::size_t end = std::min(line.find_first_of(kBlank, begin), line.size());
    if (const std::string_view word = line.substr(begin, end - begin); is_version(word))
      return std::string(word);
    begin = end + 1;
  }
  return std::nullopt;
}

}  // namespace ckpt
