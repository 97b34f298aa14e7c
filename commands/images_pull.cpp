// Pulling: what skopeo or rclone brings is checked like an archive before the store has it.
#include <fcntl.h>

#include <set>

#include "commands/far_program.h"
#include "commands/images_far.h"
#include "commands/progress.h"
#include "images/compressed_image.h"
#include "images/digest.h"
#include "images/imported.h"
#include "images/oci_layout.h"
#include "images/retention.h"
#include "images/workplace.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr const char* kContent = "content";

std::string place_name(const FarPlace& place) {
  Digest digest;
  digest.update(place.text);
  return digest.hex();
}

/// Fresh, or what an earlier pull of the same place has got; kept for the next when this one is cut off.
template <class Work>
Brought with_staging(const Context& context, const FarPlace& place, const Work& work) {
  Staging staging(context.globals.store, "pull", place_name(place));
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
                    const Staging& staging) {
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
  const Fd in(::open(layer.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!in) throw Error(ErrorCode::image_invalid, fmt::format("'{}' came without its layer", place.text));
  return bring_in(context, o, in.get(), place.text, max_bytes);
}

/// What it names can be fetched: below the directory, once each, known by content, no more than the limit.
void require_fetchable(const Manifest& m, const FarPlace& place, std::uint64_t limit) {
  std::set<std::string> names;
  std::uint64_t bytes = 0;
  for (const ImageFile& file : m.files) {
    if (name_below(file.path) != file.path || file.path == kManifestName || file.path == "pinned" ||
        !names.insert(file.path).second)
      refuse_import(place.text, "has a ckpt.json with a name that leads outside or is none");
    if (file.xxh3.empty()) refuse_import(place.text, "has a ckpt.json without digests");
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
  write_file_atomic(staging / kFarList, rclone_files(m.files));
}

ArchiveContent content_of(const Context& context, const fs::path& directory, const std::string& manifest,
                          const std::string& name) {
  ArchiveContent content{.files = files_below(directory), .manifest = manifest, .as_stored = true};
  const Progress progress(
      context, "verification", name, [&] { return total_size(content.files); }, bytes_read);
  add_digests(directory, content.files);
  return content;
}

Brought pull_files(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                   const FarPlace& place, const std::optional<std::uint64_t>& max_bytes,
                   const Staging& staging) {
  const ImportChoice choice = choice_of(context, o);
  FarProgram program(context, place, staging.lock());
  const std::string text = fetch_manifest(program, far, place);
  const Manifest told = manifest_from_text(text, place.text + "/" + kManifestName);
  require_fetchable(told, place, limit_of(context, max_bytes));
  prepare_content(staging.directory(), text, told);
  const fs::path content = staging.directory() / kContent;
  {
    const Progress progress(
        context, "pull", place.text, [&] { return total_size(told.files); },
        [&] { return bytes_below(content); });
    program.run(pull_text(place),
                rclone_pull(far, (staging.directory() / kFarList).string(), place, content.string()));
  }
  Manifest manifest =
      imported_manifest(content_of(context, content, text, place.text), content, choice, place.text);
  const bool in_image = fs::exists(content / kFarTaken);
  if (const auto taken =
          in_image ? std::nullopt : program.ask(pull_text(place), rclone_read(far, place, kFarTaken)))
    write_file_atomic(staging.directory() / kFarTaken, *taken);
  const std::string stamp = imported_stamp(manifest, in_image ? content : staging.directory());
  const ImportPlace imports(context.globals.store);
  StagedImage image = StagedImage::of_import(imports.directory());
  image.create();
  fs::rename(content, image.directory());
  for (const auto& [link, target] : dump_links(manifest))
    fs::create_symlink(target, image.directory() / link);
  return name_and_publish(context, o, stamp, std::move(manifest), image);
}

}  // namespace

Brought pull_image(const Context& context, const FarOptions& far, const ArchiveOptions& o,
                   const std::string& source, const std::optional<std::uint64_t>& max_bytes) {
  const FarPlace place = far_place(source);
  far_program(place.program);
  return with_staging(context, place, [&](const Staging& staging) {
    return place.program == "rclone" ? pull_files(context, far, o, place, max_bytes, staging)
                                     : pull_layout(context, far, o, place, max_bytes, staging);
  });
}

std::vector<Argv> planned_pull(const Context& context, const FarOptions& far, const std::string& source) {
  const FarPlace place = far_place(source);
  const fs::path staging = Staging::place(context.globals.store, "pull", place_name(place));
  Argv argv = place.program == "skopeo"
                  ? skopeo_pull(far, place, (staging / kContent).string())
                  : rclone_pull(far, (staging / kFarList).string(), place, (staging / kContent).string());
  argv.insert(argv.begin(), far_program(place.program));
  return {argv};
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
