// The store's content as a list, and the rules over it.
#include "images/retention.h"

#include <unistd.h>

#include <algorithm>

#include "images/manifest.h"
#include "images/store.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr const char* kPin = "pinned";
constexpr const char* kRemoved = ".removed-";

/// 2026-11-21T20:48:22Z as seconds since 1970; nullopt for anything else.
std::optional<std::time_t> seconds_of(const std::string& rfc3339) {
  std::tm parts = {};
  const char* end = ::strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&parts);
}

StoredImage look_at(const std::string& id, const fs::path& directory) {
  const std::string file = directory.filename().string();
  StoredImage image{.id = id,
                    .name = id + "@" + file,
                    .path = directory,
                    .created = {},
                    .runtime = {},
                    .pinned = is_pinned(directory)};
  try {
    const auto manifest = read_manifest(directory);
    if (!manifest) return image;
    image.created = manifest->created;
    image.runtime = table_of(manifest->target.kind).name;
    for (const ImageFile& one : manifest->files) image.bytes += one.size;
    image.complete = !file.starts_with('.');
  } catch (const Error&) {
    // A damaged manifest: listed as not complete, and 'images verify' says why.
  }
  return image;
}

std::vector<fs::path> directories_in(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    if (it->is_directory(error)) found.push_back(it->path());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<StoredImage> doomed(const std::vector<StoredImage>& images, const Retention& rules,
                                std::time_t now) {
  std::vector<StoredImage> complete;
  std::copy_if(images.begin(), images.end(), std::back_inserter(complete),
               [](const StoredImage& image) { return image.complete; });
  std::vector<StoredImage> gone;
  for (std::size_t i = 0; i < complete.size(); ++i) {
    const std::size_t newer = complete.size() - 1 - i;
    const auto created = seconds_of(complete[i].created);
    const bool young =
        rules.keep_within && (!created || std::chrono::seconds(now - *created) < *rules.keep_within);
    const bool recent = rules.keep_last && newer < *rules.keep_last;
    if (newer > 0 && !complete[i].pinned && !young && !recent) gone.push_back(complete[i]);
  }
  return gone;
}

std::vector<StoredImage> stored_images(const fs::path& store, const std::optional<std::string>& id) {
  std::vector<StoredImage> images;
  for (const fs::path& container :
       id ? std::vector<fs::path>{checkpoints_of(store, *id)} : directories_in(store / "checkpoints"))
    for (const fs::path& directory : directories_in(container))
      images.push_back(look_at(container.filename().string(), directory));
  return images;
}

bool is_pinned(const fs::path& directory) {
  return fs::exists(directory / kPin);
}

void pin_image(const fs::path& directory, bool on) {
  if (on)
    write_file_atomic(directory / kPin, "");
  else if (::unlink((directory / kPin).c_str()) != 0 && errno != ENOENT)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot remove '{}': {}", (directory / kPin).string(), errno_text(errno)));
}

void remove_image(const fs::path& directory) {
  const fs::path hidden = directory.parent_path() / (kRemoved + directory.filename().string());
  std::error_code error;
  fs::rename(directory, hidden, error);
  if (error)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot remove '{}': {}", directory.string(), errno_text(error.value())));
  if (const auto failed = remove_tree(hidden))
    throw Error(ErrorCode::runtime_failed,
                fmt::format("'{}' is removed from the store, but not from the disk: {}", directory.string(),
                            *failed));
}

void finish_removals(const fs::path& store, const std::string& id) {
  for (const fs::path& directory : directories_in(checkpoints_of(store, id)))
    if (directory.filename().string().starts_with(kRemoved)) remove_tree(directory);
}

}  // namespace ckpt
