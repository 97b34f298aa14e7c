// mm-PID.img says what is mapped, pagemap-PID.img which pages were written. Numbers: CRIU's images/mm.proto,
// vma.proto and pagemap.proto; bits of a mapping's status: criu/include/image.h.
#include "images/criu_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "images/compression.h"
#include "images/criu_entries.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::uint64_t kFile = 1U << 6U | 1U << 7U;  // private, shared
constexpr std::uint64_t kVsyscall = 1U << 2U;
/// Four times what vm.max_map_count allows by default.
constexpr std::size_t kMostMappings = 1U << 18U;
/// One run per 256 pages at most, and more where memory is touched here and there.
constexpr Bounds kPageMap = {.bytes = 256U << 20U, .entries = 1U << 23U};

struct Kind {
  std::uint64_t status;
  const char* name;
};
/// The first that fits. CRIU 4.2 marks shared anonymous memory as that of a memfd.
constexpr Kind kKinds[] = {{kVsyscall, "vsyscall"}, {1U << 3U, "vdso"},   {1U << 12U, "vvar"},
                           {1U << 5U, "heap"},      {1U << 1U, "stack"},  {1U << 10U, "sysv"},
                           {1U << 11U, "socket"},   {1U << 13U, "aio"},   {1U << 14U, "shared"},
                           {kFile, "file"},         {1U << 8U, "shared"}, {1U << 9U, "anonymous"}};

const char* kind_of(std::uint64_t status) {
  for (const Kind& kind : kKinds)
    if ((status & kind.status) != 0) return kind.name;
  return "other";
}

/// vma_entry; `shmid` is a file's id when the mapping has one. nullopt for a page of the kernel's address
/// space.
std::optional<ImageMapping> to_mapping(Message entry) {
  ImageMapping mapping;
  std::uint64_t shmid = 0, flags = 0, status = 0;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) mapping.start = m.value();
    if (field == 2) mapping.end = m.value();
    if (field == 4) shmid = m.value();
    if (field == 5) mapping.protection = static_cast<std::uint32_t>(m.value());
    if (field == 6) flags = m.value();
    if (field == 7) status = m.value();
  });
  if (mapping.end < mapping.start) throw Damage();
  if ((status & kVsyscall) != 0) return std::nullopt;
  mapping.shared = (flags & MAP_TYPE) == MAP_SHARED;
  // CRIU 4.2 sets no status bit for the main thread's stack.
  mapping.kind = (flags & MAP_GROWSDOWN) != 0 ? "stack" : kind_of(status);
  if (mapping.kind == "file") mapping.file_id = static_cast<std::uint32_t>(shmid);
  return mapping;
}

/// mm_entry{vmas = 14}, by address and disjoint.
std::vector<ImageMapping> read_mappings(const fs::path& file) {
  std::vector<ImageMapping> mappings;
  each_entry(file, [&](Message mm) {
    each_field(mm, [&](std::uint64_t field, const Message& m) {
      if (field != 14) return;
      if (mappings.size() == kMostMappings) throw Damage();
      if (auto mapping = to_mapping(m.message())) mappings.push_back(std::move(*mapping));
    });
  });
  std::sort(mappings.begin(), mappings.end(),
            [](const ImageMapping& a, const ImageMapping& b) { return a.start < b.start; });
  for (std::size_t i = 1; i < mappings.size(); ++i)
    if (mappings[i].start < mappings[i - 1].end)
      throw_damaged(file, "is damaged: it has mappings that overlap");
  return mappings;
}

struct PageRun {
  std::uint64_t start = 0, end = 0;
  bool present = false, in_parent = false;
};

/// pagemap_entry{vaddr = 1, nr_pages = 2 (compat) or 5, in_parent = 3, flags = 4}; older CRIU has no flags.
PageRun to_run(Message entry) {
  constexpr std::uint64_t kParent = 1, kPresent = 4;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  PageRun run;
  std::uint64_t pages = 0;
  std::optional<std::uint64_t> flags;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) run.start = m.value();
    if (field == 2 || field == 5) pages = std::max(pages, m.value());
    if (field == 3) run.in_parent = m.value() != 0;
    if (field == 4) flags = m.value();
  });
  run.present = flags ? (*flags & kPresent) != 0 : !run.in_parent;
  run.in_parent = flags ? (*flags & kParent) != 0 : run.in_parent;
  if (pages > (~std::uint64_t{0} - run.start) / page) throw Damage();
  run.end = run.start + pages * page;
  return run;
}

/// By address and disjoint. The first entry is the head.
std::vector<PageRun> read_runs(const fs::path& file) {
  std::vector<PageRun> runs;
  bool head = true;
  each_entry(
      file,
      [&](Message entry) {
        if (!head) runs.push_back(to_run(entry));
        head = false;
      },
      kPageMap);
  std::sort(runs.begin(), runs.end(), [](const PageRun& a, const PageRun& b) { return a.start < b.start; });
  for (std::size_t i = 1; i < runs.size(); ++i)
    if (runs[i].start < runs[i - 1].end) throw_damaged(file, "is damaged: it has the same pages twice");
  return runs;
}

/// Both are sorted; a run may reach over several mappings.
void attribute(const std::vector<PageRun>& runs, std::vector<ImageMapping>& mappings) {
  auto run = runs.begin();
  for (ImageMapping& mapping : mappings) {
    while (run != runs.end() && run->end <= mapping.start) ++run;
    for (auto it = run; it != runs.end() && it->start < mapping.end; ++it) {
      const std::uint64_t bytes = std::min(it->end, mapping.end) - std::max(it->start, mapping.start);
      if (it->present) mapping.in_image += bytes;
      if (it->in_parent) mapping.in_parent += bytes;
      if (it->end <= mapping.end) run = it + 1;
    }
  }
}

}  // namespace

ImageMemory image_memory(const fs::path& images, int pid) {
  ImageMemory memory;
  memory.mappings = read_mappings(images / fmt::format("mm-{}.img", pid));
  attribute(read_runs(images / fmt::format("pagemap-{}.img", pid)), memory.mappings);
  for (const ImageMapping& mapping : memory.mappings) {
    memory.mapped += mapping.size();
    memory.in_image += mapping.in_image;
    memory.in_parent += mapping.in_parent;
  }
  return memory;
}

std::uint64_t image_shared_memory(const fs::path& images) {
  std::uint64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(images)) {
    const std::string name = without_packed_suffix(entry.path().filename().string());
    if (!name.starts_with("pagemap-shmem-") || !name.ends_with(".img")) continue;
    for (const PageRun& run : read_runs(images / name))
      if (run.present) bytes += run.end - run.start;
  }
  return bytes;
}

}  // namespace ckpt
