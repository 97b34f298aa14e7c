// ckpt images ACTION: the checkpoints of the store, listed, verified, pinned, removed, pruned; inspected,
// which is in images_inspect.cpp; exported and imported, in images_archive.cpp; pushed and pulled, in
// images_push.cpp and images_pull.cpp.
#include "commands/images.h"

#include <fmt/ranges.h>

#include <set>

#include "commands/engine_names.h"
#include "commands/images_archive.h"
#include "commands/images_far.h"
#include "commands/options.h"
#include "commands/progress.h"
#include "commands/retention.h"
#include "commands/verbs.h"
#include "images/compressed_image.h"
#include "images/digest.h"
#include "images/layer.h"
#include "images/workplace.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/roots.h"

namespace ckpt {
namespace {

using nlohmann::json;

struct ImagesOptions {
  std::string action;
  std::vector<std::string> names;
  Retention keep;
  bool off = false, force = false;
  std::optional<std::string> html;
  ArchiveOptions archive;
  FarOptions far;
};

// ---- list

/// 45s, 12m, 3h, 5d: what fits in a column.
std::string age_of(const StoredImage& image, std::time_t now) {
  const auto created = created_at(image);
  if (!created) return "-";
  const std::time_t age = std::max<std::time_t>(now - *created, 0);
  if (age < 60) return fmt::format("{}s", age);
  if (age < 3600) return fmt::format("{}m", age / 60);
  constexpr std::time_t kDay = 86400;
  return age < 2 * kDay ? fmt::format("{}h", age / 3600) : fmt::format("{}d", age / kDay);
}

/// "newest, pinned", "goes: max-bytes"
std::string note_of(const Verdict& verdict) {
  if (!verdict.goes.empty()) return "goes: " + verdict.goes;
  return verdict.kept.empty() ? "-" : fmt::format("{}", fmt::join(verdict.kept, ", "));
}

json to_json(const StoredImage& image, const Verdict& verdict) {
  return {{"name", image.name},          {"id", image.id},
          {"path", image.path.string()}, {"created", image.created.empty() ? json() : json(image.created)},
          {"bytes", image.bytes},        {"runtime", image.runtime.empty() ? json() : json(image.runtime)},
          {"complete", image.complete},  {"pinned", image.pinned},
          {"kept", verdict.kept},        {"goes", verdict.goes.empty() ? json() : json(verdict.goes)}};
}

/// Of the containers named, or of all.
std::vector<StoredImage> chosen(const Context& context, const ImagesOptions& o) {
  if (o.names.empty()) return stored_images(context.globals.store, std::nullopt);
  std::set<std::string> ids;
  for (const std::string& name : o.names) ids.insert(id_in_store(context, name));
  std::vector<StoredImage> images;
  for (const std::string& id : ids)
    for (StoredImage& image : stored_images(context.globals.store, id)) images.push_back(std::move(image));
  return images;
}

int list(const Context& context, const ImagesOptions& o) {
  const std::vector<StoredImage> images = chosen(context, o);
  const std::time_t now = ::time(nullptr);
  const Space space = o.keep.min_free ? space_of(context.globals.store) : Space{};
  const std::vector<Verdict> verdicts = judge(images, o.keep, now, space);
  json document = json::array();
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const StoredImage& image = images[i];
    document.push_back(to_json(image, verdicts[i]));
    rows.push_back({image.name, age_of(image, now), human(image.bytes),
                    image.runtime.empty() ? "-" : image.runtime, note_of(verdicts[i])});
  }
  if (context.globals.json)
    context.out.document(document);
  else if (context.globals.quiet)
    for (const StoredImage& image : images) context.out.line(image.name);
  else
    context.out.table({"NAME", "AGE", "SIZE", "RUNTIME", "NOTE"}, rows);
  return 0;
}

// ---- on named checkpoints

/// Only what lies in the store under its container's name is ckpt's to change.
void require_in_store(const Context& context, const Image& image) {
  const auto home = checkpoints_of(context.globals.store, image.manifest->id);
  std::error_code error;
  if (!std::filesystem::equivalent(image.directory.parent_path(), home, error) || error)
    throw Error(ErrorCode::conflict,
                fmt::format("'{}' is not in the store '{}'", image.directory.string(), context.globals.store))
        .with_hint("name the store with --store, or remove the directory yourself");
}

/// Nobody takes or restores a checkpoint of that container meanwhile. What a dead ckpt noted of the container
/// stays for the next; a dead 'images' has noted nothing.
class StoreLock {
 public:
  StoreLock(const Context& context, const Target& target, const std::string& id)
      : StoreLock(context.lock_file(target, id)) {}
  explicit StoreLock(const fs::path& file) : lock_(file, kVerb, std::chrono::milliseconds(0)) {
    const json note = parse_json(lock_.left_behind());
    const bool own = note.is_object() && note.value("verb", json()) == kVerb;
    if (!lock_.left_behind().empty() && !own) lock_.hand_on();
  }

 private:
  static constexpr const char* kVerb = "images";
  ContainerLock lock_;
};

void remove_named(const Context& context, const ImagesOptions& o, const Image& image) {
  if (is_pinned(image.directory) && !o.force)
    throw Error(ErrorCode::conflict, fmt::format("'{}' is pinned", name_of(image)))
        .with_hint("'ckpt images pin --off' unpins it, --force removes it all the same");
  const StoreLock lock(context, image.manifest->target, image.manifest->id);
  remove_image(image.directory);
}

int on_each(const Context& context, const ImagesOptions& o) {
  if (o.names.empty())
    throw Error(ErrorCode::usage, fmt::format("images {}: no checkpoint is named", o.action));
  std::vector<Image> images;
  for (const std::string& name : o.names) images.push_back(own_image(context, name));
  if (o.action != "verify")
    for (const Image& image : images) require_in_store(context, image);
  if (context.globals.dry_run && o.action != "verify") {
    std::vector<Argv> plan;
    for (const Image& image : images)
      plan.push_back(o.action == "remove"
                         ? Argv{"rm", "-r", image.directory.string()}
                         : Argv{o.off ? "rm" : "touch", (image.directory / "pinned").string()});
    context.print_plan(plan);
    return 0;
  }
  json done = json::array();
  for (const Image& image : images) {
    if (o.action == "verify") verify_content(context, image);
    if (o.action == "pin") pin_image(image.directory, !o.off);
    if (o.action == "remove") remove_named(context, o, image);
    done.push_back(name_of(image));
    if (!context.globals.json) context.out.line(name_of(image));
  }
  if (context.globals.json) context.out.document(done);
  return 0;
}

// ---- prune

/// Under the lock of its container.
void prune_one(const Context& context, const StoredImage& image) {
  const auto manifest = read_manifest(image.path);
  const StoreLock lock(context, manifest ? manifest->target : Target{}, image.id);
  remove_image(image.path);
}

bool has_a_container(const std::vector<Record>& records, const fs::path& layer) {
  return std::any_of(records.begin(), records.end(),
                     [&](const Record& one) {
                       return one.layer == layer.string() &&
                              (holds(one.target, one.id) || monitor_alive(one));
                     }) ||
         layer_in_use({layer});
}

/// What a ckpt that was killed, or the end of the machine, left of containers that are no more.
std::vector<fs::path> layers_left(const Context& context, const ImagesOptions& o) {
  std::vector<fs::path> layers = stored_layers(context.globals.store);
  const std::vector<Record> records = context.records.all();
  std::erase_if(layers, [&](const fs::path& layer) {
    const bool asked = o.names.empty() ||
                       std::find(o.names.begin(), o.names.end(), layer.filename().string()) != o.names.end();
    return !asked || has_a_container(records, layer);
  });
  return layers;
}

/// Under the lock of its container, which has the same names; one that another ckpt works on is not left.
void remove_layer(const Context& context, const fs::path& layer) {
  try {
    const StoreLock lock(
        context.lock_file(layer.parent_path().filename().string(), layer.filename().string()));
    if (has_a_container(context.records.all(), layer)) return;
    if (const auto failed = remove_tree(layer)) throw Error(ErrorCode::runtime_failed, *failed);
  } catch (const Error& error) {
    if (error.code != ErrorCode::busy) throw;
    return;
  }
  context.out.detail(fmt::format("removed '{}', the writable layer of no container", layer.string()));
}

/// A container that another ckpt works on does not save the others: its failure is told at the end.
int prune_store(const Context& context, const ImagesOptions& o) {
  if (!o.keep.any())
    throw Error(ErrorCode::usage, "images prune: nothing says what to keep")
        .with_hint("--keep-last N, --keep-within 7d, --max-bytes 10G, --min-free 15%");
  std::set<std::string> ids;
  if (!context.globals.dry_run) finish_imports(context.globals.store);
  if (!context.globals.dry_run)
    for (const StoredImage& image : chosen(context, o))
      if (ids.insert(image.id).second) finish_removals(context.globals.store, image.id);
  std::vector<std::string> removed;
  std::vector<Argv> plan;
  std::optional<Error> failed;
  for (const StoredImage& image :
       doomed(chosen(context, o), o.keep, ::time(nullptr), space_of(context.globals.store))) {
    plan.push_back({"rm", "-r", image.path.string()});
    if (context.globals.dry_run) continue;
    try {
      prune_one(context, image);
    } catch (const Error& error) {
      if (!failed) failed = error;
      continue;
    }
    removed.push_back(image.name);
    if (!context.globals.json) context.out.line(image.name);
  }
  for (const fs::path& layer : layers_left(context, o)) {
    plan.push_back({"rm", "-r", layer.string()});
    if (!context.globals.dry_run) remove_layer(context, layer);
  }
  if (context.globals.dry_run)
    context.print_plan(plan);
  else if (context.globals.json)
    context.out.document(removed);
  if (failed) throw *failed;
  return 0;
}

CLI::Validator archive_compression() {
  return CLI::Validator(
      [](std::string& value) {
        return zstd_level(value) ? "" : not_one_of(value, {"none", "gzip", "zstd"});
      },
      "none|zstd");
}

/// Words after the action, as messages call them.
void require_operands(const ImagesOptions& o) {
  static const std::map<std::string, std::string> one = {{"inspect", "one checkpoint"},
                                                         {"export", "one checkpoint"},
                                                         {"import", "one archive"},
                                                         {"pull", "one place"},
                                                         {"push", "one checkpoint and a place"}};
  const auto wanted = one.find(o.action);
  if (wanted != one.end() && o.names.size() != (o.action == "push" ? 2 : 1))
    throw Error(ErrorCode::usage, fmt::format("images {}: name {}", o.action, wanted->second));
}

void require_far_options(const FarOptions& o, const std::string& action) {
  if (action == "push" || action == "pull") return;
  if (o.any())
    throw Error(ErrorCode::usage,
                "--authfile, --rclone-config and --tls-verify go with 'images push' and 'images pull'");
}

int images(Context& context, const ImagesOptions& o) {
  if (const std::string wrong = not_one_of(o.action, image_actions()); !wrong.empty())
    throw Error(ErrorCode::usage, "images: " + wrong);
  if (o.off && o.action != "pin") throw Error(ErrorCode::usage, "--off goes with 'images pin'");
  if (o.force && o.action != "remove") throw Error(ErrorCode::usage, "--force goes with 'images remove'");
  if (o.html && o.action != "inspect") throw Error(ErrorCode::usage, "--html goes with 'images inspect'");
  require_archive_options(o.archive, o.action);
  require_far_options(o.far, o.action);
  const bool import = o.action == "import" || o.action == "pull";
  if (import && (o.keep.keeps() || o.keep.min_free))
    throw Error(ErrorCode::usage,
                fmt::format("of the rules only --max-bytes goes with 'images {}'", o.action));
  if (o.keep.any() && o.action != "prune" && o.action != "list" && !import)
    throw Error(ErrorCode::usage,
                fmt::format("{} go with 'images prune' and 'images list'", kRetentionOptions));
  if (o.action == "list") return list(context, o);
  if (o.action == "prune") return prune_store(context, o);
  require_operands(o);
  if (o.action == "inspect") return inspect_image(context, o.names[0], o.html);
  if (o.action == "export") return export_image(context, o.archive, o.names[0]);
  if (o.action == "import") return import_image(context, o.archive, o.names[0], o.keep.max_bytes);
  if (o.action == "push") return push_action(context, o.far, o.archive, o.names[0], o.names[1]);
  if (o.action == "pull") return pull_action(context, o.far, o.archive, o.names[0], o.keep.max_bytes);
  return on_each(context, o);
}

}  // namespace

const std::vector<std::string>& image_actions() {
  static const std::vector<std::string> actions = {"list",  "inspect", "verify", "pin",  "remove",
                                                   "prune", "export",  "import", "push", "pull"};
  return actions;
}

/// 268.4 MB
std::string human(std::uint64_t bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < std::size(units); ++unit) value /= 1000;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

void verify_content(const Context& context, const Image& image) {
  const Progress progress(
      context, "verification", name_of(image), [&] { return bytes_below(image.directory); }, bytes_read);
  check_content(image.directory, *image.manifest);
}

std::string name_of(const Image& image) {
  return image.manifest->id + "@" + image.directory.filename().string();
}

Image named_image(const Context& context, const std::string& name) {
  if (name.find('@') == std::string::npos && name.find('/') == std::string::npos)
    throw Error(ErrorCode::usage, fmt::format("'{}' names a container, not a checkpoint", name))
        .with_hint(fmt::format("write {}@latest, or a name from 'ckpt images list {}'", name, name));
  return find_image(context.globals.store, name);
}

Image own_image(const Context& context, const std::string& name) {
  Image image = named_image(context, name);
  if (!image.manifest)
    throw Error(ErrorCode::image_invalid,
                fmt::format("'{}' is no checkpoint of ckpt's: it has no ckpt.json", name));
  return image;
}

Action declare_images(CLI::App& app) {
  auto o = std::make_shared<ImagesOptions>();
  declare_retention(app, o->keep);
  app.add_flag("--off", o->off, "with pin: unpin");
  app.add_flag("-f,--force", o->force, "with remove: also a pinned one");
  app.add_option("--html", o->html, "with inspect: write a page of it to FILE, - for stdout")
      ->type_name("FILE");
  app.add_option("--archive", o->archive.archive, "with export: the archive to write, - for stdout")
      ->type_name("FILE");
  app.add_option(
         "--compression", o->archive.compression,
         "with export and push: zstd:LEVEL with a level of 1 to 19, for push also what registries call "
         "gzip (default: by the archive's name, else zstd)")
      ->check(archive_compression());
  app.add_option("--id", o->archive.id, "with import and pull: the container's id (default: the archive's)")
      ->type_name("NAME");
  app.add_flag("--trust-spec", o->archive.trust_spec,
               "with import and pull: its configuration may be used, with mounts, devices and hooks");
  declare_far(app, o->far, "with push and pull: ");
  app.add_option("ACTION", o->action,
                 "list, inspect, verify, pin, remove, prune, export, import, push or pull")
      ->required();
  app.add_option(
      "NAME", o->names,
      "containers for list and prune, an archive or - for import, a place for pull and after push's "
      "checkpoint, checkpoints as ID@TIMESTAMP for the others");
  return [o](Context& context) { return images(context, *o); };
}

}  // namespace ckpt
