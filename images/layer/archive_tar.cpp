// Writing and reading whole checkpoints as tar with libarchive.
#include "images/layer/archive_tar.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

class TarWriter : public ArchiveWriter {
 public:
  TarWriter(int fd, int interrupt, int level, int threads)
      : out_(stream_of(fd, interrupt)), tar_(archive_write_new()) {
    archive* a = tar_.get();
    archive_write_set_format_pax_restricted(a);
    archive_write_set_bytes_per_block(a, static_cast<int>(kBlock));
    archive_write_set_bytes_in_last_block(a, 1);
    if (level > 0) {
      require(archive_write_add_filter_zstd(a), a, "cannot compress with zstd");
      set("compression-level", level);
      // Also one thread compresses in the pieces that several do.
      set("threads", std::max(threads, 1));
    }
    require(archive_write_open(a, &out_, nullptr, write_some, nullptr), a, "cannot write the archive");
  }
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;
  /// One that is given up writes nothing more.
  ~TarWriter() override {
    if (!finished_) archive_write_fail(tar_.get());
  }

  std::string add(const ArchiveEntry& entry) override {
    return text_of_failure([&] { add_header(entry); });
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
  void set(const char* option, int value) {
    require(archive_write_set_filter_option(tar_.get(), "zstd", option, std::to_string(value).c_str()),
            tar_.get(), "cannot compress with zstd");
  }

  void add_header(const ArchiveEntry& entry) {
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
    require(archive_write_header(tar_.get(), e), tar_.get(), "cannot add '" + entry.name + "'");
  }

  Stream out_;
  Writer tar_;
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

class TarReader : public ArchiveReader {
 public:
  TarReader(int fd, int interrupt) : in_(stream_of(fd, interrupt)), tar_(archive_read_new()) {
    archive* a = tar_.get();
    archive_read_support_format_tar(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_zstd(a);
    require(archive_read_open(a, &in_, nullptr, read_some, nullptr), a, "cannot read the archive");
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
  Stream in_;
  Reader tar_;
};

std::string write(int out, int interrupt, int level, int threads, std::unique_ptr<ArchiveWriter>& writer) {
  return text_of_failure([&] { writer = std::make_unique<TarWriter>(out, interrupt, level, threads); });
}

std::string read(int in, int interrupt, std::unique_ptr<ArchiveReader>& reader) {
  return text_of_failure([&] { reader = std::make_unique<TarReader>(in, interrupt); });
}

}  // namespace
}  // namespace ckpt

extern "C" const ckpt::ArchiveModule ckpt_archive_module = {ckpt::write, ckpt::read};
