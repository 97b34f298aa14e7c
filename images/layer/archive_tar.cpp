// Writing and reading whole checkpoints as tar with libarchive.
#include "images/layer/archive_tar.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "images/layer/libarchive.h"

namespace ckpt {
namespace {

constexpr std::size_t kBlock = 1U << 20U;

/// A descriptor that may block, and the one that says that nobody wants to wait any longer.
struct Stream {
  int fd = -1, interrupt = -1;
  std::size_t most = kBlock;  ///< of one write(2) that does not block when there is room
  std::vector<char> buffer = {};

  /// False when interrupted.
  bool ready(short events) const {
    pollfd polled[2] = {{.fd = fd, .events = events, .revents = 0},
                        {.fd = interrupt, .events = POLLIN, .revents = 0}};
    while (::poll(polled, 2, -1) < 0 && errno == EINTR) continue;
    return (polled[1].revents & POLLIN) == 0;
  }
};

Stream stream_of(int fd, int interrupt) {
  struct stat stat = {};
  const bool file = ::fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
  return {.fd = fd, .interrupt = interrupt, .most = file ? kBlock : PIPE_BUF};
}

int canceled(archive* a) {
  archive_set_error(a, ECANCELED, "interrupted");
  return -1;
}

la_ssize_t read_some(archive* a, void* data, const void** buffer) {
  auto& in = *static_cast<Stream*>(data);
  in.buffer.resize(kBlock);
  *buffer = in.buffer.data();
  for (;;) {
    if (!in.ready(POLLIN)) return canceled(a);
    const ssize_t n = ::read(in.fd, in.buffer.data(), in.buffer.size());
    if (n >= 0) return n;
    if (errno == EINTR || errno == EAGAIN) continue;
    archive_set_error(a, errno, "%s", strerrordesc_np(errno));
    return -1;
  }
}

la_ssize_t write_some(archive* a, void* data, const void* buffer, std::size_t size) {
  auto& out = *static_cast<Stream*>(data);
  for (;;) {
    if (!out.ready(POLLOUT)) return canceled(a);
    const ssize_t n = ::write(out.fd, buffer, std::min(size, out.most));
    if (n >= 0) return n;
    if (errno == EINTR || errno == EAGAIN) continue;
    archive_set_error(a, errno, "%s", strerrordesc_np(errno));
    return -1;
  }
}

void set_option(archive* a, const std::string& filter, const char* option, const char* value) {
  require(archive_write_set_filter_option(a, filter.c_str(), option, value), a,
          "cannot compress with " + filter);
}

void add_filter(archive* a, const ArchiveFilter& filter, int threads) {
  if (filter.name.empty()) return;
  const bool zstd = filter.name == "zstd";
  require(zstd ? archive_write_add_filter_zstd(a) : archive_write_add_filter_gzip(a), a,
          "cannot compress with " + filter.name);
  if (filter.level > 0) set_option(a, filter.name, "compression-level", std::to_string(filter.level).c_str());
  // Also one thread compresses in the pieces that several do.
  if (zstd) set_option(a, filter.name, "threads", std::to_string(std::max(threads, 1)).c_str());
  // The same image gives the same bytes.
  if (!zstd) set_option(a, filter.name, "timestamp", nullptr);
}

void add_header(archive* a, const ArchiveEntry& entry) {
  using Type = ArchiveEntry::Type;
  const Entry header(archive_entry_new());
  archive_entry* e = header.get();
  archive_entry_set_pathname(e, entry.name.c_str());
  archive_entry_set_mtime(e, entry.time, 0);
  archive_entry_set_filetype(e, entry.type == Type::directory ? AE_IFDIR
                                : entry.type == Type::symlink ? AE_IFLNK
                                                              : AE_IFREG);
  archive_entry_set_perm(e, entry.type == Type::file ? 0600 : entry.type == Type::directory ? 0700 : 0777);
  if (entry.type == Type::symlink) archive_entry_set_symlink(e, entry.link.c_str());
  archive_entry_set_size(e, entry.type == Type::file ? static_cast<la_int64_t>(entry.size) : 0);
  require(archive_write_header(a, e), a, "cannot add '" + entry.name + "'");
}

using Sink = la_ssize_t(archive*, void*, const void*, std::size_t);

class TarWriter : public ArchiveWriter {
 public:
  TarWriter(const ArchiveFilter& filter, int threads, void* out, Sink* sink) : tar_(archive_write_new()) {
    archive* a = tar_.get();
    archive_write_set_format_pax_restricted(a);
    archive_write_set_bytes_per_block(a, static_cast<int>(kBlock));
    archive_write_set_bytes_in_last_block(a, 1);
    add_filter(a, filter, threads);
    require(archive_write_open(a, out, nullptr, sink, nullptr), a, "cannot write the archive");
  }
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;
  /// One that is given up writes nothing more.
  ~TarWriter() override {
    if (!finished_) archive_write_fail(tar_.get());
  }

  std::string add(const ArchiveEntry& entry) override {
    return text_of_failure([&] { add_header(tar_.get(), entry); });
  }
  std::string write(const char* data, std::size_t size) override {
    return text_of_failure([&] { write_bytes(tar_.get(), data, size); });
  }
  std::string finish() override {
    return text_of_failure([&] {
      require(archive_write_close(tar_.get()), tar_.get(), "cannot write the archive");
      finished_ = true;
    });
  }

 private:
  Writer tar_;
  bool finished_ = false;
};

class FileWriter : public ArchiveWriter {
 public:
  FileWriter(int fd, int interrupt, const ArchiveFilter& filter, int threads)
      : out_(stream_of(fd, interrupt)), tar_(filter, threads, &out_, write_some) {}
  std::string add(const ArchiveEntry& entry) override { return tar_.add(entry); }
  std::string write(const char* data, std::size_t size) override { return tar_.write(data, size); }
  std::string finish() override { return tar_.finish(); }

 private:
  Stream out_;
  TarWriter tar_;
};

// ---- layers of OCI images

/// libarchive's own SHA-256, which it has for the entries of an mtree.
class Sha256 {
 public:
  Sha256() : sum_(archive_write_new()) {
    archive* a = sum_.get();
    archive_write_set_format_mtree(a);
    require(archive_write_set_options(a, "mtree:!all,mtree:sha256"), a, "cannot compute SHA-256");
    require(archive_write_open(a, &text_, nullptr, append, nullptr), a, "cannot compute SHA-256");
    const Entry header(archive_entry_new());
    archive_entry_set_pathname(header.get(), "content");
    archive_entry_set_filetype(header.get(), AE_IFREG);
    archive_entry_set_size(header.get(), INT64_MAX);
    require(archive_write_header(a, header.get()), a, "cannot compute SHA-256");
  }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(const void* data, std::size_t size) {
    write_bytes(sum_.get(), static_cast<const char*>(data), size);
  }
  std::string hex() {
    require(archive_write_close(sum_.get()), sum_.get(), "cannot compute SHA-256");
    constexpr std::string_view kKey = "sha256digest=";
    constexpr std::size_t kDigits = 64;
    const std::size_t at = text_.find(kKey);
    if (at == std::string::npos) throw Failure{"cannot compute SHA-256: libarchive was built without it"};
    return text_.substr(at + kKey.size(), kDigits);
  }

 private:
  static la_ssize_t append(archive* /*sum*/, void* data, const void* buffer, std::size_t size) {
    static_cast<std::string*>(data)->append(static_cast<const char*>(buffer), size);
    return static_cast<la_ssize_t>(size);
  }

  std::string text_;
  Writer sum_;
};

/// A file that is compressed as a whole, with the digests of both of its forms.
class BlobWriter : public ArchiveWriter {
 public:
  BlobWriter(int fd, int interrupt, const ArchiveFilter& filter, int threads, BlobDigests& digests)
      : out_(stream_of(fd, interrupt)),
        digests_(digests),
        packed_(archive_write_new()),
        tar_({}, 1, this, write_plain) {
    archive* a = packed_.get();
    archive_write_set_format_raw(a);
    archive_write_set_bytes_per_block(a, static_cast<int>(kBlock));
    archive_write_set_bytes_in_last_block(a, 1);
    add_filter(a, filter, threads);
    require(archive_write_open(a, this, nullptr, write_packed, nullptr), a, "cannot write the archive");
    add_header(a, {.name = "tar"});
  }
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;
  ~BlobWriter() override {
    if (!finished_) archive_write_fail(packed_.get());
  }
  std::string add(const ArchiveEntry& entry) override { return tar_.add(entry); }
  std::string write(const char* data, std::size_t size) override { return tar_.write(data, size); }
  std::string finish() override {
    if (std::string failed = tar_.finish(); !failed.empty()) return failed;
    return text_of_failure([&] {
      require(archive_write_close(packed_.get()), packed_.get(), "cannot write the archive");
      finished_ = true;
      digests_.written = written_.hex();
      digests_.unpacked = unpacked_.hex();
    });
  }

 private:
  static la_ssize_t write_plain(archive* a, void* data, const void* buffer, std::size_t size) {
    auto& self = *static_cast<BlobWriter*>(data);
    try {
      self.unpacked_.update(buffer, size);
      write_bytes(self.packed_.get(), static_cast<const char*>(buffer), size);
      return static_cast<la_ssize_t>(size);
    } catch (const Failure& failure) {
      archive_set_error(a, failure.error, "%s", failure.text.c_str());
      return -1;
    }
  }

  static la_ssize_t write_packed(archive* a, void* data, const void* buffer, std::size_t size) {
    auto& self = *static_cast<BlobWriter*>(data);
    const la_ssize_t n = write_some(a, &self.out_, buffer, size);
    if (n <= 0) return n;
    try {
      self.written_.update(buffer, static_cast<std::size_t>(n));
      self.digests_.size += static_cast<std::uint64_t>(n);
      return n;
    } catch (const Failure& failure) {
      archive_set_error(a, failure.error, "%s", failure.text.c_str());
      return -1;
    }
  }

  Stream out_;
  BlobDigests& digests_;
  Sha256 written_, unpacked_;
  Writer packed_;
  TarWriter tar_;  ///< before packed_ at the end
  bool finished_ = false;
};

ArchiveEntry::Type type_of(archive_entry* entry) {
  using Type = ArchiveEntry::Type;
  if (archive_entry_hardlink(entry) != nullptr) return Type::hard_link;
  switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return Type::directory;
    case AE_IFLNK:
      return Type::symlink;
    case AE_IFCHR:
    case AE_IFBLK:
      return Type::device;
    case AE_IFIFO:
      return Type::fifo;
    case AE_IFSOCK:
      return Type::socket;
    default:
      return Type::file;
  }
}

std::string text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

/// What the first bytes say of a packing that ckpt does not unpack; empty: nothing.
std::string foreign_packing(std::string_view begin) {
  struct Packing {
    std::string_view magic, name, program;
  };
  static constexpr Packing kPackings[] = {{"\xfd"
                                           "7zXZ",
                                           "an xz", "xz -dc"},
                                          {"BZh", "a bzip2", "bzip2 -dc"},
                                          {"\x04\x22\x4d\x18", "an lz4", "lz4 -dc"},
                                          {"LZIP", "an lzip", "lzip -dc"},
                                          {"PK\x03\x04", "a zip", "bsdtar -cf - @-"}};
  for (const Packing& one : kPackings)
    if (begin.starts_with(one.magic))
      return "is " + std::string(one.name) + " archive; unpack it first: '" + std::string(one.program) +
             " <FILE | ckpt images import -'";
  return "";
}

class TarReader : public ArchiveReader {
 public:
  TarReader(int fd, int interrupt) : in_(stream_of(fd, interrupt)), tar_(archive_read_new()) {
    archive* a = tar_.get();
    archive_read_support_format_tar(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_zstd(a);
    const int status = archive_read_open(a, this, nullptr, read_watching, nullptr);
    if (!foreign_.empty()) throw Failure{foreign_};
    require(status, a, "cannot read the archive");
  }

  std::string next(ArchiveEntry& entry, bool& end) override {
    return text_of_failure([&] {
      archive_entry* header = nullptr;
      const int status = archive_read_next_header(tar_.get(), &header);
      end = status == ARCHIVE_EOF;
      if (end) return;
      require(status, tar_.get(), "cannot read the archive");
      entry = {.type = type_of(header),
               .name = text_or_empty(archive_entry_pathname(header)),
               .size = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(header), 0)),
               .time = archive_entry_mtime(header),
               .link = text_or_empty(archive_entry_symlink(header))};
    });
  }

  std::string read(const void*& data, std::size_t& size, std::int64_t& offset, bool& end) override {
    return text_of_failure([&] {
      const int status = archive_read_data_block(tar_.get(), &data, &size, &offset);
      end = status == ARCHIVE_EOF;
      if (!end) require(status, tar_.get(), "cannot read the archive");
    });
  }

 private:
  /// The first block is looked at before libarchive sees it.
  static la_ssize_t read_watching(archive* a, void* data, const void** buffer) {
    auto& self = *static_cast<TarReader*>(data);
    const la_ssize_t n = read_some(a, &self.in_, buffer);
    if (n <= 0 || std::exchange(self.begun_, true)) return n;
    self.foreign_ = foreign_packing({static_cast<const char*>(*buffer), static_cast<std::size_t>(n)});
    if (self.foreign_.empty()) return n;
    archive_set_error(a, 0, "%s", self.foreign_.c_str());
    return -1;
  }

  Stream in_;
  Reader tar_;
  std::string foreign_;
  bool begun_ = false;
};

std::string write(int out, int interrupt, int level, int threads, std::unique_ptr<ArchiveWriter>& writer) {
  return text_of_failure([&] {
    const ArchiveFilter filter{.name = level > 0 ? "zstd" : "", .level = level};
    writer = std::make_unique<FileWriter>(out, interrupt, filter, threads);
  });
}

std::string write_blob(int out, int interrupt, const ArchiveFilter& filter, int threads, BlobDigests& digests,
                       std::unique_ptr<ArchiveWriter>& writer) {
  return text_of_failure(
      [&] { writer = std::make_unique<BlobWriter>(out, interrupt, filter, threads, digests); });
}

std::string sha256(const std::string& text, std::string& hex) {
  return text_of_failure([&] {
    Sha256 sum;
    sum.update(text.data(), text.size());
    hex = sum.hex();
  });
}

std::string read(int in, int interrupt, std::unique_ptr<ArchiveReader>& reader) {
  return text_of_failure([&] { reader = std::make_unique<TarReader>(in, interrupt); });
}

}  // namespace
}  // namespace ckpt

extern "C" const ckpt::ArchiveModule ckpt_archive_module = {ckpt::write, ckpt::read, ckpt::write_blob,
                                                            ckpt::sha256};
