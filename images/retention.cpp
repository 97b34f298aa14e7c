// The store's content as a list, and the rules over it.
#include "images/retention.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "images/manifest.h"
#include "images/stamp.h"
#include "images/store.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr const char* kPin = "pinned";
constexpr const char* kRemoved = ".removed-";

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
    image.bytes = total_size(manifest->files);
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

/// What the keep rules say of one that `newer` complete ones of its container came after.
Verdict by_keep_rules(const StoredImage& image, std::size_t newer, const Retention& rules, std::time_t now) {
  Verdict verdict;
  const auto keep = [&](bool holds, const char* why) {
    if (holds) verdict.kept.emplace_back(why);
  };
  keep(!image.complete, "incomplete");
  keep(image.complete && newer == 0, "newest");
  keep(image.just_taken, "just-taken");
  keep(image.pinned, "pinned");
  if (!image.complete) return verdict;
  const auto created = created_at(image);
  keep(rules.keep_last && newer < *rules.keep_last, "keep-last");
  const std::chrono::seconds age(created ? std::max<std::time_t>(now - *created, 0) : 0);
  keep(rules.keep_within && (!created || age < *rules.keep_within), "keep-within");
  if (rules.keeps() && verdict.kept.empty()) verdict.goes = "not-kept";
  return verdict;
}

bool protected_one(const Verdict& verdict) {
  return std::any_of(verdict.kept.begin(), verdict.kept.end(), [](const std::string& why) {
    return why == "newest" || why == "just-taken" || why == "pinned" || why == "incomplete";
  });
}

/// When it was taken as far as it matters here: by its name, whose time never goes back within a container;
/// `now` for what is still to come or cannot be read.
std::time_t taken_at(const StoredImage& image, std::time_t now) {
  const auto named = instant_of(image.path.filename().string());
  return std::min(named ? named->tv_sec : created_at(image).value_or(now), now);
}

/// Their places by age, those of one container in their order.
std::vector<std::size_t> oldest_first(const std::vector<StoredImage>& images, std::time_t now) {
  std::vector<std::size_t> order(images.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(taken_at(images[a], now), images[a].path.filename()) <
           std::pair(taken_at(images[b], now), images[b].path.filename());
  });
  return order;
}

std::uint64_t bytes_of(const FreeGoal& goal, const Space& space) {
  if (!goal.percent) return goal.bytes;
  return static_cast<std::uint64_t>(static_cast<double>(space.total) * *goal.percent / 100);
}

/// The size rules, over what the keep rules left.
void by_size_rules(const std::vector<StoredImage>& images, const Retention& rules, const Space& space,
                   std::time_t now, std::vector<Verdict>& verdicts) {
  if (!rules.max_bytes && !rules.min_free) return;
  std::uint64_t total = 0, free = space.free;
  for (std::size_t i = 0; i < images.size(); ++i)
    if (images[i].complete) (verdicts[i].goes.empty() ? total : free) += images[i].bytes;
  const std::uint64_t wanted = rules.min_free ? bytes_of(*rules.min_free, space) : 0;
  for (const std::size_t i : oldest_first(images, now)) {
    const bool full = rules.max_bytes && total > *rules.max_bytes;
    if (!full && free >= wanted) return;
    if (!verdicts[i].goes.empty() || protected_one(verdicts[i])) continue;
    verdicts[i] = {.kept = {}, .goes = full ? "max-bytes" : "min-free"};
    total -= images[i].bytes;
    free += images[i].bytes;
  }
}

}  // namespace

std::optional<std::time_t> created_at(const StoredImage& image) {
  std::tm parts = {};
  const char* end = ::strptime(image.created.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&parts);
}

std::vector<Verdict> judge(const std::vector<StoredImage>& images, const Retention& rules, std::time_t now,
                           const Space& space) {
  std::vector<Verdict> verdicts(images.size());
  std::map<std::string, std::size_t> newer;
  for (std::size_t i = images.size(); i-- > 0;) {
    verdicts[i] = by_keep_rules(images[i], newer[images[i].id], rules, now);
    if (images[i].complete) ++newer[images[i].id];
  }
  by_size_rules(images, rules, space, now, verdicts);
  for (Verdict& verdict : verdicts)
    if (rules.any() && verdict.kept.empty() && verdict.goes.empty()) verdict.kept = {"fits"};
  return verdicts;
}

std::vector<StoredImage> doomed(const std::vector<StoredImage>& images, const Retention& rules,
                                std::time_t now, const Space& space) {
  const std::vector<Verdict> verdicts = judge(images, rules, now, space);
  std::vector<StoredImage> gone;
  for (std::size_t i = 0; i < images.size(); ++i)
    if (!verdicts[i].goes.empty()) gone.push_back(images[i]);
  return gone;
}

Space space_of(const fs::path& store) {
  fs::path there = absolute_path(store);
  std::error_code error;
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  struct statvfs now = {};
  if (::statvfs(there.c_str(), &now) != 0)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot tell what is free on '{}': {}", there.string(), errno_text(errno)));
  return {.total = now.f_blocks * now.f_frsize, .free = now.f_bavail * now.f_frsize};
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
  const fs::path file = directory / kPin;
  if (on) {
    // Empty and in one call: what was left beside it would pass for a file of the image.
    const Fd pin(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!pin)
      throw Error(ErrorCode::runtime_failed,
                  fmt::format("cannot write '{}': {}", file.string(), errno_text(errno)));
  } else if (::unlink(file.c_str()) != 0 && errno != ENOENT) {
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot remove '{}': {}", file.string(), errno_text(errno)));
  }
}

void remove_image(const fs::path& directory) {
  const fs::path hidden = directory.parent_path() / (kRemoved + directory.filename().string());
  std::error_code error;
  fs::rename(directory, hidden, error);
  if (error)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot remove '{}': {}", directory.string(), errno_text(error.value())));
  // Else a file could be gone after a power loss and the old name be back.
  sync_path(hidden.parent_path());
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
