// Reading CRIU's own image files, as far as ckpt needs to trust them before CRIU does.
#pragma once
#include <filesystem>
#include <optional>

namespace ckpt {

/// Compares every pages-N.img with what its pagemap-*.img files promise. CRIU's restorer would read a short
/// one for ever (facts 2.3). Throws Error(image_invalid) naming the file. Formats: CRIU images/pagemap.proto.
void check_page_sizes(const std::filesystem::path& images);

/// How long the tasks were frozen, from a dump's stats-dump (images/stats.proto: dump.frozen_time,
/// microseconds).
std::optional<double> frozen_seconds(const std::filesystem::path& stats_dump);

}  // namespace ckpt
