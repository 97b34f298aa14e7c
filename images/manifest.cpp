// Reading, writing and checking ckpt.json.
#include "images/manifest.h"

#include <algorithm>

#include "images/bounds.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
constexpr int kVersion = 1;

template <class T>
void put(json& out, const char* key, const std::optional<T>& value) {
  if (value) out[key] = *value;
}

template <class T>
void get(const json& in, const char* key, std::optional<T>& value) {
  if (in.contains(key)) value = in[key].get<T>();
}

/// The options that are kept, with their names in ckpt.json.
template <class Options, class Visit>
void each_option(Options& o, const Visit& visit) {
  visit("tcp_established", o.allow_open_tcp);
  visit("tcp_close", o.tcp_close);
  visit("skip_in_flight", o.skip_in_flight);
  visit("link_remap", o.link_remap);
  visit("file_locks", o.file_locks);
  visit("ext_unix_sk", o.ext_unix_sk);
  visit("shell_job", o.shell_job);
  visit("engine", o.engine);
  visit("manage_cgroups_mode", o.manage_cgroups);
  visit("network_lock", o.network_lock);
  visit("empty_ns", o.empty_ns);
  visit("compression", o.compression);
  visit("ghost_limit", o.ghost_limit);
}

json options_to_json(const CheckpointOpts& o) {
  json out = json::object();
  each_option(o, [&](const char* name, const auto& value) { put(out, name, value); });
  return out;
}

CheckpointOpts options_from_json(const json& in) {
  CheckpointOpts o;
  each_option(o, [&](const char* name, auto& value) { get(in, name, value); });
  return o;
}

json to_json(const GpuImage& gpu) {
  json processes = json::array(), gpus = json::array();
  for (const GpuHolder& p : gpu.processes)
    processes.push_back({{"pid", p.inner}, {"comm", p.comm}, {"devices", p.devices}});
  for (const GpuIdentity& one : gpu.gpus) gpus.push_back({{"uuid", one.uuid}, {"name", one.name}});
  return {{"strategy", gpu.strategy},
          {"processes", processes},
          {"driver", gpu.driver},
          {"gpus", gpus},
          {"bytes", gpu.bytes}};
}

GpuImage gpu_from_json(const json& in) {
  GpuImage gpu;
  gpu.strategy = in.at("strategy");
  gpu.driver = in.at("driver");
  gpu.bytes = in.at("bytes");
  for (const json& p : in.at("processes"))
    gpu.processes.push_back({0, p.at("pid"), p.at("comm"), p.at("devices").get<std::vector<std::string>>()});
  for (const json& one : in.at("gpus")) gpu.gpus.push_back({one.at("uuid"), one.at("name")});
  return gpu;
}

// What manifests of the first ckpt 0.1 do not have yet.

json cpu_to_json(const MachineFacts& machine) {
  return {{"features", machine.cpu}, {"xsave_bytes", machine.xsave_bytes}};
}

json mounts_to_json(const std::vector<MountFact>& mounts) {
  json out = json::array();
  for (const MountFact& m : mounts) {
    out.push_back({{"destination", m.destination}, {"type", m.type}, {"source", m.source}});
    if (!m.kind.empty()) out.back()["kind"] = m.kind;
    if (!m.propagation.empty()) out.back()["propagation"] = m.propagation;
  }
  return out;
}

json open_files_to_json(const std::vector<OpenFileFact>& files) {
  json out = json::array();
  for (const OpenFileFact& file : files) out.push_back({{"path", file.path}, {"size", file.size}});
  return out;
}

json processes_to_json(const std::vector<ProcessFact>& processes) {
  json out = json::array();
  for (const ProcessFact& one : processes) out.push_back({{"pid", one.pid}, {"comm", one.comm}});
  return out;
}

json to_json(const Imported& imported) {
  return {{"at", imported.at}, {"by", imported.by}, {"spec_trusted", imported.spec_trusted}};
}

void facts_from_json(const json& in, Manifest& m) {
  const json none = json::array();
  if (in.contains("cpu")) {
    m.machine.cpu = in["cpu"].at("features").get<std::vector<std::string>>();
    m.machine.xsave_bytes = in["cpu"].at("xsave_bytes");
  }
  m.machine.cgroups = in.value("cgroups", "");
  m.namespaces = in.value("namespaces", m.namespaces);
  for (const json& one : in.value("mounts", none))
    m.mounts.push_back({one.at("destination"), one.at("type"), one.at("source"), one.value("kind", ""),
                        one.value("propagation", "")});
  for (const json& one : in.value("open_files", none))
    m.open_files.push_back({one.at("path"), one.at("size")});
  for (const json& one : in.value("pre_dumps", none))
    m.pre_dumps.push_back({one.at("directory"), one.at("pages"), one.at("seconds")});
  for (const json& one : in.value("processes", none)) m.processes.push_back({one.at("pid"), one.at("comm")});
  if (in.contains("imported")) {
    const json& imported = in["imported"];
    m.imported = {imported.at("at"), imported.at("by"), imported.at("spec_trusted")};
  }
}

Manifest from_json(const json& in) {
  Manifest m;
  const json& runtime = in.at("runtime");
  const RuntimeTable* table = runtime_named(runtime.at("name").get<std::string>());
  if (table == nullptr) throw json::other_error::create(501, "unknown runtime", &in);
  m.target = {.kind = table->kind,
              .path = runtime.at("path"),
              .root = runtime.at("root"),
              .nvproxy = runtime.value("nvproxy", false),
              .runtime_args = runtime.at("args").get<Argv>()};
  get(runtime, "platform", m.target.platform);
  m.id = in.at("id");
  m.runtime_version = runtime.at("version");
  m.criu_version = in.at("criu_version");
  m.cedana_version = in.value("cedana_version", "");
  m.bundle = in.at("bundle");
  m.config_digest = in.at("config_digest");
  m.log_path = in.at("log_path");
  m.created = in.at("created");
  m.machine.kernel = in.at("kernel");
  m.machine.arch = in.at("arch");
  facts_from_json(in, m);
  m.images = in.at("images");
  m.terminal = in.at("terminal");
  m.leave_running = in.at("leave_running");
  m.guarantee = in.at("guarantee");
  m.layer = in.value("layer", false);
  m.stdio = in.at("stdio").get<std::vector<std::string>>();
  m.options = options_from_json(in.at("options"));
  m.seconds = in.at("seconds").get<std::map<std::string, double>>();
  if (in.contains("gpu")) m.gpu = gpu_from_json(in["gpu"]);
  for (const json& file : in.at("files")) {
    m.files.push_back({file.at("path"), file.at("size"), file.value("xxh3", "")});
    get(file, "unpacked", m.files.back().unpacked);
  }
  return m;
}

/// ckpt's own, made after the image or changed later.
bool beside_the_image(const fs::path& path, const fs::path& directory) {
  return path.parent_path() == directory && (path.filename() == kManifestName || path.filename() == "pinned");
}

}  // namespace

bool is_pre_dump(std::string_view directory) {
  return directory == "pre-checkpoint" ||
         (directory.starts_with("pre-") && directory.size() > 4 &&
          directory.find_first_not_of("0123456789", 4) == std::string_view::npos);
}

std::uint64_t total_size(const std::vector<ImageFile>& files) {
  std::uint64_t bytes = 0;
  for (const ImageFile& file : files) bytes += file.size;
  return bytes;
}

std::vector<ImageFile> files_below(const fs::path& directory) {
  std::vector<ImageFile> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && !beside_the_image(entry.path(), directory))
      files.push_back({entry.path().lexically_relative(directory).string(), entry.file_size()});
  std::sort(files.begin(), files.end(),
            [](const ImageFile& a, const ImageFile& b) { return a.path < b.path; });
  return files;
}

json to_json(const std::vector<PreDump>& pre_dumps) {
  json out = json::array();
  for (const PreDump& one : pre_dumps)
    out.push_back({{"directory", one.directory}, {"pages", one.pages}, {"seconds", one.seconds}});
  return out;
}

json manifest_to_json(const Manifest& m) {
  json files = json::array();
  for (const ImageFile& file : m.files) {
    files.push_back({{"path", file.path}, {"size", file.size}});
    if (!file.xxh3.empty()) files.back()["xxh3"] = file.xxh3;
    put(files.back(), "unpacked", file.unpacked);
  }
  json runtime = {{"name", table_of(m.target.kind).name},
                  {"path", m.target.path},
                  {"version", m.runtime_version},
                  {"root", m.target.root},
                  {"args", m.target.runtime_args}};
  put(runtime, "platform", m.target.platform);
  if (m.target.nvproxy) runtime["nvproxy"] = true;
  json out = {{"version", kVersion},
              {"id", m.id},
              {"runtime", runtime},
              {"criu_version", m.criu_version},
              {"bundle", m.bundle},
              {"config_digest", m.config_digest},
              {"log_path", m.log_path},
              {"created", m.created},
              {"kernel", m.machine.kernel},
              {"arch", m.machine.arch},
              {"cpu", cpu_to_json(m.machine)},
              {"cgroups", m.machine.cgroups},
              {"mounts", mounts_to_json(m.mounts)},
              {"namespaces", m.namespaces},
              {"open_files", open_files_to_json(m.open_files)},
              {"processes", processes_to_json(m.processes)},
              {"pre_dumps", to_json(m.pre_dumps)},
              {"images", m.images},
              {"terminal", m.terminal},
              {"guarantee", m.guarantee},
              {"leave_running", m.leave_running},
              {"layer", m.layer},
              {"stdio", m.stdio},
              {"options", options_to_json(m.options)},
              {"seconds", m.seconds},
              {"files", files},
              {"gpu", to_json(m.gpu)}};
  if (!m.cedana_version.empty()) out["cedana_version"] = m.cedana_version;
  if (m.imported) out["imported"] = to_json(*m.imported);
  return out;
}

std::string manifest_text(const Manifest& manifest) {
  return manifest_to_json(manifest).dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Manifest manifest_from_text(const std::string& text, const std::string& name) {
  try {
    const json in = parse_json_or_throw(text);
    if (in.at("version") != kVersion)
      throw Error(ErrorCode::image_invalid, fmt::format("'{}' has version {}, this ckpt reads {}", name,
                                                        in.at("version").dump(), kVersion));
    return from_json(in);
  } catch (const json::exception& error) {
    throw Error(ErrorCode::image_invalid, fmt::format("'{}' is damaged: {}", name, error.what()));
  }
}

void write_manifest(const fs::path& directory, const Manifest& manifest) {
  write_file_atomic(directory / kManifestName, manifest_text(manifest));
}

std::optional<Manifest> read_manifest(const fs::path& directory) {
  const fs::path file = directory / kManifestName;
  const auto text = read_file(file, kLargestManifest + 1);
  if (!text && errno == ENOENT) return std::nullopt;
  if (!text)
    throw Error(ErrorCode::image_invalid,
                fmt::format("'{}' cannot be read: {}", file.string(), errno_text(errno)));
  if (text->size() > kLargestManifest)
    throw Error(ErrorCode::image_invalid, fmt::format("'{}' is larger than a manifest is", file.string()));
  return manifest_from_text(*text, file.string());
}

void check_sizes(const fs::path& directory, const Manifest& manifest) {
  for (const ImageFile& file : manifest.files) {
    std::error_code error;
    const fs::path path = directory / file.path;
    const std::uintmax_t size = fs::file_size(path, error);
    if (!error && size == file.size) continue;
    throw Error(ErrorCode::image_invalid,
                error ? fmt::format("the image in '{}' lacks the file '{}'", directory.string(), file.path)
                      : fmt::format("'{}' has {} bytes, {} were written at the checkpoint", path.string(),
                                    size, file.size))
        .with_hint("restore another checkpoint; this one is damaged");
  }
}

}  // namespace ckpt
