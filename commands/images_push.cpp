// Pushing: as an OCI image by skopeo, file by file by rclone; and the options that pulling has too.
#include <atomic>

#include "commands/far_program.h"
#include "commands/images.h"
#include "commands/images_far.h"
#include "commands/options.h"
#include "commands/progress.h"
#include "images/compressed_image.h"
#include "images/compression.h"
#include "images/imported.h"
#include "images/oci_layout.h"
#include "images/retention.h"
#include "images/stamp.h"
#include "images/workplace.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

FarPlace destination_of(const Image& image, const std::string& text) {
  return far_place(expand_place(text, image.manifest->id, image.directory.filename().string()));
}

std::string push_staging(const Image& image, const ArchiveFilter& filter) {
  return fmt::format("{}.{}{}", name_of(image), filter.name.empty() ? "none" : filter.name, filter.level);
}

/// One that a killed ckpt has left whole is as good: the same image gives the same bytes.
fs::path make_layout(const Context& context, const Image& image, const ArchiveFilter& filter,
                     const Staging& staging) {
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
  const Staging staging(context.globals.store, "push", push_staging(image, filter));
  FarProgram program(context, place, staging.lock());
  const fs::path layout = make_layout(context, image, filter, staging);
  const std::uint64_t bytes = bytes_below(layout);
  std::atomic<bool> sent = false;
  const Progress progress(
      context, "push", name_of(image), [&] { return bytes; },
      [&] { return sent ? bytes : std::min(bytes, program.moved()); });
  program.run(fmt::format("push of '{}' to '{}'", name_of(image), place.text),
              skopeo_push(far, layout.string(), place));
  sent = true;
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
  const bool there = std::any_of(m.files.begin(), m.files.end(),
                                 [](const ImageFile& file) { return file.path == kFarTaken; });
  if (there) return std::nullopt;
  const auto instant = instant_of(image.directory.filename().string());
  fs::path file = directory / kFarTaken;
  write_file_atomic(file, config_dump(m, instant ? instant_text(*instant) : m.created));
  return file;
}

Pushed push_files(const Context& context, const FarOptions& far, const Image& image, const FarPlace& place) {
  require_files(image);
  const Staging staging(context.globals.store, "push", name_of(image) + ".files");
  FarProgram program(context, place, staging.lock());
  const fs::path manifest = image.directory / kManifestName;
  constexpr std::size_t kMostManifest = 64U << 20U;
  require_free(program, far, place, read_file(manifest, kMostManifest).value_or(""));
  const fs::path list = staging.directory() / kFarList;
  write_file_atomic(list, rclone_files(image.manifest->files));
  const std::string what = fmt::format("push of '{}' to '{}'", name_of(image), place.text);
  const std::uint64_t bytes = total_size(image.manifest->files);
  const Progress progress(
      context, "push", name_of(image), [&] { return bytes; }, [&] { return program.moved(); });
  program.run(what, rclone_push(far, list.string(), image.directory.string(), place));
  if (const auto taken = write_taken(image, staging.directory()))
    program.run(what, rclone_push_file(far, taken->string(), place, kFarTaken));
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
    const fs::path staging = Staging::place(context.globals.store, "push", push_staging(image, filter));
    return {with(skopeo_push(far, (staging / "layout").string(), place))};
  }
  const fs::path staging = Staging::place(context.globals.store, "push", name_of(image) + ".files");
  return {with(rclone_push(far, (staging / kFarList).string(), image.directory.string(), place)),
          with(rclone_push_file(far, (staging / kFarTaken).string(), place, kFarTaken)),
          with(rclone_push_file(far, (image.directory / kManifestName).string(), place, kManifestName))};
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

}  // namespace ckpt
