// From an image to a tar.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>

#include "images/archive.h"
#include "images/compressed_image.h"
#include "images/compression.h"
#include "images/digest.h"
#include "images/layer.h"
#include "images/layer/archive_tar.h"
#include "images/module.h"
#include "images/stamp.h"
#include "images/state_file.h"
#include "images/threads.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;
using Type = ArchiveEntry::Type;

constexpr const char* kConfigDump = "config.dump";
constexpr const char* kSpecDump = "spec.dump";

[[noreturn]] void invalid(const std::string& message) {
  throw Error(ErrorCode::image_invalid, message).with_hint("export another checkpoint; this one is damaged");
}

/// With --image-path the runtime's files lie beside ours.
std::string name_in_archive(const std::string& path, const std::string& images) {
  static constexpr std::string_view kBeside[] = {kConfigDump, kSpecDump, "dump.log",   "stats-dump",
                                                 kStateName,  kLayerTar, kDeletedFiles};
  const bool beside = std::find(std::begin(kBeside), std::end(kBeside), path) != std::end(kBeside);
  return images == "." && !beside ? "checkpoint/" + path : path;
}

struct Source {
  ArchiveEntry entry;
  fs::path path;
  const ImageFile* known = nullptr;  ///< of the manifest, for a file
};

/// What tells whose it is comes first, so that a reader of a stream knows it early.
bool goes_before(const Source& a, const Source& b) {
  const auto rank = [](const Source& one) {
    return one.entry.name == kConfigDump ? 0 : one.entry.name == kSpecDump ? 1 : 2;
  };
  return std::pair(rank(a), a.entry.name) < std::pair(rank(b), b.entry.name);
}

using Writer = std::unique_ptr<ArchiveWriter>;

class Export {
 public:
  Export(const Image& image, const std::function<std::string(Writer&)>& open)
      : image_(image), manifest_(*image.manifest), time_(parse_instant(manifest_.created)) {
    require(open(writer_));
  }

  void all() {
    std::vector<Source> sources = find_sources();
    std::sort(sources.begin(), sources.end(), goes_before);
    add({.type = Type::directory, .name = "checkpoint"});
    if (!has(sources, kConfigDump)) add_text(kConfigDump, config_dump(manifest_, checkpointed()));
    for (const Source& source : sources) one(source);
    manifest_.images = "checkpoint";
    manifest_.imported.reset();
    if (compressed_by_ckpt(manifest_.options.compression)) manifest_.options.compression.reset();
    std::sort(files_.begin(), files_.end(),
              [](const ImageFile& a, const ImageFile& b) { return a.path < b.path; });
    manifest_.files = files_;
    add_text(kManifestName, manifest_text(manifest_));
    require(writer_->finish());
  }

 private:
  static bool has(const std::vector<Source>& sources, const std::string& name) {
    return std::any_of(sources.begin(), sources.end(),
                       [&](const Source& one) { return one.entry.name == name; });
  }

  static void require(const std::string& failed) {
    const int error = errno;
    throw_if_interrupted();
    if (failed.empty()) return;
    errno = error;
    throw Error(ErrorCode::runtime_failed, failed);
  }

  std::string checkpointed() const {
    const auto instant = instant_of(image_.directory.filename().string());
    return instant ? instant_text(*instant) : manifest_.created;
  }

  std::vector<Source> find_sources() const {
    std::map<std::string, const ImageFile*> known;
    for (const ImageFile& file : image_.manifest->files) known[file.path] = &file;
    std::vector<Source> sources;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(image_.directory)) {
      const std::string path = entry.path().lexically_relative(image_.directory).string();
      if (path == kManifestName || path == "pinned" || path == "checkpoint") continue;
      sources.push_back(source_of(entry, path, known));
    }
    return sources;
  }

  Source source_of(const fs::directory_entry& entry, const std::string& path,
                   const std::map<std::string, const ImageFile*>& known) const {
    const std::string name = name_in_archive(path, image_.manifest->images);
    if (entry.is_symlink()) {
      const std::string target = fs::read_symlink(entry.path()).string();
      if (!links_dumps(name, target))
        invalid(fmt::format("'{}' is a link to '{}', which no image has", entry.path().string(), target));
      return {{.type = Type::symlink, .name = name, .link = target}, entry.path()};
    }
    if (entry.is_directory()) return {{.type = Type::directory, .name = name}, entry.path()};
    const auto found = known.find(path);
    if (found == known.end() || !entry.is_regular_file())
      invalid(fmt::format("the image in '{}' has a file that was not there when it was made: '{}'",
                          image_.directory.string(), path));
    const ImageFile& file = *found->second;
    return {{.type = Type::file,
             .name = file.unpacked ? without_packed_suffix(name) : name,
             .size = file.unpacked.value_or(file.size)},
            entry.path(),
            &file};
  }

  void one(const Source& source) {
    throw_if_interrupted();
    if (source.entry.type != Type::file)
      add(source.entry);
    else if (source.entry.name == kSpecDump)
      add_spec(source);
    else
      add_file(source);
  }

  void add(ArchiveEntry entry) {
    entry.time = time_ ? time_->tv_sec : 0;
    require(writer_->add(entry));
  }

  void add_text(const std::string& name, const std::string& text) {
    add({.type = Type::file, .name = name, .size = text.size()});
    require(writer_->write(text.data(), text.size()));
    if (name == kManifestName) return;
    Digest digest;
    digest.update(text);
    files_.push_back({name, text.size(), digest.hex()});
  }

  void add_spec(const Source& source) {
    constexpr std::size_t kMostSpec = 16U << 20U;
    const std::string text = read_file(source.path, kMostSpec).value_or("");
    Digest digest;
    digest.update(text);
    require_known(source, digest.hex());
    add_text(source.entry.name, spec_dump(text));
  }

  void add_file(const Source& source) {
    add(source.entry);
    Digest digest;
    const auto piece = [&](std::string_view data) {
      digest.update(data);
      require(writer_->write(data.data(), data.size()));
    };
    if (source.known->unpacked)
      read_packed(source.path, *source.known->unpacked, piece);
    else
      read_plain(source, piece);
    const std::string hex = digest.hex();
    if (!source.known->unpacked) require_known(source, hex);
    files_.push_back({source.entry.name, source.entry.size, hex});
  }

  static void read_plain(const Source& source, const std::function<void(std::string_view)>& piece) {
    const Fd fd(::open(source.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) invalid(fmt::format("cannot read '{}': {}", source.path.string(), errno_text(errno)));
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    std::vector<char> buffer(1U << 20U);
    for (std::uint64_t left = source.entry.size; left > 0;) {
      const ssize_t n = ::read(fd.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), left));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0)
        invalid(fmt::format("cannot read all of '{}': {}", source.path.string(),
                            n == 0 ? "it is shorter than it was" : errno_text(errno)));
      piece({buffer.data(), static_cast<std::size_t>(n)});
      left -= static_cast<std::uint64_t>(n);
    }
  }

  static void require_known(const Source& source, const std::string& digest) {
    if (source.known->xxh3.empty() || source.known->xxh3 == digest) return;
    invalid(fmt::format("'{}' is not what was written at the checkpoint: its content has changed",
                        source.path.string()));
  }

  const Image& image_;
  Manifest manifest_;  ///< as it will be in the archive
  const std::optional<timespec> time_;
  Writer writer_;
  std::vector<ImageFile> files_;
};

const ArchiveModule& archive_module() {
  return *static_cast<const ArchiveModule*>(module_table("ckpt_archive_module"));
}

int compressing_threads() {
  constexpr std::size_t kMostThreads = 8;
  return static_cast<int>(thread_count(kMostThreads));
}

void require_archivable(const Image& image) {
  check_sizes(image.directory, *image.manifest);
  if (image.manifest->images == "." && !image.manifest->pre_dumps.empty())
    throw Error(
        ErrorCode::unsupported,
        fmt::format("the image in '{}' has pre-dumps inside the runtime's directory, which the layout "
                    "of archives has no place for",
                    image.directory.string()))
        .with_hint("take it without --image-path");
}

}  // namespace

void write_archive(const Image& image, int out, std::optional<int> level) {
  require_archivable(image);
  Export(image, [&](Writer& writer) {
    return archive_module().write(out, interrupt_fd(), level.value_or(0), compressing_threads(), writer);
  }).all();
}

BlobDigests write_layer_blob(const Image& image, int out, const ArchiveFilter& filter) {
  require_archivable(image);
  BlobDigests digests;
  Export(image, [&](Writer& writer) {
    return archive_module().write_blob(out, interrupt_fd(), filter, compressing_threads(), digests, writer);
  }).all();
  return digests;
}

std::string sha256_of(const std::string& text) {
  std::string hex;
  if (const std::string failed = archive_module().sha256(text, hex); !failed.empty())
    throw Error(ErrorCode::unsupported, failed);
  return hex;
}

std::string config_dump(const Manifest& manifest, const std::string& checkpointed) {
  return json{{"id", manifest.id},
              {"name", manifest.id},
              {"runtime", table_of(manifest.target.kind).name},
              {"rootfsImage", ""},
              {"rootfsImageRef", ""},
              {"rootfsImageName", ""},
              {"createdTime", manifest.created},
              {"checkpointedTime", checkpointed},
              {"restoredTime", "0001-01-01T00:00:00Z"},
              {"restored", false}}
             .dump(1, ' ', false, json::error_handler_t::replace) +
         "\n";
}

std::string spec_dump(const std::string& spec) {
  json document = parse_json(spec);
  if (!document.is_object()) return spec;
  json& annotations = document["annotations"];
  if (!annotations.is_object()) annotations = json::object();
  for (const char* of_others : {"io.container.manager", "io.kubernetes.cri.container-name"})
    if (annotations.contains(of_others)) return spec;
  annotations["io.container.manager"] = "libpod";
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace ckpt
