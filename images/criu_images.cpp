// The sizes that page maps promise, and the times of a dump.
#include "images/criu_images.h"

#include <unistd.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "images/protobuf.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

struct Promise {
  std::uint64_t pages_id = 0, pages = 0;
};

/// pagemap_head{pages_id = 1}, then pagemap_entry{nr_pages = 2 (compat) or 5, in_parent = 3, flags = 4}.
Promise read_pagemap(std::string_view file) {
  constexpr std::uint64_t kPresent = 4;  // PE_PRESENT, criu/include/pagemap.h
  Promise promise;
  Entries entries(file);
  if (auto head = entries.next())
    while (const auto field = head->next())
      if (*field == 1) promise.pages_id = head->value();
  while (auto entry = entries.next()) {
    std::uint64_t pages = 0;
    std::optional<std::uint64_t> flags;
    bool in_parent = false;
    while (const auto field = entry->next()) {
      if (*field == 2 || *field == 5) pages = std::max(pages, entry->value());
      if (*field == 3) in_parent = entry->value() != 0;
      if (*field == 4) flags = entry->value();
    }
    if (flags ? (*flags & kPresent) != 0 : !in_parent) promise.pages += pages;
  }
  return promise;
}

}  // namespace

void check_page_sizes(const fs::path& images) {
  std::map<std::uint64_t, std::uint64_t> promised;
  for (const fs::directory_entry& entry : fs::directory_iterator(images)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("pagemap-") || !name.ends_with(".img")) continue;
    const Promise promise = read_pagemap(read_file(entry.path(), 1U << 30U).value_or(""));
    promised[promise.pages_id] += promise.pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  for (const auto& [id, bytes] : promised) {
    const fs::path file = images / fmt::format("pages-{}.img", id);
    std::error_code error;
    const std::uintmax_t size = fs::file_size(file, error);
    if (bytes == 0 || (!error && size >= bytes)) continue;
    throw Error(ErrorCode::image_invalid, fmt::format("'{}' is cut short: {} bytes, its page maps need {}",
                                                      file.string(), error ? 0 : size, bytes))
        .with_hint("restore another checkpoint; this one is damaged");
  }
}

std::optional<double> frozen_seconds(const fs::path& stats_dump) {
  const std::string file = read_file(stats_dump).value_or("");
  Entries entries(file);
  auto stats = entries.next();
  if (!stats) return std::nullopt;
  while (const auto field = stats->next()) {
    if (*field != 1) continue;
    Message dump = stats->message();
    while (const auto inner = dump.next())
      if (*inner == 2) return static_cast<double>(dump.value()) / 1e6;
  }
  return std::nullopt;
}

}  // namespace ckpt
