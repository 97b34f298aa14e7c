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
};

struct Retention {
  std::optional<std::size_t> keep_last;
  std::optional<std::chrono::milliseconds> keep_within;
  bool any() const { return keep_last || keep_within; }
};

/// Of the complete checkpoints of one container, oldest first, those that no rule keeps. A rule keeps the
/// newest `keep_last` or what is younger than `keep_within`; the newest one and pinned ones are kept whatever
/// the rules. Pure.
std::vector<StoredImage> doomed(const std::vector<StoredImage>& images, const Retention& rules,
                                std::time_t now);

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
