// The page's memory: a treemap of what the image holds, one of what is mapped, and both as tables.
#include <algorithm>

#include "commands/images.h"
#include "commands/inspect_sections.h"

namespace ckpt {
namespace {

constexpr std::size_t kMostTiles = 40, kMostGroups = 24, kMostRows = 2000;

/// A mapping of a process, or several small ones together.
struct Part {
  std::string label, title, kind;
  std::uint64_t mapped = 0, in_image = 0, in_parent = 0;
  std::uint64_t held() const { return in_image + in_parent; }
};
using Weight = std::uint64_t (*)(const Part&);

struct Group {
  std::string label;
  std::vector<Part> parts;
};

std::uint64_t held(const Part& part) {
  return part.held();
}
std::uint64_t mapped(const Part& part) {
  return part.mapped;
}

std::uint64_t sum_of(const std::vector<Part>& parts, Weight weight) {
  std::uint64_t sum = 0;
  for (const Part& part : parts) sum += weight(part);
  return sum;
}

std::string colour_of(const std::string& kind) {
  if (kind == "sysv") return "shared";
  const std::vector<std::string>& kinds = html_tile_kinds();
  return std::find(kinds.begin(), kinds.end(), kind) == kinds.end() ? kinds.back() : kind;
}

std::string path_of(const Inspection& inspection, const ImageMapping& mapping) {
  const auto path = inspection.paths.find(mapping.file_id);
  return mapping.file_id == 0 || path == inspection.paths.end() ? "" : path->second;
}

std::string process_name(const ImageProcess& process) {
  return fmt::format("{} {}", process.pid, process.comm);
}

std::string sizes_text(const Part& part) {
  return fmt::format("{} mapped, {} in the image{}", human(part.mapped), human(part.in_image),
                     part.in_parent == 0 ? "" : fmt::format(", {} in a pre-dump", human(part.in_parent)));
}

// ---- figures

Part part_of(const Inspection& inspection, const ImageProcess& process, const ImageMapping& mapping) {
  const std::string path = path_of(inspection, mapping);
  const std::string name = path.substr(path.rfind('/') + 1);
  Part part{.label = name.empty() ? mapping.kind : name,
            .title = {},
            .kind = colour_of(mapping.kind),
            .mapped = mapping.size(),
            .in_image = mapping.in_image,
            .in_parent = mapping.in_parent};
  part.title = fmt::format("{}: {} {} at {:x}, {}", process_name(process), path.empty() ? mapping.kind : path,
                           protection(mapping), mapping.start, sizes_text(part));
  return part;
}

/// The small ones of `parts` become one.
void merge_small(std::vector<Part>& parts, Weight weight) {
  std::stable_sort(parts.begin(), parts.end(),
                   [weight](const Part& a, const Part& b) { return weight(a) > weight(b); });
  if (parts.size() <= kMostTiles) return;
  const std::size_t few = parts.size() - kMostTiles + 1;
  Part rest{.label = fmt::format("{} smaller", few), .title = {}, .kind = "other"};
  for (std::size_t i = kMostTiles - 1; i < parts.size(); ++i) {
    rest.mapped += parts[i].mapped;
    rest.in_image += parts[i].in_image;
    rest.in_parent += parts[i].in_parent;
  }
  rest.title = fmt::format("{} smaller mappings: {}", few, sizes_text(rest));
  parts.resize(kMostTiles - 1);
  parts.push_back(rest);
}

/// The small ones of `groups` become one of one part each.
void merge_small(std::vector<Group>& groups, Weight weight) {
  std::stable_sort(groups.begin(), groups.end(), [weight](const Group& a, const Group& b) {
    return sum_of(a.parts, weight) > sum_of(b.parts, weight);
  });
  if (groups.size() <= kMostGroups) return;
  Group rest{.label = fmt::format("{} other processes", groups.size() - kMostGroups + 1), .parts = {}};
  for (std::size_t i = kMostGroups - 1; i < groups.size(); ++i) {
    Part whole{.label = groups[i].label, .title = {}, .kind = "other"};
    for (const Part& part : groups[i].parts) {
      whole.mapped += part.mapped;
      whole.in_image += part.in_image;
      whole.in_parent += part.in_parent;
    }
    whole.title = fmt::format("{}: {}", whole.label, sizes_text(whole));
    rest.parts.push_back(whole);
  }
  groups.resize(kMostGroups - 1);
  groups.push_back(std::move(rest));
}

HtmlTile tile_of(const Part& part, Weight weight) {
  const auto whole = static_cast<double>(std::max<std::uint64_t>(weight(part), 1));
  return {.label = part.label,
          .detail = human(weight(part)),
          .title = part.title,
          .kind = part.kind,
          .weight = static_cast<double>(weight(part)),
          .full = static_cast<double>(part.in_image) / whole,
          .half = static_cast<double>(part.in_parent) / whole};
}

/// What there is of each kind.
std::vector<std::pair<std::string, std::string>> legend_of(const std::vector<Group>& groups, Weight weight) {
  std::map<std::string, std::uint64_t> sums;
  for (const Group& group : groups)
    for (const Part& part : group.parts) sums[part.kind] += weight(part);
  std::vector<std::pair<std::string, std::string>> legend;
  for (const std::string& kind : html_tile_kinds())
    if (sums[kind] > 0) legend.emplace_back(kind, fmt::format("{} {}", kind, human(sums[kind])));
  return legend;
}

HtmlTreemap map_of(const std::string& caption, std::vector<Group> groups, Weight weight) {
  HtmlTreemap map{.caption = caption, .groups = {}, .legend = legend_of(groups, weight)};
  for (Group& group : groups) merge_small(group.parts, weight);
  merge_small(groups, weight);
  for (const Group& group : groups) {
    map.groups.push_back({.label = group.label, .detail = human(sum_of(group.parts, weight)), .tiles = {}});
    for (const Part& part : group.parts)
      if (weight(part) > 0) map.groups.back().tiles.push_back(tile_of(part, weight));
  }
  std::erase_if(map.groups, [](const HtmlTileGroup& group) { return group.tiles.empty(); });
  return map;
}

std::vector<Group> groups_of(const Inspection& inspection) {
  std::vector<Group> groups;
  for (const InspectedProcess& one : inspection.contents->processes) {
    groups.push_back({process_name(one.process), {}});
    for (const ImageMapping& mapping : one.memory.mappings)
      groups.back().parts.push_back(part_of(inspection, one.process, mapping));
  }
  return groups;
}

/// Of an image that only its files are known of.
HtmlTreemap map_of_files(const Inspection& inspection) {
  Group files{"files", {}};
  for (const ImageFile& file : inspection.files)
    files.parts.push_back({.label = file.path.substr(file.path.rfind('/') + 1),
                           .title = fmt::format("{}, {}", file.path, human(file.size)),
                           .kind = "file",
                           .mapped = file.size,
                           .in_image = file.size});
  HtmlTreemap map = map_of(fmt::format("{} in {} files", human(inspection.bytes), inspection.files.size()),
                           {std::move(files)}, held);
  map.legend.clear();
  return map;
}

// ---- tables

HtmlCell bytes_cell(std::uint64_t bytes) {
  return {bytes == 0 ? "-" : human(bytes), std::to_string(bytes)};
}

/// What there is in all, and whether any of it is in pre-dumps.
struct Totals {
  std::uint64_t mapped = 0, in_image = 0, in_parent = 0;
};

Totals totals_of(const Contents& contents) {
  Totals totals;
  for (const InspectedProcess& one : contents.processes) {
    totals.mapped += one.memory.mapped;
    totals.in_image += one.memory.in_image;
    totals.in_parent += one.memory.in_parent;
  }
  return totals;
}

/// The column of pre-dumps is only there with `parents`.
void add_sizes(std::vector<HtmlCell>& row, const Totals& sizes, bool parents) {
  row.push_back(bytes_cell(sizes.mapped));
  row.push_back(bytes_cell(sizes.in_image));
  if (parents) row.push_back(bytes_cell(sizes.in_parent));
  row.push_back(bytes_cell(sizes.mapped - std::min(sizes.mapped, sizes.in_image + sizes.in_parent)));
}

std::vector<HtmlColumn> with_sizes(std::vector<HtmlColumn> columns, bool parents) {
  columns.push_back({"Mapped", true});
  columns.push_back({"In the image", true});
  if (parents) columns.push_back({"In a pre-dump", true});
  columns.push_back({"Not saved", true});
  return columns;
}

HtmlTable process_table(const Contents& contents, const Totals& totals) {
  const bool parents = totals.in_parent > 0;
  HtmlTable table{
      .caption = "Processes",
      .columns = with_sizes(
          {{"Pid", true}, {"Parent", true}, {"Command"}, {"Threads", true}, {"Descriptors", true}}, parents),
      .rows = {}};
  for (const InspectedProcess& one : contents.processes) {
    table.rows.push_back({{std::to_string(one.process.pid)},
                          {std::to_string(one.process.ppid)},
                          {one.process.comm},
                          {std::to_string(one.process.threads.size())},
                          {std::to_string(one.descriptors.size())}});
    add_sizes(table.rows.back(), {one.memory.mapped, one.memory.in_image, one.memory.in_parent}, parents);
  }
  if (contents.processes.size() < 2) return table;
  table.rows.push_back({{""}, {""}, {"all"}, {""}, {""}});
  add_sizes(table.rows.back(), totals, parents);
  return table;
}

struct MappingRow {
  const ImageProcess* process;
  const ImageMapping* mapping;
};

/// Of each process, what the image holds most of first.
std::vector<MappingRow> mapping_rows(const Contents& contents) {
  std::vector<MappingRow> rows;
  for (const InspectedProcess& one : contents.processes) {
    const auto begin = static_cast<std::ptrdiff_t>(rows.size());
    for (const ImageMapping& mapping : one.memory.mappings) rows.push_back({&one.process, &mapping});
    std::stable_sort(rows.begin() + begin, rows.end(), [](const MappingRow& a, const MappingRow& b) {
      return std::pair(a.mapping->in_image + a.mapping->in_parent, a.mapping->size()) >
             std::pair(b.mapping->in_image + b.mapping->in_parent, b.mapping->size());
    });
  }
  return rows;
}

std::vector<std::string> notes_of(const Inspection& inspection, bool parents) {
  std::vector<std::string> notes = {
      "In full colour what this dump wrote, " +
      std::string(parents ? "paler what an earlier pre-dump of the same checkpoint holds, " : "") +
      "palest what was not saved: pages of files that did not change and are mapped again, pages of zeros or "
      "never touched, memory without access. CRIU's images do not tell these apart."};
  if (inspection.contents->shared_memory > 0)
    notes.push_back("Memory that processes share without a file is in the image once, of no process' own.");
  const auto& manifest = inspection.image.manifest;
  if (manifest && manifest->options.compression && *manifest->options.compression != "none")
    notes.push_back("The image is compressed; sizes of memory are those of the pages themselves.");
  return notes;
}

}  // namespace

HtmlSection memory_section(const Inspection& inspection) {
  HtmlSection section{.heading = "Memory", .notes = {}};
  if (!inspection.contents) {
    section.notes = {std::string(kOpaque) + ". What is known are the sizes of its files."};
    section.maps.push_back(map_of_files(inspection));
    return section;
  }
  std::vector<Group> groups = groups_of(inspection);
  const Totals totals = totals_of(*inspection.contents);
  const std::uint64_t saved = totals.in_image + totals.in_parent;
  section.notes = notes_of(inspection, totals.in_parent > 0);
  HtmlTreemap all_mapped = map_of(
      fmt::format("Mapped: {}, of which {} are saved", human(totals.mapped), human(saved)), groups, mapped);
  const std::uint64_t shared = inspection.contents->shared_memory;
  if (shared > 0)
    groups.push_back({"shared memory",
                      {{.label = "shared",
                        .title = fmt::format("memory shared without a file, {}", human(shared)),
                        .kind = "shared",
                        .mapped = shared,
                        .in_image = shared}}});
  section.maps.push_back(map_of(fmt::format("Saved: {}", human(saved + shared)), std::move(groups), held));
  section.maps.push_back(std::move(all_mapped));
  std::erase_if(section.maps, [](const HtmlTreemap& map) { return map.groups.empty(); });
  section.tables = {process_table(*inspection.contents, totals)};
  return section;
}

HtmlTable mapping_table(const Inspection& inspection) {
  const bool parents = totals_of(*inspection.contents).in_parent > 0;
  HtmlTable table{
      .caption = "Mappings",
      .columns = with_sizes(
          {{"Pid", true}, {"Command"}, {"Kind"}, {"Protection"}, {"Address", true}, {"File"}}, parents),
      .rows = {}};
  const std::vector<MappingRow> rows = mapping_rows(*inspection.contents);
  Totals rest;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ImageMapping& mapping = *rows[i].mapping;
    if (i >= kMostRows) {
      rest.mapped += mapping.size();
      rest.in_image += mapping.in_image;
      rest.in_parent += mapping.in_parent;
      continue;
    }
    table.rows.push_back({{std::to_string(rows[i].process->pid)},
                          {rows[i].process->comm},
                          {mapping.kind},
                          {protection(mapping)},
                          {fmt::format("{:x}", mapping.start)},
                          {path_of(inspection, mapping)}});
    add_sizes(table.rows.back(), {mapping.size(), mapping.in_image, mapping.in_parent}, parents);
  }
  if (rows.size() <= kMostRows) return table;
  table.rows.push_back({{""}, {fmt::format("{} more", rows.size() - kMostRows)}, {""}, {""}, {""}, {""}});
  add_sizes(table.rows.back(), rest, parents);
  return table;
}

}  // namespace ckpt
