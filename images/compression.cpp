// Packing with the chunks written in their order; unpacking each frame to its place; frames read without
// trust.
#include "images/compression.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "images/digest.h"
#include "images/threads.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"

namespace ckpt {
namespace {

/// What a frame of a chunk can have at most.
const std::size_t kMostFrame = ZSTD_compressBound(kChunk);
/// What all threads of one file may use; the rest of ckpt takes a sixth of that.
constexpr std::size_t kMemory = 48U << 20U;

using Compressor = std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)>;
using Decompressor = std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)>;

[[noreturn]] void fail(std::string_view what, const fs::path& path, int error) {
  throw Error(ErrorCode::runtime_failed, fmt::format("{} '{}': {}", what, path.string(), errno_text(error)));
}

[[noreturn]] void damaged(const fs::path& path, std::string_view how) {
  throw Error(ErrorCode::image_invalid, fmt::format("'{}' {}", path.string(), how))
      .with_hint("restore another checkpoint; this one is damaged");
}

/// As much as there is from `offset` on, at most `size` bytes.
std::size_t read_at(int fd, char* into, std::size_t size, std::uint64_t offset, const fs::path& path) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd, into + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read", path, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

void write_at(int fd, std::string_view data, std::uint64_t offset, const fs::path& path) {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot write", path, errno);
    data.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

/// A file to be written that is removed again unless it is kept.
class NewFile {
 public:
  explicit NewFile(fs::path path)
      : path_(std::move(path)),
        fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (!fd_) fail("cannot write", path_, errno);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (!kept_) ::unlink(path_.c_str());
  }
  void keep() { kept_ = true; }
  int fd() const { return fd_.get(); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  Fd fd_;
  bool kept_ = false;
};

/// A regular file to be read from its beginning to its end.
class OldFile {
 public:
  explicit OldFile(fs::path path)
      : path_(std::move(path)), fd_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {
    struct stat stat = {};
    if (!fd_ || ::fstat(fd_.get(), &stat) != 0) fail("cannot read", path_, errno);
    if (!S_ISREG(stat.st_mode)) damaged(path_, "is no regular file");
    size_ = static_cast<std::uint64_t>(stat.st_size);
    ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  int fd() const { return fd_.get(); }
  const fs::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }

 private:
  fs::path path_;
  Fd fd_;
  std::uint64_t size_ = 0;
};

// ---- packing

/// What one frame more takes on a thread of its own: zstd's tables for a chunk, measured, and two buffers.
std::size_t memory_of(int level) {
  const std::size_t tables = level <= 3 ? 2 : level <= 6 ? 4 : level <= 8 ? 7 : level <= 12 ? 13 : 18;
  return (tables << 20U) + 2 * kChunk;
}

Compressor compressor(int level) {
  Compressor made(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!made) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(made.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(made.get(), ZSTD_c_checksumFlag, 1);
  return made;
}

class Packer {
 public:
  Packer(const fs::path& from, const fs::path& to, int level)
      : from_(from), to_(to), level_(level), chunks_(std::max<std::uint64_t>(1, pieces())) {}

  PackedFile pack() {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(chunks_, kMemory / memory_of(level_)));
    on_threads(
        thread_count(most), [this] { work(); }, [this] { stop(); });
    throw_if_interrupted();
    to_.keep();
    return {from_.size(), written_, digest_.hex()};
  }

 private:
  std::uint64_t pieces() const { return from_.size() / kChunk + (from_.size() % kChunk != 0 ? 1 : 0); }

  void work() {
    const Compressor context = compressor(level_);
    std::vector<char> chunk(kChunk), frame(kMostFrame);
    for (std::uint64_t index = 0; (index = next_++) < chunks_;) {
      throw_if_interrupted();
      const std::uint64_t offset = index * kChunk;
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, from_.size() - offset));
      if (read_at(from_.fd(), chunk.data(), wanted, offset, from_.path()) != wanted)
        fail("cannot read all of", from_.path(), ENODATA);
      const std::size_t size =
          ZSTD_compress2(context.get(), frame.data(), frame.size(), chunk.data(), wanted);
      if (ZSTD_isError(size) != 0) fail("cannot compress", from_.path(), EINVAL);
      if (!write_in_turn(index, {frame.data(), size})) return;
    }
  }

  /// False when another thread has failed. The disk begins with it at once, and is not waited for.
  bool write_in_turn(std::uint64_t index, std::string_view frame) {
    std::unique_lock lock(mutex_);
    turns_.wait(lock, [&] { return stopped_ || turn_ == index; });
    if (stopped_) return false;
    write_at(to_.fd(), frame, written_, to_.path());
    ::sync_file_range(to_.fd(), static_cast<off_t>(written_), static_cast<off_t>(frame.size()),
                      SYNC_FILE_RANGE_WRITE);
    digest_.update(frame);
    written_ += frame.size();
    ++turn_;
    turns_.notify_all();
    return true;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    turns_.notify_all();
  }

  const OldFile from_;
  NewFile to_;
  const int level_;
  const std::uint64_t chunks_;
  std::atomic<std::uint64_t> next_{0};
  std::mutex mutex_;  ///< of all below
  std::condition_variable turns_;
  bool stopped_ = false;
  std::uint64_t turn_ = 0, written_ = 0;
  Digest digest_;
};

// ---- unpacking

struct Frame {
  std::vector<char> bytes = std::vector<char>(kMostFrame);
  std::size_t size = 0;      ///< of the frame
  std::size_t content = 0;   ///< of what it unpacks to, as it claims
  std::uint64_t offset = 0;  ///< of that in the original
};

/// A file's frames in their order, for several threads.
class Frames {
 public:
  explicit Frames(const fs::path& file) : file_(file) {}

  /// False at the end. Throws Error(image_invalid) for what pack_file() does not write.
  bool next(Frame& frame) {
    const std::lock_guard lock(mutex_);
    if (position_ >= file_.size()) return false;
    read_ahead();
    if (!read_frame(frame, guess_) && !read_frame(frame, kMostFrame))
      damaged(path(),
              "is damaged or cut short: no zstd frame of a chunk at byte " + std::to_string(position_));
    guess_ = std::min(kMostFrame, frame.size + frame.size / 4 + 4096);
    frame.offset = unpacked_;
    position_ += frame.size;
    unpacked_ += frame.content;
    return true;
  }
  /// What all frames so far unpack to.
  std::uint64_t unpacked() const { return unpacked_; }
  const fs::path& path() const { return file_.path(); }

 private:
  bool read_frame(Frame& frame, std::size_t most) {
    const std::size_t there = read_at(file_.fd(), frame.bytes.data(), most, position_, path());
    frame.size = ZSTD_findFrameCompressedSize(frame.bytes.data(), there);
    if (ZSTD_isError(frame.size) != 0) return false;
    // One that does not say, or cannot be read, is larger than any chunk.
    const unsigned long long content = ZSTD_getFrameContentSize(frame.bytes.data(), there);
    if (content > kChunk || unpacked_ % kChunk != 0) return false;
    frame.content = static_cast<std::size_t>(content);
    return true;
  }

  void read_ahead() {
    constexpr std::uint64_t kAhead = 8U << 20U;
    for (; ahead_ < position_ + kAhead; ahead_ += kAhead)
      ::posix_fadvise(file_.fd(), static_cast<off_t>(ahead_), kAhead, POSIX_FADV_WILLNEED);
  }

  const OldFile file_;
  std::mutex mutex_;
  std::uint64_t position_ = 0, unpacked_ = 0, ahead_ = 0;
  std::size_t guess_ = 1U << 16U;
};

/// Takes frames apart, on one thread.
class FrameReader {
 public:
  explicit FrameReader(Frames& frames) : frames_(frames), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
    if (!context_) throw std::bad_alloc();
  }
  /// False at the end; else offset() and content() are of the next chunk.
  bool next() {
    if (!frames_.next(frame_)) return false;
    const std::size_t size =
        ZSTD_decompressDCtx(context_.get(), chunk_.data(), chunk_.size(), frame_.bytes.data(), frame_.size);
    if (ZSTD_isError(size) != 0 || size != frame_.content)
      damaged(frames_.path(), "is damaged: what it has at byte " + std::to_string(frame_.offset) +
                                  " of the original cannot be unpacked");
    return true;
  }
  std::uint64_t offset() const { return frame_.offset; }
  std::string_view content() const { return {chunk_.data(), frame_.content}; }

 private:
  Frames& frames_;
  Decompressor context_;
  Frame frame_;
  std::vector<char> chunk_ = std::vector<char>(kChunk);
};

bool all_zero(std::string_view data) {
  return data.empty() || (data[0] == 0 && std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0);
}

[[noreturn]] void wrong_size(const fs::path& path, std::uint64_t expected) {
  damaged(path, fmt::format("does not hold the {} bytes that were there at the checkpoint", expected));
}

class Unpacker {
 public:
  Unpacker(const fs::path& from, const fs::path& to, std::uint64_t unpacked)
      : frames_(from), to_(to), unpacked_(unpacked) {}

  void unpack() {
    if (::ftruncate(to_.fd(), static_cast<off_t>(unpacked_)) != 0) fail("cannot write", to_.path(), errno);
    const std::uint64_t chunks = unpacked_ / kChunk + 1;
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(chunks, kMemory / (4 * kChunk)));
    on_threads(
        thread_count(most), [this] { work(); }, [this] { stopped_ = true; });
    throw_if_interrupted();
    if (frames_.unpacked() != unpacked_) wrong_size(frames_.path(), unpacked_);
    to_.keep();
  }

 private:
  void work() {
    FrameReader reader(frames_);
    while (!stopped_ && reader.next()) {
      throw_if_interrupted();
      if (reader.content().size() > unpacked_ || reader.offset() > unpacked_ - reader.content().size())
        wrong_size(frames_.path(), unpacked_);
      if (!all_zero(reader.content())) write_at(to_.fd(), reader.content(), reader.offset(), to_.path());
    }
  }

  Frames frames_;
  NewFile to_;
  const std::uint64_t unpacked_;
  std::atomic<bool> stopped_{false};
};

}  // namespace

PackedFile pack_file(const fs::path& from, const fs::path& to, int level) {
  return Packer(from, to, level).pack();
}

void unpack_file(const fs::path& from, const fs::path& to, std::uint64_t unpacked) {
  Unpacker(from, to, unpacked).unpack();
}

void read_packed(const fs::path& file, std::uint64_t unpacked,
                 const std::function<void(std::string_view)>& piece) {
  Frames frames(file);
  FrameReader reader(frames);
  while (reader.next()) {
    if (frames.unpacked() > unpacked) wrong_size(file, unpacked);
    piece(reader.content());
  }
  if (frames.unpacked() != unpacked) wrong_size(file, unpacked);
}

std::string read_packed(const fs::path& file, std::size_t limit) {
  Frames frames(file);
  FrameReader reader(frames);
  std::string content;
  while (content.size() < limit && reader.next()) content += reader.content();
  if (content.size() > limit) content.resize(limit);
  return content;
}

std::uint64_t unpacked_size(const fs::path& file) {
  Frames frames(file);
  FrameReader reader(frames);
  while (reader.next()) {
  }
  return frames.unpacked();
}

std::string without_packed_suffix(const std::string& name) {
  return name.ends_with(kPackedSuffix) ? name.substr(0, name.size() - std::strlen(kPackedSuffix)) : name;
}

std::size_t packed_size(const std::string& data, int level) {
  const Compressor context = compressor(level);
  std::vector<char> frame(ZSTD_compressBound(data.size()));
  const std::size_t size =
      ZSTD_compress2(context.get(), frame.data(), frame.size(), data.data(), data.size());
  return ZSTD_isError(size) != 0 ? data.size() : size;
}

}  // namespace ckpt
