// ckpt images inspect NAME: the manifest's facts, and what CRIU's files say of the processes.
#include <algorithm>

#include "commands/images.h"
#include "commands/inspect_html.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

// ---- as JSON

json text_or_null(const std::string& text) {
  return text.empty() ? json() : json(text);
}

json to_json(const ImageMapping& mapping, const std::map<std::uint32_t, std::string>& paths) {
  const auto path = paths.find(mapping.file_id);
  return {{"start", fmt::format("{:x}", mapping.start)},
          {"end", fmt::format("{:x}", mapping.end)},
          {"bytes", mapping.size()},
          {"protection", protection(mapping)},
          {"kind", mapping.kind},
          {"path", mapping.file_id == 0 || path == paths.end() ? json() : json(path->second)},
          {"in_image", mapping.in_image},
          {"in_parent", mapping.in_parent}};
}

json to_json(const InspectedProcess& one, const std::map<std::uint32_t, std::string>& paths) {
  json mappings = json::array(), descriptors = json::array();
  for (const ImageMapping& mapping : one.memory.mappings) mappings.push_back(to_json(mapping, paths));
  for (const ImageDescriptor& d : one.descriptors)
    descriptors.push_back(
        {{"fd", d.fd}, {"type", d.type}, {"file", d.file_id}, {"close_on_exec", d.close_on_exec}});
  return {{"pid", one.process.pid},
          {"ppid", one.process.ppid},
          {"comm", one.process.comm},
          {"threads", one.process.threads},
          {"memory",
           {{"mapped", one.memory.mapped},
            {"in_image", one.memory.in_image},
            {"in_parent", one.memory.in_parent}}},
          {"mappings", mappings},
          {"descriptors", descriptors}};
}

json holders_to_json(const Inspection& inspection, std::uint32_t id) {
  json holders = json::array();
  if (const auto found = inspection.holders.find(id); found != inspection.holders.end())
    for (const Holder& holder : found->second) holders.push_back({{"pid", holder.pid}, {"fd", holder.fd}});
  return holders;
}

json to_json(const ImageOpenFile& file, const Inspection& inspection) {
  return {{"id", file.id},
          {"path", file.path},
          {"bytes", file.size ? json(*file.size) : json()},
          {"flags", open_flags(file.flags)},
          {"mode", fmt::format("{:o}", file.mode)},
          {"mount", file.mount_id < 0 ? json() : json(file.mount_id)},
          {"deleted", file.ghost},
          {"external", file.external},
          {"open_by", holders_to_json(inspection, file.id)}};
}

json to_json(const ImageSocket& socket, const Inspection& inspection) {
  return {{"id", socket.id},
          {"family", socket.family},
          {"type", text_or_null(socket.type)},
          {"protocol", text_or_null(socket.protocol)},
          {"state", text_or_null(socket.state)},
          {"local", text_or_null(socket.local)},
          {"remote", text_or_null(socket.remote)},
          {"open_by", holders_to_json(inspection, socket.id)}};
}

json to_json(const ImageMount& mount) {
  return {{"id", mount.id},
          {"parent", mount.parent},
          {"type", text_or_null(mount.type)},
          {"source", mount.source},
          {"root", mount.root},
          {"mountpoint", mount.mountpoint},
          {"options", mount.options},
          {"external", text_or_null(mount.external)}};
}

json contents_to_json(const Inspection& inspection) {
  json processes = json::array(), files = json::array(), sockets = json::array(), mounts = json::array();
  for (const InspectedProcess& one : inspection.contents->processes)
    processes.push_back(to_json(one, inspection.paths));
  for (const ImageOpenFile& file : inspection.contents->files) files.push_back(to_json(file, inspection));
  for (const ImageSocket& socket : inspection.contents->sockets)
    sockets.push_back(to_json(socket, inspection));
  for (const ImageMount& mount : inspection.contents->mounts) mounts.push_back(to_json(mount));
  return {{"processes", processes},
          {"open_files", files},
          {"sockets", sockets},
          {"mounts", mounts},
          {"shared_memory", inspection.contents->shared_memory}};
}

json to_json(const Inspection& inspection) {
  json files = json::array(), manifest;
  for (const ImageFile& file : inspection.files) files.push_back({{"path", file.path}, {"bytes", file.size}});
  if (inspection.image.manifest) {
    manifest = manifest_to_json(*inspection.image.manifest);
    manifest.erase("files");
  }
  return {{"name", inspection.name},
          {"path", inspection.image.directory.string()},
          {"bytes", inspection.bytes},
          {"manifest", manifest},
          {"files", files},
          {"contents", inspection.contents ? contents_to_json(inspection) : json()},
          {"not_decoded", inspection.contents ? json() : json(kOpaque)}};
}

// ---- for people

/// What a container named must not reach the terminal as a control sequence.
std::string shown(const std::string& text) {
  return text.empty() ? "-" : plain(text);
}

using Rows = std::vector<std::vector<std::string>>;

/// The first rows, `few` of them without --verbose, below an empty line; nothing for none.
void print_section(const Context& context, const std::vector<std::string>& heading, Rows rows,
                   std::size_t few) {
  if (rows.empty()) return;
  const std::size_t all = rows.size();
  if (context.globals.verbose == 0 && all > few) rows.resize(few);
  context.out.line("");
  context.out.table(heading, rows);
  if (rows.size() < all) context.out.line(fmt::format("({} of {}; -v shows all)", rows.size(), all));
}

void print_fact(const Context& context, const char* label, const std::string& text) {
  if (!text.empty()) context.out.line(fmt::format("{:<10} {}", label, shown(text)));
}

void print_facts(const Context& context, const Inspection& inspection) {
  for (const auto& [label, text] : facts_of(inspection)) print_fact(context, label, text);
  Rows rows;
  for (const ImageFile& file : inspection.files) rows.push_back({shown(file.path), human(file.size)});
  print_section(context, {"FILE", "SIZE"}, std::move(rows), 3);
}

/// Depth first; what a damaged image ties to a ring comes last, by itself.
std::vector<std::pair<const InspectedProcess*, std::size_t>> tree(const Contents& contents) {
  std::map<int, std::vector<const InspectedProcess*>> children;
  std::map<int, bool> placed;
  for (const InspectedProcess& one : contents.processes) placed[one.process.pid] = false;
  std::vector<std::pair<const InspectedProcess*, std::size_t>> order, stack;
  for (auto it = contents.processes.rbegin(); it != contents.processes.rend(); ++it)
    if (placed.contains(it->process.ppid) && it->process.ppid != it->process.pid)
      children[it->process.ppid].push_back(&*it);
    else
      stack.push_back({&*it, 0});
  const auto walk = [&] {
    while (!stack.empty()) {
      const auto [one, depth] = stack.back();
      stack.pop_back();
      if (std::exchange(placed[one->process.pid], true)) continue;
      order.push_back({one, depth});
      for (const InspectedProcess* child : children[one->process.pid]) stack.push_back({child, depth + 1});
    }
  };
  walk();
  for (const InspectedProcess& one : contents.processes) {
    stack.push_back({&one, 0});
    walk();
  }
  return order;
}

void print_processes(const Context& context, const Contents& contents) {
  constexpr std::size_t kDeepest = 20;
  Rows rows;
  for (const auto& [one, depth] : tree(contents))
    rows.push_back({std::to_string(one->process.pid), std::to_string(one->process.ppid),
                    std::to_string(one->process.threads.size()), std::to_string(one->descriptors.size()),
                    human(one->memory.mapped), human(one->memory.in_image),
                    std::string(2 * std::min(depth, kDeepest), ' ') + shown(one->process.comm)});
  print_section(context, {"PID", "PPID", "THREADS", "FDS", "MAPPED", "IN IMAGE", "COMMAND"}, std::move(rows),
                10);
  if (contents.shared_memory > 0)
    context.out.line(fmt::format("memory shared without a file: {}", human(contents.shared_memory)));
}

void print_mappings(const Context& context, const Inspection& inspection) {
  struct Row {
    int pid;
    const ImageMapping* mapping;
  };
  std::vector<Row> all;
  for (const InspectedProcess& one : inspection.contents->processes)
    for (const ImageMapping& mapping : one.memory.mappings) all.push_back({one.process.pid, &mapping});
  std::stable_sort(all.begin(), all.end(), [](const Row& a, const Row& b) {
    return std::pair(a.mapping->in_image, a.mapping->size()) >
           std::pair(b.mapping->in_image, b.mapping->size());
  });
  Rows rows;
  for (const auto& [pid, mapping] : all) {
    const auto path = inspection.paths.find(mapping->file_id);
    const bool named = mapping->file_id != 0 && path != inspection.paths.end();
    rows.push_back({std::to_string(pid), fmt::format("{:x}", mapping->start), protection(*mapping),
                    human(mapping->size()), human(mapping->in_image),
                    named ? shown(path->second) : mapping->kind});
  }
  print_section(context, {"PID", "MAPPING", "PROT", "SIZE", "IN IMAGE", "OF"}, std::move(rows), 5);
}

/// Largest first; what is only mapped or a working directory is left to --verbose and --json.
void print_files(const Context& context, const Inspection& inspection) {
  std::vector<const ImageOpenFile*> files;
  for (const ImageOpenFile& file : inspection.contents->files)
    if (context.globals.verbose > 0 || inspection.holders.contains(file.id)) files.push_back(&file);
  std::stable_sort(files.begin(), files.end(),
                   [](const ImageOpenFile* a, const ImageOpenFile* b) { return a->size > b->size; });
  Rows rows;
  for (const ImageOpenFile* file : files)
    rows.push_back({holders_text(inspection, file->id, 4, ","), file->size ? human(*file->size) : "-",
                    open_flags(file->flags), shown(file->path) + (file->ghost ? " (deleted)" : "")});
  print_section(context, {"PID:FD", "SIZE", "FLAGS", "OPEN FILE"}, std::move(rows), 8);
}

void print_sockets(const Context& context, const Inspection& inspection) {
  Rows rows;
  for (const ImageSocket& socket : inspection.contents->sockets)
    rows.push_back(
        {holders_text(inspection, socket.id, 4, ","),
         fmt::format("{} {}", socket.family, socket.protocol.empty() ? shown(socket.type) : socket.protocol),
         shown(socket.state), shown(socket.local), shown(socket.remote)});
  print_section(context, {"PID:FD", "SOCKET", "STATE", "LOCAL", "REMOTE"}, std::move(rows), 8);
}

/// The runtime's own are as good as always the same.
bool below_kernel_mounts(const std::vector<std::string>& row) {
  return row[0].starts_with("/proc/") || row[0].starts_with("/sys/") || row[0].starts_with("/dev/");
}

void print_mounts(const Context& context, const Inspection& inspection) {
  Rows rows;
  for (const ImageMount& mount : inspection.contents->mounts)
    rows.push_back({shown(mount.mountpoint), shown(mount.type), shown(mount.source), shown(mount.root),
                    mount.external.empty() ? "-" : shown(mount.external)});
  std::stable_partition(rows.begin(), rows.end(), [](const auto& row) { return !below_kernel_mounts(row); });
  print_section(context, {"MOUNT", "TYPE", "SOURCE", "ROOT", "EXTERNAL"}, std::move(rows), 5);
}

void print(const Context& context, const Inspection& inspection) {
  print_facts(context, inspection);
  if (!inspection.contents) {
    context.out.line("");
    context.out.line(kOpaque);
    return;
  }
  print_processes(context, *inspection.contents);
  print_mappings(context, inspection);
  print_files(context, inspection);
  print_sockets(context, inspection);
  print_mounts(context, inspection);
}

}  // namespace

int inspect_image(const Context& context, const std::string& name, const std::optional<std::string>& html) {
  if (html == "-" && context.globals.json)
    throw Error(ErrorCode::usage, "--json and --html - both want stdout").with_hint("name a file for --html");
  if (html) require_html_target(*html);
  const Inspection inspection = inspect(named_image(context, name), name);
  if (html && context.globals.dry_run) {
    context.print_plan(html == "-" ? std::vector<Argv>{} : std::vector<Argv>{{"touch", *html}});
    return 0;
  }
  if (html) write_html(context, inspection, *html);
  if (context.globals.json)
    context.out.document(to_json(inspection));
  else if (!html)
    print(context, inspection);
  return 0;
}

}  // namespace ckpt
