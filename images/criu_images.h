// Reading CRIU's own image files, as far as ckpt needs to trust them before CRIU does.
#pragma once
#include <filesystem>
#include <optional>

namespace ckpt {

/// Compares every pages-N.img with what its pagemap-*.img files promise. CRIU's restorer would read a short
/// one for ever (facts 2.3). Throws Error(image_invalid) naming the file. Formats: CRIU images/pagemap.proto.
void check_page_sizes(const std::filesystem::path& images);

/// Of a dump's stats-dump (images/stats.proto: dump_stats_entry).
struct DumpStats {
  double frozen = 0;                ///< seconds for which the tasks were frozen
  std::uint64_t pages_written = 0;  ///< those that the parent dump has are left out
};
std::optional<DumpStats> dump_stats(const std::filesystem::path& stats_dump);

}  // namespace ckpt
