// Hashing files in parallel.
#include "images/digest.h"

#define XXH_INLINE_ALL
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <thread>

#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr std::size_t kChunk = 1U << 20U;

[[noreturn]] void unreadable(const fs::path& path, int error) {
  throw Error(ErrorCode::image_invalid,
              fmt::format("cannot read '{}': {}", path.string(), errno_text(error)));
}

}  // namespace

struct Digest::State {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> xxh3{XXH3_createState(), XXH3_freeState};
};

Digest::Digest() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(state_->xxh3.get());
}
Digest::~Digest() = default;

void Digest::update(std::string_view data) {
  XXH3_128bits_update(state_->xxh3.get(), data.data(), data.size());
}

std::string Digest::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh3.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string digest_of_file(const fs::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) unreadable(path, errno);
  Digest digest;
  std::vector<char> chunk(kChunk);
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) unreadable(path, errno);
    if (n == 0) break;
    digest.update({chunk.data(), static_cast<std::size_t>(n)});
  }
  return digest.hex();
}

void add_digests(const fs::path& directory, std::vector<ImageFile>& files) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = 0; (i = next++) < files.size();)
      if (files[i].xxh3.empty()) files[i].xxh3 = digest_of_file(directory / files[i].path);
  };
  const std::size_t threads =
      std::min<std::size_t>(files.size(), std::max(1U, std::thread::hardware_concurrency()));
  std::vector<std::future<void>> others;
  for (std::size_t i = 1; i < threads; ++i) others.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& other : others) other.get();
}

void check_content(const fs::path& directory, const Manifest& manifest) {
  check_sizes(directory, manifest);
  std::map<std::string, const ImageFile*> known;
  for (const ImageFile& file : manifest.files) known[file.path] = &file;
  std::vector<ImageFile> now = files_below(directory);
  for (const ImageFile& file : now)
    if (!known.contains(file.path))
      throw Error(ErrorCode::image_invalid,
                  fmt::format("the image in '{}' has a file that was not there when it was made: '{}'",
                              directory.string(), file.path));
  add_digests(directory, now);
  for (const ImageFile& file : now)
    if (const std::string& then = known[file.path]->xxh3; !then.empty() && file.xxh3 != then)
      throw Error(ErrorCode::image_invalid,
                  fmt::format("'{}' is not what was written at the checkpoint: its content has changed",
                              (directory / file.path).string()))
          .with_hint("restore another checkpoint; this one is damaged");
}

}  // namespace ckpt
