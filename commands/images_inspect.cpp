// ckpt images inspect NAME: the manifest's facts, and what CRIU's files say of the processes.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>

#include "commands/images.h"
#include "images/criu_decode.h"
#include "images/criu_descriptors.h"
#include "images/criu_memory.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Of all processes; a hostile image may have as many files as it likes.
constexpr std::size_t kMostDetails = 1U << 19U;
constexpr const char* kOpaque =
    "gVisor's image cannot be decoded: its format is private to the runsc that wrote it";

struct InspectedProcess {
  ImageProcess process;
  ImageMemory memory;
  std::vector<ImageDescriptor> descriptors;
};

struct Contents {
  std::vector<InspectedProcess> processes;
  std::vector<ImageOpenFile> files;
  std::vector<ImageSocket> sockets;
  std::vector<ImageMount> mounts;
  std::uint64_t shared_memory = 0;
};

struct Holder {
  int pid, fd;
};
/// Who has a file of files.img open.
using Holders = std::map<std::uint32_t, std::vector<Holder>>;

struct Inspection {
  Image image;
  std::string name;
  std::vector<ImageFile> files;  ///< largest first
  std::uint64_t bytes = 0;
  std::optional<Contents> contents;  ///< nullopt: gVisor's
  std::map<std::uint32_t, std::string> paths;
  Holders holders;
};

// ---- gathering

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

Inspection inspect(Image image, const std::string& name) {
  Inspection result;
  result.image = std::move(image);
  result.name = result.image.manifest ? name_of(result.image) : name;
  result.files = files_below(result.image.directory);
  std::stable_sort(result.files.begin(), result.files.end(),
                   [](const ImageFile& a, const ImageFile& b) { return a.size > b.size; });
  for (const ImageFile& file : result.files) result.bytes += file.size;
  if (!is_criu_image(result.image.runtime_images())) return result;
  result.contents = contents_of(result.image.runtime_images());
  for (const ImageOpenFile& file : result.contents->files) result.paths[file.id] = file.path;
  for (const InspectedProcess& one : result.contents->processes)
    for (const ImageDescriptor& d : one.descriptors)
      result.holders[d.file_id].push_back({one.process.pid, d.fd});
  return result;
}

/// rw-s
std::string protection(const ImageMapping& mapping) {
  return fmt::format("{}{}{}{}", (mapping.protection & PROT_READ) != 0 ? 'r' : '-',
                     (mapping.protection & PROT_WRITE) != 0 ? 'w' : '-',
                     (mapping.protection & PROT_EXEC) != 0 ? 'x' : '-', mapping.shared ? 's' : 'p');
}

/// O_RDWR|O_APPEND
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
std::string shown(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = '?';
  return text.empty() ? "-" : text;
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

std::string gpu_text(const GpuImage& gpu) {
  if (gpu.strategy == "none") return "none";
  std::string text = fmt::format("{}, {} processes, {}, driver {}", gpu.strategy, gpu.processes.size(),
                                 gpu.bytes == 0 ? "size not known" : human(gpu.bytes),
                                 gpu.driver.empty() ? "not known" : gpu.driver);
  for (const GpuIdentity& one : gpu.gpus) text += fmt::format(", {} ({})", one.name, one.uuid);
  return text;
}

void print_fact(const Context& context, const char* label, const std::string& text) {
  if (!text.empty()) context.out.line(fmt::format("{:<10} {}", label, shown(text)));
}

void print_manifest(const Context& context, const Manifest& m) {
  const json document = manifest_to_json(m);
  print_fact(context, "container", m.id);
  print_fact(context, "runtime",
             fmt::format("{} {}{}", table_of(m.target.kind).name, m.runtime_version,
                         m.criu_version.empty() ? "" : ", CRIU " + m.criu_version));
  print_fact(context, "taken",
             fmt::format("{}, Linux {}, {}{}", m.created, m.machine.kernel, m.machine.arch,
                         m.leave_running ? ", left running" : ""));
  print_fact(context, "guarantee", m.guarantee);
  print_fact(context, "bundle", m.bundle);
  print_fact(context, "options", options_text(document["options"]));
  print_fact(context, "gpu", gpu_text(m.gpu));
  print_fact(context, "took", seconds_text(m.seconds));
}

void print_facts(const Context& context, const Inspection& inspection) {
  print_fact(context, "name", inspection.name);
  if (inspection.image.manifest)
    print_manifest(context, *inspection.image.manifest);
  else
    print_fact(context, "manifest", "none; a runtime made this image itself");
  print_fact(context, "size",
             fmt::format("{} in {} files", human(inspection.bytes), inspection.files.size()));
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

/// 1:3,2:5
std::string holders_text(const Inspection& inspection, std::uint32_t id) {
  constexpr std::size_t kMost = 4;
  const auto found = inspection.holders.find(id);
  if (found == inspection.holders.end()) return "-";
  std::string text;
  for (std::size_t i = 0; i < std::min(found->second.size(), kMost); ++i)
    text += fmt::format("{}{}:{}", i == 0 ? "" : ",", found->second[i].pid, found->second[i].fd);
  return found->second.size() > kMost ? text + ",..." : text;
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
    rows.push_back({holders_text(inspection, file->id), file->size ? human(*file->size) : "-",
                    open_flags(file->flags), shown(file->path) + (file->ghost ? " (deleted)" : "")});
  print_section(context, {"PID:FD", "SIZE", "FLAGS", "OPEN FILE"}, std::move(rows), 8);
}

void print_sockets(const Context& context, const Inspection& inspection) {
  Rows rows;
  for (const ImageSocket& socket : inspection.contents->sockets)
    rows.push_back(
        {holders_text(inspection, socket.id),
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

int inspect_image(const Context& context, const std::string& name) {
  const Inspection inspection = inspect(named_image(context, name), name);
  if (context.globals.json)
    context.out.document(to_json(inspection));
  else
    print(context, inspection);
  return 0;
}

}  // namespace ckpt
