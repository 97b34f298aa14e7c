// ckpt images export and import: the file or stream around images/archive.
#include "commands/images_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include "commands/images.h"
#include "commands/progress.h"
#include "images/compressed_image.h"
#include "images/compression.h"
#include "images/imported.h"
#include "images/retention.h"
#include "images/whole_file.h"
#include "images/workplace.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

constexpr const char* kStream = "-";

void refuse_terminal(int fd, const char* what, const std::string& hint) {
  if (::isatty(fd) == 1) throw Error(ErrorCode::usage, fmt::format("{} is a terminal", what)).with_hint(hint);
}

/// A new file, or a regular one that will be replaced.
void require_target(const std::string& file) {
  const fs::path whole = absolute_path(file);
  std::error_code error;
  if (!fs::is_directory(whole.parent_path(), error))
    throw Error(ErrorCode::usage, fmt::format("cannot write '{}': '{}' is no directory", whole.string(),
                                              whole.parent_path().string()));
  const fs::file_type type = fs::symlink_status(whole, error).type();
  if (type != fs::file_type::not_found && type != fs::file_type::regular)
    throw Error(ErrorCode::conflict,
                fmt::format("'{}' would be overwritten, and it is no regular file", whole.string()))
        .with_hint("name another file, or '-' for stdout");
}

std::uint64_t write_whole(const Image& image, const std::string& file, std::optional<int> level) {
  WholeFile whole(file);
  try {
    write_archive(image, whole.fd(), level);
  } catch (Error& error) {
    if (error.code == ErrorCode::runtime_failed) error.within(fmt::format("'{}'", file));
    throw;
  }
  whole.publish();
  return fs::file_size(file);
}

Fd open_archive(const std::string& file) {
  if (file == kStream) {
    refuse_terminal(STDIN_FILENO, "stdin", "name a file, or give the archive on stdin");
    return Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  }
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw Error(ErrorCode::not_found, fmt::format("cannot read '{}': {}", file, errno_text(errno)));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return fd;
}

std::uint64_t size_of(int fd) {
  struct stat stat = {};
  return ::fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) ? static_cast<std::uint64_t>(stat.st_size) : 0;
}

}  // namespace

void require_archive_options(const ArchiveOptions& o, const std::string& action) {
  const auto only_with = [&](bool given, const char* option, const char* verb, const char* far) {
    if (given && action != verb && action != far)
      throw Error(ErrorCode::usage,
                  *far == '\0' ? fmt::format("{} goes with 'images {}'", option, verb)
                               : fmt::format("{} goes with 'images {}' and 'images {}'", option, verb, far));
  };
  only_with(o.archive.has_value(), "--archive", "export", "");
  only_with(o.compression.has_value(), "--compression", "export", "push");
  only_with(o.id.has_value(), "--id", "import", "pull");
  only_with(o.trust_spec, "--trust-spec", "import", "pull");
  if (action == "export" && o.compression == "gzip")
    throw Error(ErrorCode::usage, "--compression gzip is for 'images push'; an archive is zstd or plain");
}

std::optional<int> archive_level(const std::string& file, const std::optional<std::string>& compression) {
  if (compression) return *compression == "none" ? std::nullopt : zstd_level(*compression);
  for (const char* other : {".gz", ".tgz", ".xz", ".txz", ".bz2", ".lz4", ".zip"})
    if (file.ends_with(other))
      throw Error(
          ErrorCode::usage,
          fmt::format("'{}' would not be what its name says: ckpt writes zstd or no compression", file))
          .with_hint("name it .tar.zst or .tar, or say --compression zstd");
  return file.ends_with(".tar") ? std::nullopt : std::optional(kDefaultLevel);
}

int export_image(const Context& context, const ArchiveOptions& o, const std::string& name) {
  if (!o.archive)
    throw Error(ErrorCode::usage, "images export: no archive is named")
        .with_hint("--archive FILE, or - for stdout");
  const std::string& file = *o.archive;
  const bool stream = file == kStream;
  const auto level = archive_level(file, o.compression);
  if (stream && context.globals.json)
    throw Error(ErrorCode::usage, "--json and --archive - are both for stdout").with_hint("name a file");
  if (stream)
    refuse_terminal(STDOUT_FILENO, "stdout", "send it to a file or a program");
  else
    require_target(file);
  const Image image = own_image(context, name);
  if (context.globals.dry_run) {
    const std::string to = stream ? file : absolute_path(file).string();
    context.print_plan(std::vector<Argv>{Argv{"tar", level ? "--zstd" : "--no-auto-compress", "-C",
                                              image.directory.string(), "-cf", to, "."}});
    return 0;
  }
  std::uint64_t bytes = 0;
  {
    const Progress progress(
        context, "export", name_of(image), [&] { return bytes_below(image.directory); }, bytes_read);
    if (stream)
      write_archive(image, STDOUT_FILENO, level);
    else
      bytes = write_whole(image, file, level);
  }
  if (context.globals.json)
    context.out.document(
        {{"name", name_of(image)}, {"archive", absolute_path(file).string()}, {"bytes", bytes}});
  else if (!stream)
    context.out.line(name_of(image));
  return 0;
}

ImportChoice choice_of(const Context& context, const ArchiveOptions& o) {
  ImportChoice choice{.id = o.id, .kind = {}, .trust_spec = o.trust_spec};
  if (o.id) validate_id(*o.id);
  if (context.globals.runtime) choice.kind = runtime_named(*context.globals.runtime)->kind;
  return choice;
}

namespace {

/// What was brought before with these files, believed neither more nor less.
std::optional<Brought> brought_before(const Context& context, const Manifest& manifest) {
  for (const fs::path& directory : complete_checkpoints(absolute_path(context.globals.store), manifest.id)) {
    auto there = read_manifest(directory);
    if (there && there->imported && there->imported->spec_trusted == manifest.imported->spec_trusted &&
        there->files == manifest.files)
      return Brought{manifest.id + "@" + directory.filename().string(), directory, std::move(*there)};
  }
  return std::nullopt;
}

void require_new_id(const Context& context, const std::string& id, const std::string& stamp) {
  const std::string& store = context.globals.store;
  if (fs::exists(checkpoints_of(store, id) / stamp) || complete_checkpoints(store, id).empty()) return;
  throw Error(
      ErrorCode::conflict,
      fmt::format(
          "the store has checkpoints of '{}' already; one from elsewhere is not put among them unasked", id))
      .with_hint(
          "--id NAME of 'images import' and 'images pull' brings it in as NAME, which may be that one");
}

}  // namespace

Brought name_and_publish(const Context& context, const ArchiveOptions& o, const std::string& stamp,
                         Manifest manifest, StagedImage& image) {
  if (auto before = o.reuse ? brought_before(context, manifest) : std::nullopt) return std::move(*before);
  if (!o.id) require_new_id(context, manifest.id, stamp);
  image.name_it(absolute_path(context.globals.store), manifest.id, stamp);
  image.publish(manifest);
  return {image.name(), image.final_directory(), std::move(manifest)};
}

Brought bring_in(const Context& context, const ArchiveOptions& o, int in, const std::string& name,
                 const std::optional<std::uint64_t>& max_bytes) {
  const std::string& store = context.globals.store;
  const ImportChoice choice = choice_of(context, o);
  const ImportPlace place(store);
  const ArchiveLimits limits{.bytes = max_bytes.value_or(space_of(store).free)};
  StagedImage image = StagedImage::of_import(place.directory());
  image.create();
  const Progress progress(
      context, "import", name, [&] { return size_of(in); }, bytes_read);
  const ArchiveContent content = read_archive(in, name, image.directory(), limits);
  Manifest manifest = imported_manifest(content, image.directory(), choice, name);
  const std::string stamp = imported_stamp(manifest, image.directory());
  return name_and_publish(context, o, stamp, std::move(manifest), image);
}

int tell_brought(const Context& context, const Brought& brought) {
  if (context.globals.json)
    context.out.document({{"name", brought.name},
                          {"id", brought.manifest.id},
                          {"path", brought.directory.string()},
                          {"bytes", total_size(brought.manifest.files)},
                          {"runtime", table_of(brought.manifest.target.kind).name},
                          {"by", brought.manifest.imported->by}});
  else
    context.out.line(brought.name);
  return 0;
}

int import_image(const Context& context, const ArchiveOptions& o, const std::string& file,
                 const std::optional<std::uint64_t>& max_bytes) {
  const std::string& store = context.globals.store;
  if (context.globals.dry_run) {
    open_archive(file);
    const std::string into = (absolute_path(store) / "checkpoints").string();
    context.print_plan(std::vector<Argv>{Argv{"tar", "-C", into, "-xf", file}});
    return 0;
  }
  if (o.id) validate_id(*o.id);
  const Fd in = open_archive(file);
  return tell_brought(context, bring_in(context, o, in.get(), file == kStream ? "stdin" : file, max_bytes));
}

}  // namespace ckpt
