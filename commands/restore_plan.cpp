// Deciding whether and how an image is restored.
#include "commands/restore_plan.h"

#include <fmt/ranges.h>

#include "commands/connections.h"
#include "commands/container_state.h"
#include "commands/criu.h"
#include "commands/engine_restore.h"
#include "commands/image_obstacles.h"
#include "commands/images.h"
#include "commands/privileges.h"
#include "commands/progress.h"
#include "commands/restore_spec.h"
#include "gpu/spec_gpus.h"
#include "gpu/tools.h"
#include "images/compressed_image.h"
#include "images/criu_images.h"
#include "images/digest.h"
#include "images/imported.h"
#include "images/layer.h"
#include "images/private_copy.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/program.h"
#include "runtimes/roots.h"
#include "runtimes/spec.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

using nlohmann::json;

Image choose_image(const Context& context, const RestoreOptions& o) {
  if (o.image_path && o.from) throw Error(ErrorCode::usage, "--image-path and --from exclude each other");
  if (o.image_path) return image_at(*o.image_path);
  if (o.from) return find_image(context.globals.store, *o.from);
  if (o.id.empty())
    throw Error(ErrorCode::usage, "nothing to restore: name a container, --from or --image-path")
        .with_hint("'ckpt restore ID' takes the newest checkpoint of ID");
  if (o.id.find('@') != std::string::npos)
    throw Error(ErrorCode::usage, fmt::format("'{}' is a checkpoint's name, no container's", printable(o.id)))
        .with_hint("a checkpoint is named with --from");
  return find_image(context.globals.store, o.id + "@latest");
}

/// An image that a runtime made without us: only its files tell whose it is.
RuntimeKind kind_of_image(const Context& context, const fs::path& images) {
  if (fs::exists(images / "checkpoint.img")) return RuntimeKind::runsc;
  if (!fs::exists(images / "inventory.img"))
    throw Error(ErrorCode::image_invalid,
                fmt::format("'{}' holds no complete image: neither inventory.img nor checkpoint.img",
                            images.string()))
        .with_hint("a dump that failed leaves such a directory; take the checkpoint again");
  const RuntimeTable* asked = context.globals.runtime ? runtime_named(*context.globals.runtime) : nullptr;
  return asked != nullptr ? asked->kind : RuntimeKind::runc;
}

void check_image(const Context& context, const Image& image, bool content) {
  if (content && !image.manifest)
    throw Error(ErrorCode::unsupported,
                fmt::format("'{}' has no manifest of ckpt's to verify it by", image.named().string()))
        .with_hint("leave --verify-image out");
  if (content)
    verify_content(context, image);
  else if (image.manifest)
    check_sizes(image.directory, *image.manifest);
  if (!is_compressed(image)) check_pages(image, image.directory);
}

/// As the checkpoint was made; the program only if nobody else could have put it there.
std::optional<Target> target_before(const Context& context, const Image& image) {
  std::optional<Target> target = target_of_image(image);
  if (!target || target->path.empty() || context.globals.runtime_path) return target;
  const auto why = why_not_trusted(target->path);
  if (!why) return target;
  context.out.warn(
      fmt::format("'{}', which made the image, is not run: {}; --runtime-path names it", target->path, *why));
  target->path.clear();
  return target;
}

Driver choose_driver(const Context& context, const Image& image) {
  const RuntimeKind kind =
      image.manifest ? image.manifest->target.kind : kind_of_image(context, image.runtime_images());
  const RuntimeTable& table = table_of(kind);
  if (context.globals.runtime && table.name != *context.globals.runtime)
    throw Error(ErrorCode::host_incompatible,
                fmt::format("the image in '{}' was made by {}; {} cannot restore it", image.named().string(),
                            table.name, *context.globals.runtime))
        .with_runtime(std::string(table.name))
        .with_hint(fmt::format("leave --runtime out, or say --runtime {}", table.name));
  return context.driver_for_new(kind, target_before(context, image));
}

/// By default the container's own log goes on, when it keeps its name.
Record new_record(const Context& context, RestoreOptions o, const Image& image, const Driver& driver) {
  if (o.id.empty() && image.manifest) o.id = image.manifest->id;
  if (o.id.empty())
    throw Error(ErrorCode::usage, "the image does not say whose it is; name the container")
        .with_hint("ckpt restore --image-path DIR ID");
  validate_id(o.id);
  Record record = launch_record(context, o, driver.target());
  const bool same_id = image.manifest && image.manifest->id == o.id;
  if (!o.log_path && same_id && !image.manifest->log_path.empty()) record.log_path = image.manifest->log_path;
  return record;
}

/// What the checkpoint was made with, overridden by what the user says now.
RestoreOpts replayed(const RestoreOptions& o, const Image& image) {
  RestoreOpts opts = o.opts;
  if (o.tcp && (opts.allow_open_tcp || opts.tcp_close))
    throw Error(ErrorCode::usage, "--tcp excludes --tcp-established and --tcp-close");
  if (!image.manifest) return opts;
  const CheckpointOpts& then = image.manifest->options;
  const auto replay = [](auto& now, const auto& before) {
    if (!now) now = before;
  };
  if (!opts.allow_open_tcp.value_or(false)) replay(opts.tcp_close, then.tcp_close);
  if (!opts.tcp_close.value_or(false)) replay(opts.allow_open_tcp, then.allow_open_tcp);
  replay(opts.link_remap, then.link_remap);
  replay(opts.file_locks, then.file_locks);
  replay(opts.ext_unix_sk, then.ext_unix_sk);
  replay(opts.shell_job, then.shell_job);
  replay(opts.manage_cgroups, then.manage_cgroups);
  replay(opts.network_lock, then.network_lock);
  replay(opts.empty_ns, then.empty_ns);
  replay(opts.ghost_limit, then.ghost_limit);
  return opts;
}

/// The connections of the image, as `opts` will treat them, and as an item of the check.
void choose_connections(const RestoreOptions& o, const Image& image, const json& spec, RestoreOpts& opts,
                        std::vector<CheckedItem>& host) {
  const auto connections = open_connections(image_sockets(image.runtime_images()));  // runsc's has none
  const auto network = [](const std::map<std::string, std::string>& all) {
    const auto found = all.find("network");
    return found == all.end() ? "" : found->second;
  };
  const bool moved = image.manifest && network(image.manifest->namespaces) != network(spec_namespaces(spec));
  if (o.tcp) choose_tcp(*o.tcp, connections, moved, opts);
  if (const auto item = check_connections(connections, opts)) host.push_back(*item);
}

/// As it was frozen, unless the user says otherwise.
GpuImage chosen_gpu(const RestoreOptions& o, const Image& image) {
  GpuImage gpu = image.manifest ? image.manifest->gpu : GpuImage{};
  if (o.cuda.strategy != "auto" && !gpu.processes.empty())
    gpu.strategy = o.cuda.strategy == "off" ? "none" : o.cuda.strategy;
  return gpu;
}

/// Without the tool the container would be restored and, as it cannot be thawed, removed again.
void require_cuda_tool(const Context& context, const Driver& driver, const GpuImage& gpu) {
  if (gpu.strategy == "none" || !driver.table().shares_host_kernel ||
      cuda_checkpoint_program(context.globals.cuda_checkpoint))
    return;
  throw Error(ErrorCode::unsupported,
              "the image has CUDA processes, and there is no cuda-checkpoint on this host")
      .with_hint("install NVIDIA's or ckpt's own; looked in " + search_path());
}

/// How the image's GPUs go onto this host's, as an item of the check.
std::string gpu_item(const RestoreOptions& o, const GpuImage& gpu, std::vector<CheckedItem>& host) {
  try {
    std::string map = check_gpus(gpu, o.gpu_map);
    if (gpu.strategy != "none")
      host.push_back(
          {.item = "gpu", .image = fmt::format("{} processes", gpu.processes.size()), .host = "fits"});
    return map;
  } catch (const Error& error) {
    if (!o.check || error.code != ErrorCode::host_incompatible) throw;
    host.push_back({.item = "gpu",
                    .image = fmt::format("{} processes", gpu.processes.size()),
                    .host = "does not fit",
                    .verdict = CheckedItem::Verdict::fails,
                    .reason = error.message,
                    .hint = error.hint});
    return "";
  }
}

/// The image's writable layer gets a place of the new container's.
fs::path put_layer_over(const Context& context, const Image& image, Record& record, json& spec) {
  if (!image.manifest || !image.manifest->layer) return {};
  const Layer layer = layer_of(context.globals.store, record.target, record.id);
  fs::path lower = spec["root"]["path"].get<std::string>();
  record.layer = layer.home.string();
  spec["root"]["path"] = layer.merged().string();
  return lower;
}

/// Everything that this host and the user's wishes have against the image.
std::vector<CheckedItem> compare_all(const RestoreOptions& o, const Image& image, const Driver& driver,
                                     const ChosenSpec& chosen, const Record& record, const std::string& criu,
                                     pid_t goes, bool stands) {
  std::vector<CheckedItem> host = check_host({.image = image,
                                              .driver = driver,
                                              .spec = chosen.spec,
                                              .mounts = chosen.mounts,
                                              .new_spec = o.spec.has_value(),
                                              .config = chosen.config,
                                              .config_digest = record.config_digest,
                                              .criu_version = criu,
                                              .goes = goes,
                                              .stands = stands});
  if (driver.table().kind == RuntimeKind::crun)
    host.push_back(check_hierarchies(read_file("/proc/self/cgroup", 1U << 20U).value_or("")));
  for (CheckedItem& item : check_external(chosen.external)) host.push_back(std::move(item));
  if (from_elsewhere(image) && driver.table().uses_criu)
    for (CheckedItem& item : check_privileges(image, chosen.spec)) host.push_back(std::move(item));
  host.insert(host.end(), chosen.changes.begin(), chosen.changes.end());
  host.insert(host.end(), chosen.parted.begin(), chosen.parted.end());
  return host;
}

/// The container that --replace removes; 0: none.
pid_t replaced(const Context& context, const RestoreOptions& o, const Driver& driver, const std::string& id) {
  if (!o.replace.value_or(false) || !holds(driver.target(), id)) return 0;
  if (const auto record = context.records.load(driver.target().kind, driver.target().root, id))
    return record->pid;
  const auto state = driver.state(id);
  return state ? state->pid : 0;
}

void add_obstacles(const Image& image, const Driver& driver, const json& spec, const RestoreOpts& opts,
                   pid_t goes, bool stands, std::vector<CheckedItem>& host) {
  if (!driver.table().uses_criu) return;
  const fs::path images = image.runtime_images();
  for (CheckedItem& item : image_obstacles({.images = images,
                           .spec = spec,
                           .file_locks = opts.file_locks.value_or(false),
                           .closes_connections = opts.tcp_close.value_or(false),
                           .goes = goes,
                           .stands = stands}))
    host.push_back(std::move(item));
}

/// The root file system of a container that stands, with its writable layer: `run` has mounted that in its
/// own mount namespace, which need not be this one.
fs::path standing_root(const Layer& layer, pid_t goes) {
  std::error_code error;
  const bool here = !fs::is_empty(layer.merged(), error) && !error;
  return here || goes <= 0 ? layer.merged() : fs::path(fmt::format("/proc/{}/root", goes));
}

void refuse_configuration(const Delivery& delivery) {
  if (delivery.criu_config.empty()) return;
  throw Error(ErrorCode::unsupported,
              fmt::format("cedana has no way to take what CRIU needs for this image: {}",
                          fmt::join(delivery.criu_config, ", ")))
      .with_runtime("cedana")
      .with_hint("restore it into the bundle that it was checkpointed with");
}

}  // namespace

void check_pages(const Image& image, const fs::path& directory) {
  const Image there{directory, image.manifest};
  if (fs::exists(there.runtime_images() / "inventory.img")) check_page_sizes(there.runtime_images());
  if (image.manifest)
    for (const PreDump& one : image.manifest->pre_dumps) check_page_sizes(directory / one.directory);
}

std::vector<CheckedItem> against_restore(const Context& context, const Image& image, const std::string& criu,
                                         pid_t goes) {
  RestoreOptions o;
  o.id = image.manifest->id;
  o.detach = o.check = true;
  const Driver driver = choose_driver(context, image);
  Record record = new_record(context, o, image, driver);
  ChosenSpec chosen = choose_spec(o, image, driver.table(), record);
  if (image.manifest->layer)
    chosen.spec["root"]["path"] =
        standing_root(layer_of(context.globals.store, record.target, record.id), goes).string();
  std::vector<CheckedItem> items = compare_all(o, image, driver, chosen, record, criu, goes, true);
  RestoreOpts opts = replayed(o, image);
  choose_connections(o, image, chosen.spec, opts, items);
  add_obstacles(image, driver, chosen.spec, opts, goes, true, items);
  return items;
}

namespace {

/// What somebody else can change could be something else when CRIU reads it than when it was judged: what is
/// restored is a copy. Looking only takes none.
std::shared_ptr<const Staging> own_copy(const Context& context, const RestoreOptions& o, Image& image) {
  if (!image.foreign) return nullptr;
  context.out.warn(fmt::format("the image in '{}' is taken as one from elsewhere: {}",
                               image.directory.string(), *image.foreign));
  if (o.check || context.globals.dry_run) return nullptr;
  remove_dead(context.globals.store, "copy");
  auto place = std::make_shared<const Staging>(context.globals.store, "copy", random_hex(8));
  const Progress progress(
      context, "copy", image.directory.filename(), [&] { return bytes_below(image.directory); },
      [&] { return bytes_below(place->directory()); });
  copy_image(image, place->directory());
  image.copy_of = std::exchange(image.directory, place->directory());
  image.manifest = read_manifest(image.directory);
  if (image.manifest) image.manifest = taken_as_imported(std::move(*image.manifest), image.copy_of);
  return place;
}

}  // namespace

RestorePlan plan_restore(const Context& context, const RestoreOptions& o) {
  if (o.work_path) require_trusted("the work path", absolute_path(*o.work_path) / "restore.log");
  Image image = choose_image(context, o);
  const std::shared_ptr<const Staging> copied = own_copy(context, o, image);
  check_image(context, image, o.verify_image.value_or(false));
  const Driver chosen = choose_driver(context, image);
  const std::optional<Cedana> cedana = dump_engine_of(context, o.engine, image, chosen.table());
  const std::string criu = chosen.table().uses_criu && !cedana ? context.prober.version(require_criu()) : "";
  const GpuImage gpu = chosen_gpu(o, image);
  require_cuda_tool(context, chosen, gpu);
  Record record = new_record(context, o, image, chosen);
  ChosenSpec configuration = choose_spec(o, image, chosen.table(), record);
  json& spec = configuration.spec;
  const std::string hostname = choose_hostname(o, chosen, configuration);
  const pid_t goes = replaced(context, o, chosen, record.id);
  std::vector<CheckedItem> host = compare_all(o, image, chosen, configuration, record, criu, goes, false);
  const std::string device_map = gpu_item(o, gpu, host);
  RestoreOpts opts = replayed(o, image);
  choose_connections(o, image, spec, opts, host);
  add_obstacles(image, chosen, spec, opts, goes, false, host);
  if (!o.check) require_compatible(host, o.force.value_or(false));
  Driver driver = fitted_to_gpus(chosen, spec);
  record.target = driver.target();
  record.gpus = named_gpus(gpu_reasons(spec));
  if (!o.check) require_bind_sources(spec);
  const fs::path lower = put_layer_over(context, image, record, spec);
  record.terminal = wants_terminal(spec);
  record.stdio_pipes = !record.terminal;
  LaunchFiles files = launch_files(context, record, o.console_socket);
  const fs::path work_dir = o.work_path ? absolute_path(*o.work_path) : files.home / "work";
  const fs::path unpacked = is_compressed(image) ? unpacking_place(context.globals.store) : fs::path();
  const fs::path images = unpacked.empty() ? image.runtime_images() : unpacked / image.manifest->images;
  opts.image_path = (cedana ? files.home / "image" : images).string();
  if ((driver.table().uses_criu && !cedana) || o.work_path) opts.work_dir = work_dir.string();
  opts.bundle_path = files.bundle.string();
  opts.pid_file = files.pid_file.string();
  opts.detach = true;
  if (!files.console_socket.empty()) opts.console_socket = files.console_socket;
  Delivery delivery = cedana ? cedana_restore(cedana->dialect(), opts, driver.target().root, record.id)
                             : restore_delivery(driver.dialect("restore"), opts, record.id);
  const std::string named_later = driver.table().shares_host_kernel ? hostname : "";
  for (std::string& line : external_lines(configuration.external))
    delivery.criu_config.push_back(std::move(line));
  if (cedana) refuse_configuration(delivery);
  return {std::move(image),
          std::move(driver),
          std::move(record),
          std::move(spec),
          std::move(files),
          std::move(opts),
          std::move(delivery),
          work_dir,
          lower,
          gpu,
          device_map,
          unpacked,
          std::move(host),
          kept_by_image(configuration.changes),
          named_later,
          cedana,
          images,
          copied};
}

}  // namespace ckpt
