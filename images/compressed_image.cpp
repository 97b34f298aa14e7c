// Choosing, compressing and unpacking.
#include "images/compressed_image.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>

#include "images/compression.h"
#include "images/threads.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kPage = 4096;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The directory that the runtime is given, and those that its `parent` links lead to.
std::vector<fs::path> runtime_directories(const fs::path& directory, const std::string& images) {
  std::vector<fs::path> found = {directory / images};
  for (const fs::directory_entry& entry : fs::directory_iterator(directory))
    if (entry.is_directory() && !entry.is_symlink() && entry.path().filename().string().starts_with("pre-"))
      found.push_back(entry.path());
  return found;
}

/// Regular files below, with their sizes.
std::vector<std::pair<fs::path, std::uint64_t>> regular_files(const fs::path& directory) {
  std::vector<std::pair<fs::path, std::uint64_t>> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && !entry.is_symlink()) files.emplace_back(entry.path(), entry.file_size());
  return files;
}

// ---- measuring

constexpr std::size_t kSampleChunks = 8;

/// Chunks from all over the file: the first pages of a memory image are not like the others.
std::vector<std::string> samples(const fs::path& file, std::uint64_t size) {
  std::vector<std::string> chunks;
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  for (std::size_t i = 0; fd && i < kSampleChunks; ++i) {
    std::string chunk(kChunk, '\0');
    const std::uint64_t offset = size / kSampleChunks * i / kPage * kPage;
    const ssize_t n = ::pread(fd.get(), chunk.data(), chunk.size(), static_cast<off_t>(offset));
    if (n <= 0) break;
    chunk.resize(static_cast<std::size_t>(n));
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

/// With all processors.
void measure_level(const std::vector<std::string>& chunks, int level, double& speed, double& ratio) {
  std::atomic<std::size_t> next{0}, before{0}, after{0};
  const auto begin = Clock::now();
  const auto work = [&] {
    for (std::size_t i = 0; (i = next++) < chunks.size();) {
      before += chunks[i].size();
      after += packed_size(chunks[i], level);
    }
  };
  on_threads(thread_count(chunks.size()), work, [] {});
  if (before == 0) return;
  speed = static_cast<double>(before) / std::max(seconds_since(begin), 1e-6);
  ratio = static_cast<double>(after) / static_cast<double>(before);
}

/// Bytes a second, flushed, of what is like the image; at least 2 MiB, at most 16 or 50 ms. 0: cannot be
/// told.
double measure_disk(const fs::path& directory, const std::vector<std::string>& chunks) {
  const fs::path path = directory / (".speed-" + random_hex(4));
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  ::unlink(path.c_str());
  const auto begin = Clock::now();
  double written = 0;
  for (std::size_t step = 0; fd && step < kSampleChunks && (step == 0 || seconds_since(begin) < 0.05);
       ++step) {
    for (const std::size_t i : {2 * step, 2 * step + 1}) {
      const std::string& chunk = chunks[i % chunks.size()];
      if (!write_all(fd.get(), chunk)) return 0;
      written += static_cast<double>(chunk.size());
    }
    if (::fdatasync(fd.get()) != 0) return 0;
  }
  return written / std::max(seconds_since(begin), 1e-6);
}

CompressionChoice measured_choice(const fs::path& images) {
  constexpr std::uint64_t kSmall = 16U << 20U;
  std::uint64_t bytes = 0;
  std::pair<fs::path, std::uint64_t> largest;
  for (auto& file : regular_files(images)) {
    bytes += file.second;
    if (file.second > largest.second) largest = std::move(file);
  }
  if (bytes < kSmall) return {kDefaultLevel, ", the image is small"};
  const std::vector<std::string> chunks = samples(largest.first, largest.second);
  if (chunks.empty()) return {kDefaultLevel};
  CompressionMeasure measured;
  measure_level(chunks, kLeastLevel, measured.fast, measured.fast_ratio);
  measure_level(chunks, kDefaultLevel, measured.thorough, measured.thorough_ratio);
  measured.disk = measure_disk(images, chunks);
  return {
      best_level(measured),
      fmt::format(
          ", measured: disk {:.0f} MB/s, level 1 {:.0f} MB/s to {:.0f} %, level 3 {:.0f} MB/s to {:.0f} %",
          measured.disk / 1e6, measured.fast / 1e6, measured.fast_ratio * 100, measured.thorough / 1e6,
          measured.thorough_ratio * 100)};
}

// ---- compressing

/// What gains less is not worth unpacking.
bool worth_it(const PackedFile& packed) {
  return packed.size <= packed.unpacked - packed.unpacked / 16;
}

void remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0)
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot remove '{}': {}", path.string(), errno_text(errno)));
}

// ---- unpacking

std::map<std::string, ImageFile> compressed_files(const Manifest& manifest) {
  std::map<std::string, ImageFile> files;
  for (const ImageFile& file : manifest.files)
    if (file.unpacked) files[file.path] = file;
  return files;
}

void require_room(const std::map<std::string, ImageFile>& files, const fs::path& place) {
  struct statvfs disk = {};
  if (::statvfs(place.c_str(), &disk) != 0) return;
  const std::uint64_t room = disk.f_bavail * disk.f_frsize;
  std::uint64_t left = room;
  for (const auto& [path, file] : files) {
    if (*file.unpacked > left)
      throw Error(
          ErrorCode::runtime_failed,
          fmt::format("no space left in '{}' to unpack the image: '{}' has {} bytes, {} are free for all",
                      place.parent_path().string(), path, *file.unpacked, room))
          .with_hint("make room there, or name a store on another disk with --store");
    left -= *file.unpacked;
  }
}

void link_or_copy(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return;
  std::error_code error;
  if (fs::copy_file(from, to, error)) return;
  throw Error(ErrorCode::runtime_failed,
              fmt::format("cannot copy '{}': {}", from.string(), errno_text(error.value())));
}

class Unpacking {
 public:
  Unpacking(const Image& image, fs::path place)
      : from_(image.directory), place_(std::move(place)), compressed_(compressed_files(*image.manifest)) {}

  void all(const std::string& images) {
    make_private_dirs(place_);
    require_room(compressed_, place_);
    for (const fs::path& directory : runtime_directories(from_, images)) {
      make_private_dirs(place_ / directory.filename());
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) one(entry);
    }
  }

 private:
  void one(const fs::directory_entry& entry) const {
    const std::string path = entry.path().lexically_relative(from_).string();
    if (entry.is_symlink())
      fs::copy_symlink(entry.path(), place_ / path);
    else if (entry.is_directory())
      make_private_dirs(place_ / path);
    else if (const auto packed = compressed_.find(path); packed != compressed_.end())
      unpack_file(entry.path(), place_ / without_packed_suffix(path), *packed->second.unpacked);
    else if (entry.is_regular_file())
      link_or_copy(entry.path(), place_ / path);
  }

  const fs::path from_, place_;
  const std::map<std::string, ImageFile> compressed_;
};

}  // namespace

std::optional<int> zstd_level(const std::string& method) {
  if (method == "zstd") return kDefaultLevel;
  for (int level = kLeastLevel; level <= kMostLevel; ++level)
    if (method == "zstd:" + std::to_string(level)) return level;
  return std::nullopt;
}

bool compressed_by_ckpt(const std::optional<std::string>& method) {
  return method && (*method == "auto" || zstd_level(*method));
}

std::string CompressionChoice::text() const {
  return level ? fmt::format("zstd:{}", *level) : "none";
}

std::optional<int> best_level(const CompressionMeasure& measured) {
  // Seconds for a byte; the disk works while the processors do.
  const auto took = [&](double speed, double ratio) { return std::max(1 / speed, ratio / measured.disk); };
  if (measured.disk <= 0 || measured.fast <= 0 || measured.thorough <= 0) return std::nullopt;
  constexpr double kAboutAsLong = 1.1;
  const double none = 1 / measured.disk, fast = took(measured.fast, measured.fast_ratio),
               thorough = took(measured.thorough, measured.thorough_ratio);
  const double best = std::min({none, fast, thorough}) * kAboutAsLong;
  const bool fast_pays = fast <= best && measured.fast_ratio < 1,
             thorough_pays = thorough <= best && measured.thorough_ratio < 1;
  if (thorough_pays && (!fast_pays || measured.thorough_ratio < measured.fast_ratio)) return kDefaultLevel;
  return fast_pays ? std::optional(kLeastLevel) : std::nullopt;
}

CompressionChoice choose_compression(const std::string& method, const fs::path& images) {
  if (const auto level = zstd_level(method)) return {level};
  return measured_choice(images);
}

void compress_image(const fs::path& directory, const std::string& images, int level,
                    std::vector<ImageFile>& compressed) {
  for (const fs::path& below : runtime_directories(directory, images))
    for (const auto& [path, size] : regular_files(below)) {
      if (size <= kPage) continue;
      const fs::path to = path.string() + kPackedSuffix;
      PackedFile packed = pack_file(path, to, level);
      remove_file(worth_it(packed) ? path : to);
      if (!worth_it(packed)) continue;
      compressed.push_back(
          {to.lexically_relative(directory).string(), packed.size, std::move(packed.xxh3), packed.unpacked});
    }
}

bool is_compressed(const Image& image) {
  return image.manifest && std::any_of(image.manifest->files.begin(), image.manifest->files.end(),
                                       [](const ImageFile& file) { return file.unpacked.has_value(); });
}

fs::path unpacking_place(const fs::path& store) {
  return absolute_path(store) / "restore" / random_hex(8);
}

bool is_unpacking_place(const fs::path& path) {
  const std::string name = path.filename().string();
  return path.is_absolute() && path.parent_path().filename() == "restore" && name.size() == 16 &&
         name.find_first_not_of("0123456789abcdef") == name.npos;
}

void unpack_image(const Image& image, const fs::path& place) {
  const std::string& images = image.manifest->images;
  if (images.empty() || images == "." || images == ".." || images.find('/') != images.npos)
    throw Error(ErrorCode::image_invalid,
                fmt::format("the image in '{}' is compressed, and '{}' is no place for that",
                            image.directory.string(), images));
  try {
    Unpacking(image, place).all(images);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot unpack the image in '{}': {}", image.directory.string(), error.what()));
  }
}

}  // namespace ckpt
