// Pushing and pulling: as an OCI image by skopeo, file by file by rclone.
#include "commands/images_far.h"

#include <fcntl.h>

#include <set>

#include "commands/far_program.h"
#include "commands/images.h"
#include "commands/options.h"
#include "commands/progress.h"
#include "images/compressed_image.h"
#include "images/compression.h"
#include "images/digest.h"
#include "images/oci_layout.h"
#include "images/retention.h"
#include "images/stamp.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

constexpr const char* kList = "files";
constexpr const char* kContent = "content";
constexpr const char* kTaken = "config.dump";

std::string place_name(const FarPlace& place) {
  Digest digest;
  digest.update(place.text);
  return digest.hex();
}

std::uint64_t size_of_all(const std::vector<ImageFile>& files) {
  std::uint64_t bytes = 0;
  for (const ImageFile& file : files) bytes += file.size;
  return bytes;
}

/// For rclone's --files-from-raw.
void write_list(const fs::path& file, const std::vector<ImageFile>& files) {
  std::string lines;
  for (const ImageFile& one : files) lines += one.path + "\n";
  write_file_atomic(file, lines);
}

FarPlace destination_of(const Image& image, const std::string& text) {
  return far_place(expand_place(text, image.manifest->id, image.directory.filename().string()));
}

fs::path staging_place(const Context& context, const char* kind, const std::string& name) {
  return absolute_path(context.globals.store) / kind / name;
}

// ---- push

std::string push_staging(const Image& image, const ArchiveFilter& filter) {
  return fmt::format("{}.{}{}", name_of(image), filter.name.empty() ? "none" : filter.name, filter.level);
}

/// One that a killed ckpt has left whole is as good: the same image gives the same bytes.
fs::path make_layout(const Context& context, const Image& image, const ArchiveFilter& filter,
                     const FarStaging& staging) {
  fs::path layout = staging.directory() / "layout";
  if (is_oci_layout(layout)) return layout;
  remove_tree(layout);
  const Progress progress(
      context, "export", name_of(image), [&] { return bytes_below(image.directory); }, bytes_read);
  write_oci_layout(image, layout, filter);
  return layout;
}

Pushed push_layout(const Context& context, const FarOptions& far, const Image& image,
                   const ArchiveFilter& filter, const FarPlace& place) {
  const FarStaging staging(context.globals.store, "push", push_staging(image, filter));
  FarProgram program(context, place, staging.lock());
  const fs::path layout = make_layout(context, image, filter, staging);
  const std::uint64_t bytes = bytes_below(layout);
  const Progress progress(
      context, "push", name_of(image), [&] { return bytes; }, [] { return std::uint64_t{0}; });
  program.run(fmt::format("push of '{}' to '{}'", name_of(image), place.text),
              skopeo_push(far, layout.string(), place));
  return {place.text, bytes};
}

/// What rclone does not carry has to be known from the manifest.
void require_known_links(const Image& image) {
  const auto links = dump_links(*image.manifest);
  for (const auto& entry : fs::recursive_directory_iterator(image.directory)) {
    if (!entry.is_symlink()) continue;
    const std::pair found(entry.path().lexically_relative(image.directory).string(),
                          fs::read_symlink(entry.path()).string());
    if (std::find(links.begin(), links.end(), found) == links.end())
      throw Error(ErrorCode::unsupported, fmt::format("'{}' is a link to '{}', which rclone does not carry",
                                                      entry.path().string(), found.second))
          .with_hint("push it to oci: or docker://, as one archive");
  }
}

void require_files(const Image& image) {
  if (image.manifest->images != "checkpoint")
    throw Error(ErrorCode::unsupported,
                fmt::format("the image in '{}' was taken with --image-path; its files do not lie as those of "
                            "the store",
                            image.directory.string()))
        .with_hint("push it to oci: or docker://, as one archive");
  check_sizes(image.directory, *image.manifest);
  require_known_links(image);
}

/// What was there before stays whole.
void require_free(FarProgram& program, const FarOptions& far, const FarPlace& place,
                  const std::string& manifest) {
  const auto there =
      program.ask(fmt::format("a look at '{}'", place.text), rclone_read(far, place, kManifestName));
  if (there && !there->empty() && *there != manifest)
    throw Error(ErrorCode::conflict, fmt::format("'{}' holds another checkpoint already", place.text))
        .with_hint("name another place; with {id} and {time} in it each checkpoint gets its own");
}

/// When it was taken, to the fraction of a second that its name has; an image of ckpt's own is without such a
/// file.
std::optional<fs::path> write_taken(const Image& image, const fs::path& directory) {
  const Manifest& m = *image.manifest;
  const bool there =
      std::any_of(m.files.begin(), m.files.end(), [](const ImageFile& file) { return file.path == kTaken; });
  if (there) return std::nullopt;
  const auto instant = instant_of(image.directory.filename().string());
  fs::path file = directory / kTaken;
  write_file_atomic(file, config_dump(m, instant ? instant_text(*instant) : m.created));
  return file;
}

Pushed push_files(const Context& context, const FarOptions& far, const Image& image, const FarPlace& place) {
  require_files(image);
  const FarStaging staging(context.globals.store, "push", name_of(image) + ".files");
  FarProgram program(context, place, staging.lock());
  const fs::path manifest = image.directory / kManifestName;
  constexpr std::size_t kMostManifest = 64U << 20U;
  require_free(program, far, place, read_file(manifest, kMostManifest).value_or(""));
  const fs::path list = staging.directory() / kList;
  write_list(list, image.manifest->files);
  const std::string what = fmt::format("push of '{}' to '{}'", name_of(image), place.text);
  const std::uint64_t bytes = size_of_all(image.manifest->files);
  const Progress progress(
      context, "push", name_of(image), [&] { return bytes; }, [&] { return program.moved(); });
  program.run(what, rclone_push(far, list.string(), image.directory.string(), place));
  if (const auto taken = write_taken(image, staging.directory()))
    program.run(what, rclone_push_file(far, taken->string(), place, kTaken));
  program.run(what, rclone_push_file(far, manifest.string(), place, kManifestName));
  return {place.text, bytes};
}

std::vector<Argv> planned_push(const Context& context, const FarOptions& far, const Image& image,
                               const ArchiveFilter& filter, const FarPlace& place) {
  const std::string program = far_program(place.program);
  const auto with = [&](Argv args) {
    args.insert(args.begin(), program);
    return args;
  };
  if (place.program == "skopeo") {
    const fs::path staging = staging_place(context, "push", push_staging(image, filter));
    return {with(skopeo_push(far, (staging / "layout").string(), place))};
  }
  const fs::path staging = staging_place(context, "push", name_of(image) + ".files");
  return {with(rclone_push(far, (staging / kList).string(), image.directory.string(), place)),
          with(rclone_push_file(far, (staging / kTaken).string(), place, kTaken)),
          with(rclone_push_file(far, (image.directory / kManifestName).string(), place, kManifestName))};
}

// ---- pull

/// Fresh, or what an earlier pull of the same place has got; kept for the next when this one is cut off.
template <class Work>
Brought with_staging(const Context& context, const FarPlace& place, const Work& work) {
  FarStaging staging(context.globals.store, "pull", place_name(place));
  try {
    return work(staging);
  } catch (Error& error) {
    const bool cut_off = error.code == ErrorCode::runtime_failed || error.code == ErrorCode::timeout ||
                         error.code == ErrorCode::interrupted;
    const bool any = bytes_below(staging.directory() / kContent) > 0;
    staging.keep(cut_off && any);
    if (cut_off && any && error.hint.empty())
      error.with_hint("the same pull goes on with what came; 'ckpt images prune' removes that");
    throw;
  }
}

std::uint64_t limit_of(const Context& context, const std::optional<std::uint64_t>& max_bytes) {
  return max_bytes.value_or(space_of(context.globals.store).free);
}

void require_room(std::uint64_t bytes, std::uint64_t room, std::uint64_t limit, const FarPlace& place) {
  if (bytes > room)
    throw Error(ErrorCode::image_invalid, fmt::format("'{}' has more than {} bytes", place.text, limit))
        .with_hint("--max-bytes allows more, as far as the store's disk has room");
}

std::string pull_text(const FarPlace& place) {
  return fmt::format("pull of '{}'", place.text);
}

Brought pull_layout(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                    const FarPlace& place, const std::optional<std::uint64_t>& max_bytes,
                    const FarStaging& staging) {
  FarProgram program(context, place, staging.lock());
  const std::uint64_t limit = limit_of(context, max_bytes);
  std::uint64_t bytes = 0;
  for (const OciLayer& layer :
       layers_of(program.run(pull_text(place), skopeo_inspect(far, place)), place.text))
    bytes += layer.size;
  require_room(bytes, limit, limit, place);
  const fs::path layout = staging.directory() / kContent;
  {
    const Progress progress(
        context, "pull", place.text, [&] { return bytes; }, [&] { return bytes_below(layout); });
    program.run(pull_text(place), skopeo_pull(far, place, layout.string()));
  }
  const fs::path layer = layer_file(layout, place.text);
  const Fd in(::open(layer.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!in) throw Error(ErrorCode::image_invalid, fmt::format("'{}' came without its layer", place.text));
  return bring_in(context, o, in.get(), place.text, max_bytes);
}

[[noreturn]] void refuse(const FarPlace& place, const std::string& why) {
  throw Error(ErrorCode::image_invalid, fmt::format("'{}' {}", place.text, why))
      .with_hint("nothing of it was taken");
}

/// What it names can be fetched: below the directory, once each, known by content, no more than the limit.
void require_fetchable(const Manifest& m, const FarPlace& place, std::uint64_t limit) {
  std::set<std::string> names;
  std::uint64_t bytes = 0;
  for (const ImageFile& file : m.files) {
    if (name_below(file.path) != file.path || file.path == kManifestName || file.path == "pinned" ||
        !names.insert(file.path).second)
      refuse(place, "has a ckpt.json with a name that leads outside or is none");
    if (file.xxh3.empty()) refuse(place, "has a ckpt.json without digests");
    const std::uint64_t most = std::max(file.size, file.unpacked.value_or(0));
    require_room(most, limit - bytes, limit, place);
    bytes += most;
  }
}

std::string fetch_manifest(FarProgram& program, const FarOptions& far, const FarPlace& place) {
  auto text = program.ask(pull_text(place), rclone_read(far, place, kManifestName));
  if (text && !text->empty()) return std::move(*text);
  const auto list = program.ask(pull_text(place), rclone_list(far, place));
  if (list && !list->empty())
    throw Error(ErrorCode::image_invalid,
                fmt::format("'{}' holds no complete checkpoint: it has no {}", place.text, kManifestName))
        .with_hint("push it again; a push that was cut off goes on");
  throw Error(ErrorCode::not_found, fmt::format("there is nothing at '{}'", place.text))
      .with_hint("name what 'ckpt images push' printed");
}

/// What is there of another checkpoint is of no use.
void prepare_content(const fs::path& staging, const std::string& manifest, const Manifest& m) {
  const auto before = read_file(staging / kManifestName, manifest.size() + 1);
  if (before != manifest) remove_tree(staging / kContent);
  make_private_dirs(staging / kContent);
  write_file_atomic(staging / kManifestName, manifest);
  write_list(staging / kList, m.files);
}

ArchiveContent content_of(const Context& context, const fs::path& directory, const std::string& manifest,
                          const std::string& name) {
  ArchiveContent content{.files = files_below(directory), .manifest = manifest, .as_stored = true};
  const Progress progress(
      context, "verification", name, [&] { return size_of_all(content.files); }, bytes_read);
  add_digests(directory, content.files);
  return content;
}

Brought pull_files(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                   const FarPlace& place, const std::optional<std::uint64_t>& max_bytes,
                   const FarStaging& staging) {
  const ImportChoice choice = choice_of(context, o);
  FarProgram program(context, place, staging.lock());
  const std::string text = fetch_manifest(program, far, place);
  const Manifest told = manifest_from_text(text, place.text + "/" + kManifestName);
  require_fetchable(told, place, limit_of(context, max_bytes));
  prepare_content(staging.directory(), text, told);
  const fs::path content = staging.directory() / kContent;
  {
    const Progress progress(
        context, "pull", place.text, [&] { return size_of_all(told.files); },
        [&] { return bytes_below(content); });
    program.run(pull_text(place),
                rclone_pull(far, (staging.directory() / kList).string(), place, content.string()));
  }
  Manifest manifest =
      imported_manifest(content_of(context, content, text, place.text), content, choice, place.text);
  const bool in_image = fs::exists(content / kTaken);
  if (const auto taken =
          in_image ? std::nullopt : program.ask(pull_text(place), rclone_read(far, place, kTaken)))
    write_file_atomic(staging.directory() / kTaken, *taken);
  const std::string stamp = imported_stamp(manifest, in_image ? content : staging.directory());
  const ImportPlace imports(context.globals.store);
  StagedImage image = StagedImage::of_import(imports.directory());
  image.create();
  fs::rename(content, image.directory());
  for (const auto& [link, target] : dump_links(manifest))
    fs::create_symlink(target, image.directory() / link);
  name_and_publish(context, stamp, manifest, image);
  return {image.name(), image.final_directory(), std::move(manifest)};
}

}  // namespace

void declare_far(CLI::App& app, FarOptions& o, const std::string& with) {
  app.add_option("--authfile", o.authfile, with + "skopeo's credentials")->type_name("FILE");
  app.add_option("--rclone-config", o.rclone_config, with + "rclone's remotes and credentials")
      ->type_name("FILE");
  app.add_option("--tls-verify", o.tls_verify,
                 with + "false for a registry or server without TLS, or whose certificate is not known")
      ->type_name("true|false");
}

ArchiveFilter layer_filter(const std::optional<std::string>& compression) {
  if (compression == "none") return {};
  if (compression == "gzip") return {.name = "gzip"};
  return {.name = "zstd", .level = zstd_level(compression.value_or("zstd")).value_or(kDefaultLevel)};
}

void require_destination(const std::string& destination, bool several) {
  far_program(far_place(destination).program);
  if (several && destination.find("{id}") == std::string::npos)
    throw Error(ErrorCode::usage, fmt::format("'{}' is one place for several containers", destination))
        .with_hint("write {id} in it where the container's name belongs");
}

Pushed push_image(const Context& context, const FarOptions& far, const Image& image,
                  const std::optional<std::string>& compression, const std::string& destination) {
  const FarPlace place = destination_of(image, destination);
  if (place.program == "rclone") return push_files(context, far, image, place);
  return push_layout(context, far, image, layer_filter(compression), place);
}

Brought pull_image(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                   const std::string& source, const std::optional<std::uint64_t>& max_bytes) {
  const FarPlace place = far_place(source);
  far_program(place.program);
  return with_staging(context, place, [&](const FarStaging& staging) {
    return place.program == "rclone" ? pull_files(context, far, o, place, max_bytes, staging)
                                     : pull_layout(context, far, o, place, max_bytes, staging);
  });
}

std::vector<Argv> planned_pull(const Context& context, const FarOptions& far, const std::string& source) {
  const FarPlace place = far_place(source);
  const fs::path staging = staging_place(context, "pull", place_name(place));
  Argv argv = place.program == "skopeo"
                  ? skopeo_pull(far, place, (staging / kContent).string())
                  : rclone_pull(far, (staging / kList).string(), place, (staging / kContent).string());
  argv.insert(argv.begin(), far_program(place.program));
  return {argv};
}

int push_action(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                const std::string& name, const std::string& destination) {
  const FarPlace checked = far_place(destination);
  if (o.compression && checked.program == "rclone")
    throw Error(ErrorCode::usage,
                "--compression is for oci: and docker://; rclone carries the files as they are");
  const Image image = own_image(context, name);
  if (context.globals.dry_run) {
    context.print_plan(
        planned_push(context, far, image, layer_filter(o.compression), destination_of(image, destination)));
    return 0;
  }
  const Pushed pushed = push_image(context, far, image, o.compression, destination);
  if (context.globals.json)
    context.out.document({{"name", name_of(image)}, {"to", pushed.to}, {"bytes", pushed.bytes}});
  else
    context.out.line(pushed.to);
  return 0;
}

int pull_action(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                const std::string& source, const std::optional<std::uint64_t>& max_bytes) {
  if (context.globals.dry_run) {
    context.print_plan(planned_pull(context, far, source));
    return 0;
  }
  return tell_brought(context, pull_image(context, far, o, source, max_bytes));
}

}  // namespace ckpt
