// The tar side of an archive of a whole checkpoint, in the module libckpt-layer.so: entry after entry, in one
// pass, plain or compressed, from and to descriptors that may be pipes.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace ckpt {

struct ArchiveEntry {
  enum class Type { file, directory, symlink, hard_link, device, fifo, socket };
  Type type = Type::file;
  std::string name = {};
  std::uint64_t size = 0;
  std::int64_t time = 0;  ///< of its last change
  std::string link = {};  ///< where it leads
};

/// Each call gives back an error as text, with errno when a call failed, else 0; empty: done. Exceptions do
/// not cross.
class ArchiveWriter {
 public:
  virtual ~ArchiveWriter() = default;
  /// A file's content follows by write(), exactly as long as its size. Owner root, modes 0600 and 0700.
  virtual std::string add(const ArchiveEntry& entry) = 0;
  virtual std::string write(const char* data, std::size_t size) = 0;
  virtual std::string finish() = 0;
};

class ArchiveReader {
 public:
  virtual ~ArchiveReader() = default;
  /// The next entry; `end` when there is none. What is left of the one before is skipped.
  virtual std::string next(ArchiveEntry& entry, bool& end) = 0;
  /// The next piece of its content and where it belongs, with holes between; `data` is good until the next
  /// call.
  virtual std::string read(const void*& data, std::size_t& size, std::int64_t& offset, bool& end) = 0;
};

struct ArchiveFilter {
  std::string name = {};  ///< zstd, gzip; empty: none
  int level = 0;
};

/// What an OCI image calls a layer by: SHA-256, hexadecimal.
struct BlobDigests {
  std::string written, unpacked;
  std::uint64_t size = 0;  ///< of what was written
};

struct ArchiveModule {
  /// `level` of zstd, 0 for a plain tar; the bytes do not depend on the number of threads. ECANCELED as soon
  /// as `interrupt` is readable.
  std::string (*write)(int out, int interrupt, int level, int threads,
                       std::unique_ptr<ArchiveWriter>& writer);
  /// Plain, gzip or zstd, whatever it is.
  std::string (*read)(int in, int interrupt, std::unique_ptr<ArchiveReader>& reader);
  /// As write(); finish() fills in `digests`, which outlives the writer.
  std::string (*write_blob)(int out, int interrupt, const ArchiveFilter& filter, int threads,
                            BlobDigests& digests, std::unique_ptr<ArchiveWriter>& writer);
  std::string (*sha256)(const std::string& text, std::string& hex);
};

}  // namespace ckpt

extern "C" const ckpt::ArchiveModule ckpt_archive_module;
