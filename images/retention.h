// Which checkpoints of a store are kept, and which may go.
#pragma once
#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

/// One directory of a store, complete or not.
struct StoredImage {
  std::string id;
  std::string name;  ///< ID@TIMESTAMP
  std::filesystem::path path;
  std::string created;  ///< RFC 3339 UTC; empty without a manifest
  std::string runtime;
  std::uint64_t bytes = 0;
  bool complete = false;
  bool pinned = false;
  bool just_taken = false;  ///< by this call, which no rule of it removes
};

/// `created` as a time; nullopt when it is none.
std::optional<std::time_t> created_at(const StoredImage& image);

/// A file system's size, and what is free on it.
struct Space {
  std::uint64_t total = 0, free = 0;
};

/// So many bytes, or a share of the file system.
struct FreeGoal {
  std::uint64_t bytes = 0;
  std::optional<double> percent;
};

struct Retention {
  std::optional<std::size_t> keep_last;
  std::optional<std::chrono::milliseconds> keep_within;
  std::optional<std::uint64_t> max_bytes;
  std::optional<FreeGoal> min_free;
  bool keeps() const { return keep_last || keep_within; }
  bool any() const { return keeps() || max_bytes || min_free; }
};

/// What the rules say of one checkpoint.
struct Verdict {
  std::vector<std::string> kept;  ///< newest, just-taken, pinned, incomplete, keep-last, keep-within, fits
  std::string goes;               ///< not-kept, max-bytes, min-free; empty: it stays
};

/// One verdict for each, in their order. Of one container they stand oldest first, which is by name. The
/// newest complete one of each container, one just taken, pinned and incomplete ones stay whatever the rules.
/// Of the others goes what no keep rule keeps, and then, oldest first over all containers and whatever the
/// keep rules, what a size rule wants gone: until all complete ones together have at most `max_bytes`, and
/// until `min_free` is free. A time that is still to come, of a clock that was ahead, counts as now. Pure.
std::vector<Verdict> judge(const std::vector<StoredImage>& images, const Retention& rules, std::time_t now,
                           const Space& space);
/// Those that go.
std::vector<StoredImage> doomed(const std::vector<StoredImage>& images, const Retention& rules,
                                std::time_t now, const Space& space = {});

/// Of the file system that `store` is on, or will be. Throws Error(runtime_failed).
Space space_of(const std::filesystem::path& store);

/// Everything below <store>/checkpoints, or of one container, by id and then oldest first. One that cannot be
/// read is not complete.
std::vector<StoredImage> stored_images(const std::filesystem::path& store,
                                       const std::optional<std::string>& id);

/// A pinned checkpoint is kept by every rule. Throws Error(runtime_failed).
void pin_image(const std::filesystem::path& directory, bool on);
bool is_pinned(const std::filesystem::path& directory);
/// Gone from the store at once, then from the disk. Throws Error(runtime_failed).
void remove_image(const std::filesystem::path& directory);
/// Ends what a remove_image() that was killed had begun.
void finish_removals(const std::filesystem::path& store, const std::string& id);

}  // namespace ckpt
