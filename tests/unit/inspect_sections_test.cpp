// What the page of a checkpoint says of its memory, of the others, and of what changed.
#include "commands/inspect_sections.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

ImageMapping mapping(std::uint64_t start, std::uint64_t size, std::uint64_t in_image, const char* kind,
                     std::uint32_t file = 0) {
  return {.start = start,
          .end = start + size,
          .protection = 3,
          .file_id = file,
          .kind = kind,
          .in_image = in_image};
}

InspectedProcess process(int pid, const char* comm, std::vector<ImageMapping> mappings) {
  InspectedProcess one{{.pid = pid, .ppid = 1, .comm = comm, .threads = {pid}}, {}, {}};
  one.memory.mappings = std::move(mappings);
  for (const ImageMapping& m : one.memory.mappings) {
    one.memory.mapped += m.size();
    one.memory.in_image += m.in_image;
    one.memory.in_parent += m.in_parent;
  }
  return one;
}

Manifest manifest() {
  Manifest m;
  m.id = "web";
  m.runtime_version = "1.3.4";
  m.criu_version = "4.2";
  m.created = "2026-11-22T10:00:00Z";
  m.machine.kernel = "6.1";
  m.mounts = {{.destination = "/data", .type = "bind", .source = "/srv"}};
  m.seconds = {{"frozen", 0.25}, {"runtime", 0.5}};
  return m;
}

Inspection inspection() {
  Inspection one;
  one.name = "web@2";
  one.image = {"/store/web/2", manifest()};
  one.bytes = 5000;
  one.contents = Contents{};
  one.contents->processes = {
      process(1, "init", {mapping(4096, 8192, 4096, "file", 7), mapping(65536, 4096, 4096, "heap")}),
      process(9, "web", {mapping(4096, 40960, 20480, "anonymous")})};
  one.contents->files = {{.id = 7, .path = "/bin/init", .size = 10}, {.id = 8, .path = "/data/log"}};
  one.paths = {{7, "/bin/init"}, {8, "/data/log"}};
  one.holders[8].push_back({9, 3});
  return one;
}

double weight_of(const HtmlTreemap& map) {
  double sum = 0;
  for (const HtmlTileGroup& group : map.groups)
    for (const HtmlTile& tile : group.tiles) sum += tile.weight;
  return sum;
}

/// Of all rows of that column.
std::uint64_t column_sum(const HtmlTable& table, const std::string& heading) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    for (const auto& row : table.rows)
      if (table.columns[i].heading == heading) sum += std::stoull(row[i].value);
  return sum;
}

/// A row as its texts with bars between.
std::string row_text(const std::vector<HtmlCell>& row) {
  std::string text;
  for (const HtmlCell& cell : row) text += (text.empty() ? "" : "|") + cell.text;
  return text;
}
std::vector<std::string> texts(const HtmlSection& section, std::size_t table = 0) {
  std::vector<std::string> all;
  REQUIRE(section.tables.size() > table);
  for (const auto& row : section.tables[table].rows) all.push_back(row_text(row));
  return all;
}
bool has(const std::vector<std::string>& all, const std::string& wanted) {
  return std::find(all.begin(), all.end(), wanted) != all.end();
}

Taken taken(const char* stamp, const char* created, std::optional<Manifest> of) {
  Taken one{.stored = {.id = "web", .name = std::string("web@") + stamp, .created = created, .bytes = 1000},
            .manifest = std::move(of)};
  one.stored.complete = one.manifest.has_value();
  return one;
}

}  // namespace

TEST_CASE("page: what is saved and what is mapped, by process and mapping") {
  const HtmlSection section = memory_section(inspection());
  REQUIRE(section.maps.size() == 2);
  CHECK(weight_of(section.maps[0]) == 4096 + 4096 + 20480);
  CHECK(weight_of(section.maps[1]) == 8192 + 4096 + 40960);
  CHECK(section.maps[0].groups[0].label == "9 web");
  CHECK(section.maps[0].groups[0].tiles[0].full == 1);
  CHECK(section.maps[1].groups[0].tiles[0].full == 0.5);
  const HtmlTile& file = section.maps[1].groups[1].tiles[0];
  CHECK(file.label == "init");
  CHECK(contains(file.title, "1 init: /bin/init rw-p at 1000, 8.2 kB mapped, 4.1 kB in the image"));
  CHECK(has(texts(section), "9|1|web|1|0|41.0 kB|20.5 kB|20.5 kB"));
  CHECK(has(texts(section), "all|||53.2 kB|28.7 kB|24.6 kB"));
}

TEST_CASE("page: pages of a pre-dump and shared memory are shown as such") {
  Inspection one = inspection();
  one.contents->shared_memory = 1U << 20U;
  one.contents->processes[1].memory.mappings[0].in_parent = 4096;
  one.contents->processes[1].memory.in_parent = 4096;
  const HtmlSection section = memory_section(one);
  CHECK(weight_of(section.maps[0]) == 28672 + 4096 + (1U << 20U));
  CHECK(section.maps[0].groups[0].label == "shared memory");
  CHECK(section.maps[0].groups[1].tiles[0].half > 0.16);
  CHECK(column_sum(mapping_table(one), "In a pre-dump") == 4096);
}

TEST_CASE("page: of many mappings and processes the small ones are together, and nothing is lost") {
  Inspection one = inspection();
  for (int pid = 10; pid < 60; ++pid) {
    std::vector<ImageMapping> many;
    for (std::uint64_t i = 1; i <= 100; ++i) many.push_back(mapping(i << 20U, 4096 * i, 4096, "anonymous"));
    one.contents->processes.push_back(process(pid, "many", many));
  }
  const HtmlSection section = memory_section(one);
  const double saved = 28672 + 50.0 * 100 * 4096;
  CHECK(weight_of(section.maps[0]) == saved);
  CHECK(section.maps[0].groups.size() == 24);
  CHECK(section.maps[0].groups[0].tiles.size() == 40);
  const HtmlTable table = mapping_table(one);
  CHECK(table.rows.size() == 2001);
  CHECK(table.rows.back()[1].text == "3003 more");
  CHECK(static_cast<double>(column_sum(table, "In the image")) == saved);
  CHECK(column_sum(table, "Mapped") == 53248 + std::uint64_t{50} * 4096 * 5050);
}

TEST_CASE("page: of gVisor's image the files are shown, and why no more") {
  Inspection one = inspection();
  one.contents.reset();
  one.files = {{.path = "checkpoint/pages.img", .size = 4000},
               {.path = "checkpoint/checkpoint.img", .size = 1000}};
  const HtmlSection section = memory_section(one);
  CHECK(contains(section.notes.at(0), "gVisor's image cannot be decoded"));
  CHECK(weight_of(section.maps.at(0)) == 5000);
  CHECK(section.tables.empty());
  const HtmlSection contents = contents_section(one);
  CHECK(contents.tables.at(0).caption == "Mounts of the configuration");
  CHECK(has(texts(contents, 1), "checkpoint/pages.img|4.0 kB"));
}

TEST_CASE("page: the timeline says what is recorded, and only that") {
  History history{.taken = {taken("1", "2026-11-22T10:00:00Z", manifest()), taken(".2", "", std::nullopt),
                            taken("3", "2026-11-22T10:10:00Z", manifest())},
                  .failures = {},
                  .failures_directory = "/run/ckpt/failed"};
  history.taken[0].manifest->seconds.clear();
  history.taken[2].manifest->pre_dumps = {{"pre-1", 5, 0.5}, {"pre-2", 1, 0.25}};
  history.taken[2].shown = true;
  history.taken[2].stored.pinned = true;
  HtmlSection section = timeline_section(history);
  CHECK(section.tables.at(0).marked == 2U);
  CHECK(texts(section).at(0) == "web@1|2026-11-22T10:00:00Z|-|1.0 kB|-|-|-|stopped the container");
  CHECK(texts(section).at(1) == "web@.2|-|-|1.0 kB|-|-|-|incomplete: cut short, or being taken");
  CHECK(
      texts(section).at(2) ==
      "web@3|2026-11-22T10:10:00Z|-|1.0 kB|0.250 s|0.500 s|0.750 s|this one, pinned, stopped the container");
  CHECK(section.bars.size() == 2);
  CHECK(section.bars[1].bars.size() == 2);
  CHECK(section.tables.size() == 1);
  CHECK(contains(section.notes.at(1), "There is none of this container"));
  history.failures = {
      {.what = "checkpoint", .written = "2026-11-22T10:05:00Z", .cause = "Error", .path = "/l"}};
  section = timeline_section(history);
  CHECK(texts(section, 1).at(0) == "checkpoint|2026-11-22T10:05:00Z|Error|-|/l");
  CHECK_FALSE(contains(section.notes.at(1), "none"));
}

TEST_CASE("page: what changed, and what did not") {
  Before before{.inspection = inspection(), .unread = {}};
  Inspection now = inspection();
  HtmlSection section = changes_section(before, now);
  CHECK(section.tables.empty());
  CHECK(contains(section.notes.at(0), "The same as in web@2: size, memory of 2 processes, runtime and CRIU"));
  now.bytes = 4000;
  now.contents->processes[1] = process(9, "web", {mapping(4096, 40960, 40960, "anonymous")});
  now.contents->processes[0].process.comm = "other";
  now.holders[7].push_back({1, 4});
  now.image.manifest->criu_version = "4.1";
  now.image.manifest->gpu.strategy = "plugin";
  now.image.manifest->mounts = {{.destination = "/data", .type = "bind", .source = "/mnt"}};
  section = changes_section(before, now);
  const std::vector<std::string> rows = texts(section);
  for (const char* row :
       {"size|5.0 kB|4.0 kB|\u22121.0 kB", "memory of process 9 web|20.5 kB|41.0 kB|+20.5 kB",
        "memory of process 1 other|-|8.2 kB|new", "memory of process 1 init|8.2 kB|-|gone",
        "open file /bin/init|-|10 B|new",
        "runtime and CRIU|runc 1.3.4, CRIU 4.2|runc 1.3.4, CRIU 4.1|changed",
        "mount /data|bind /srv|bind /mnt|changed"}) {
    INFO(row);
    CHECK(has(rows, row));
  }
  CHECK(std::any_of(rows.begin(), rows.end(),
                    [](const auto& row) { return row.starts_with("gpu|none|plugin"); }));
}

TEST_CASE("page: no checkpoint before, one that cannot be read, one that cannot be compared") {
  CHECK(contains(changes_section({}, inspection()).notes.at(0), "no earlier checkpoint"));
  CHECK(contains(changes_section({.inspection = {}, .unread = "'x' is damaged"}, inspection()).notes.at(0),
                 "cannot be read: 'x' is damaged"));
  Before opaque{.inspection = inspection(), .unread = {}};
  opaque.inspection->contents.reset();
  CHECK(contains(changes_section(opaque, inspection()).notes.at(1), "are not compared"));
}
