// Staging, publishing and finding checkpoints.
#include "images/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <future>
#include <map>

#include "images/digest.h"
#include "images/imported.h"
#include "images/stamp.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/suggest.h"
#include "runtimes/trust.h"

namespace ckpt {
namespace {

/// runc makes its image directory 0600 and runsc its files 0644; ours are 0700 and 0600.
void make_private(const fs::path& directory) {
  ::chmod(directory.c_str(), 0700);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    if (!entry.is_symlink()) ::chmod(entry.path().c_str(), entry.is_directory() ? 0700 : 0600);
}

void sync_tree(const fs::path& directory) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    if (!entry.is_symlink()) sync_path(entry.path());
  sync_path(directory);
}

/// What is known of a file already is not looked up again.
std::vector<ImageFile> with_known(std::vector<ImageFile> files, const std::vector<ImageFile>& known) {
  std::map<std::string, const ImageFile*> by_path;
  for (const ImageFile& one : known) by_path[one.path] = &one;
  for (ImageFile& file : files)
    if (const auto found = by_path.find(file.path); found != by_path.end()) file = *found->second;
  return files;
}

/// Ids that have a directory in the store.
std::vector<std::string> stored_ids(const fs::path& store) {
  std::vector<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator it(store / "checkpoints", error), end; !error && it != end; it.increment(error))
    ids.push_back(it->path().filename().string());
  return ids;
}

[[noreturn]] void no_such(const fs::path& store, const std::string& name) {
  const std::string id = name.substr(0, name.rfind('@'));
  std::vector<std::string> ids = stored_ids(store);
  const bool has_others = !complete_checkpoints(store, id).empty();
  std::erase(ids, id);
  throw Error(ErrorCode::not_found,
              fmt::format("there is no checkpoint '{}'{}", name, has_others ? "" : did_you_mean(id, ids)))
      .with_hint(has_others ? fmt::format("'ckpt images list {}' shows those of '{}'", id, id)
                            : "name it ID@latest, ID@TIMESTAMP or by its directory");
}

fs::path match_prefix(const std::vector<fs::path>& candidates, const std::string& prefix,
                      const fs::path& store, const std::string& name) {
  std::vector<fs::path> matches;
  for (const fs::path& candidate : candidates)
    if (candidate.filename().string().starts_with(prefix)) matches.push_back(candidate);
  if (matches.empty()) no_such(store, name);
  if (matches.size() > 1)
    throw Error(ErrorCode::conflict,
                fmt::format("'{}' names {} checkpoints, '{}' and '{}' among them", name, matches.size(),
                            matches[0].filename().string(), matches[1].filename().string()))
        .with_hint("write more of the timestamp");
  return matches[0];
}

/// After every one that is or was begun there, whatever the clock says: names tell the order.
std::string next_stamp(const fs::path& home) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(home, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return stamp_after(names, now);
}

[[noreturn]] void refuse_place(const fs::path& directory, const std::string& why) {
  throw Error(ErrorCode::conflict, fmt::format("nothing is written to '{}': {}, who could put links there",
                                               directory.string(), why))
      .with_hint("name a directory that only root can write, and that is below such directories");
}

/// The directories above `path` that are not there yet.
std::vector<fs::path> absent_above(const fs::path& path) {
  std::vector<fs::path> absent;
  for (fs::path above = path.parent_path(); !fs::exists(above); above = above.parent_path())
    absent.push_back(above.parent_path());
  return absent;
}

}  // namespace

fs::path checkpoints_of(const fs::path& store, const std::string& id) {
  return store / "checkpoints" / id;
}

StagedImage StagedImage::in_store(const fs::path& store, const std::string& id) {
  const fs::path home = checkpoints_of(store, id);
  const std::string name = next_stamp(home);
  return {home / ("." + name), home / name, "checkpoint", id};
}

StagedImage StagedImage::at(const fs::path& directory) {
  if (!absent_or_empty(directory))
    throw Error(ErrorCode::conflict, fmt::format("the image directory '{}' is not empty", directory.string()))
        .with_hint("a checkpoint needs a fresh directory: runtimes leave stale files in an old one");
  StagedImage image(directory, directory, ".", "");
  image.existed_ = fs::exists(directory);
  return image;
}

StagedImage StagedImage::of_import(const fs::path& directory) {
  return {directory / random_hex(8), {}, "checkpoint", ""};
}

StagedImage StagedImage::left_behind(const fs::path& staging, const Manifest& manifest) {
  const std::string name = staging.filename().string();
  const bool in_store = name.starts_with('.');
  StagedImage image(staging, in_store ? staging.parent_path() / name.substr(1) : staging, manifest.images,
                    in_store ? manifest.id : "");
  image.kept_ = true;
  return image;
}

StagedImage::~StagedImage() {
  if (!owned_ || kept_) return;
  if (!existed_) {
    remove_tree(staging_);
    return;
  }
  std::error_code error;
  for (fs::directory_iterator it(staging_, error), end; !error && it != end; it.increment(error))
    remove_tree(it->path());
}

std::string StagedImage::name() const {
  return id_.empty() ? final_.string() : id_ + "@" + final_.filename().string();
}

void StagedImage::create() {
  fresh_ = absent_above(final_.empty() ? staging_ : final_);
  make_private_dirs(staging_);
  if (const auto why = why_not_trusted(staging_)) refuse_place(staging_, *why);
  owned_ = true;
  if (!final_.empty()) make_private_dirs(runtime_images());
}

void StagedImage::name_it(const fs::path& store, const std::string& id, const std::string& stamp) {
  id_ = id;
  final_ = checkpoints_of(store, id) / stamp;
  if (fs::exists(final_))
    throw Error(ErrorCode::conflict, fmt::format("'{}' is in the store already", name()))
        .with_hint("'ckpt images remove' removes it, --id imports it under another name");
  for (const fs::path& above : absent_above(final_)) fresh_.push_back(above);
  make_private_dirs(final_.parent_path());
}

std::vector<std::string> StagedImage::publish(Manifest& manifest) {
  std::vector<std::string> wrong;
  const auto attempt = [&](const auto& step) {
    try {
      step();
    } catch (const std::exception& error) {
      if (!kept_) throw;
      wrong.emplace_back(error.what());
    }
  };
  attempt([&] { make_private(staging_); });
  attempt([&] { manifest.files = with_known(files_below(staging_), manifest.files); });
  // The disk is waited for meanwhile.
  auto digests = std::async(std::launch::async, [&] { add_digests(staging_, manifest.files); });
  attempt([&] { sync_tree(staging_); });
  attempt([&] { digests.get(); });
  write_manifest(staging_, manifest);
  sync_path(staging_ / kManifestName);
  sync_path(staging_);
  if (staging_ != final_) fs::rename(staging_, final_);
  sync_path(final_.parent_path());
  for (const fs::path& above : fresh_) sync_path(above);
  owned_ = false;
  return wrong;
}

std::vector<fs::path> complete_checkpoints(const fs::path& store, const std::string& id) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(checkpoints_of(store, id), error), end; !error && it != end;
       it.increment(error))
    if (!it->path().filename().string().starts_with('.') && fs::exists(it->path() / kManifestName))
      found.push_back(it->path());
  std::sort(found.begin(), found.end());
  return found;
}

Image image_at(const fs::path& directory) {
  const fs::path whole = absolute_path(directory);
  std::error_code error;
  if (!fs::is_directory(whole, error))
    throw Error(ErrorCode::not_found, fmt::format("there is no image directory '{}'", whole.string()));
  Image image{whole, read_manifest(whole)};
  image.foreign = why_foreign(image);
  if (image.manifest && image.foreign) image.manifest = taken_as_imported(std::move(*image.manifest), whole);
  return image;
}

Image find_image(const fs::path& store, const std::string& name) {
  const std::size_t at = name.rfind('@');
  if (name.find('/') != std::string::npos) return image_at(name);
  const std::string id = name.substr(0, at), which = at == std::string::npos ? "latest" : name.substr(at + 1);
  validate_id(id);
  const std::vector<fs::path> candidates = complete_checkpoints(store, id);
  if (candidates.empty()) no_such(store, name);
  return image_at(which == "latest" ? candidates.back() : match_prefix(candidates, which, store, name));
}

}  // namespace ckpt
