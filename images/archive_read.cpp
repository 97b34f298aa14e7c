// From a tar that nobody vouches for to a directory.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <new>

#include "images/archive.h"
#include "images/bounds.h"
#include "images/digest.h"
#include "images/layer/archive_tar.h"
#include "images/module.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/interrupt.h"
#include "runtimes/procfs.h"

namespace ckpt {
namespace {

using Type = ArchiveEntry::Type;

constexpr std::size_t kLongestName = 255, kDeepest = 32;

const char* words_of(Type type) {
  switch (type) {
    case Type::file:
      return "file";
    case Type::directory:
      return "directory";
    case Type::symlink:
      return "symbolic link";
    case Type::hard_link:
      return "hard link";
    case Type::device:
      return "device";
    case Type::fifo:
      return "fifo";
    case Type::socket:
      return "socket";
  }
  return "";
}

std::vector<std::string> parts_of(std::string_view name) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    parts.emplace_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool plain_part(const std::string& part) {
  return !part.empty() && part != "." && part != ".." && part.size() <= kLongestName &&
         std::none_of(part.begin(), part.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// How much more memory this process may have while it lives: an archive says how large the windows of its
/// compression and the lists of its holes are, and both are made before anything of it is seen.
class MemoryBound {
 public:
  explicit MemoryBound(std::uint64_t bytes) {
    const std::uint64_t now = std::strtoull(status_field(::getpid(), "VmData").c_str(), nullptr, 10) << 10U;
    if (now == 0 || ::getrlimit(RLIMIT_DATA, &before_) != 0) return;
    rlimit bound = before_;
    bound.rlim_cur = std::min<rlim_t>(before_.rlim_cur, now + bytes);
    set_ = ::setrlimit(RLIMIT_DATA, &bound) == 0;
  }
  MemoryBound(const MemoryBound&) = delete;
  MemoryBound& operator=(const MemoryBound&) = delete;
  ~MemoryBound() {
    if (set_) ::setrlimit(RLIMIT_DATA, &before_);
  }

 private:
  rlimit before_ = {};
  bool set_ = false;
};

class Import {
 public:
  Import(int in, const std::string& name, const fs::path& directory, const ArchiveLimits& limits)
      : name_(name), directory_(directory), limits_(limits) {
    const auto* module = static_cast<const ArchiveModule*>(module_table("ckpt_archive_module"));
    require(module->read(in, interrupt_fd(), reader_));
  }

  ArchiveContent all() {
    ArchiveEntry entry;
    for (bool end = false;;) {
      require(reader_->next(entry, end));
      if (end) break;
      if (++entries_ > limits_.entries)
        refuse(fmt::format("has more than {} entries, which no checkpoint has", limits_.entries));
      one(entry);
    }
    std::sort(content_.files.begin(), content_.files.end(),
              [](const ImageFile& a, const ImageFile& b) { return a.path < b.path; });
    return std::move(content_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const { refuse_import(name_, why); }

  void require(const std::string& failed) const {
    const int error = errno;
    throw_if_interrupted();
    if (failed.empty()) return;
    if (error == ENOMEM) throw std::bad_alloc();
    if (of_this_host(error)) throw Error(ErrorCode::runtime_failed, fmt::format("'{}': {}", name_, failed));
    refuse(failed.starts_with("is ") ? failed : "is damaged, cut short or no archive: " + failed);
  }

  void one(const ArchiveEntry& entry) {
    if (entry.type == Type::directory && (entry.name == "." || entry.name == "./")) return;
    const auto name = name_below(entry.name);
    if (!name)
      refuse(fmt::format("has the name '{}', which leads outside or is none", printable(entry.name)));
    if (entry.type == Type::symlink ? !links_dumps(*name, entry.link)
                                    : entry.type != Type::file && entry.type != Type::directory)
      refuse(fmt::format("has the {} '{}', which no checkpoint has", words_of(entry.type), printable(*name)));
    make_room_for(*name, entry.type);
    if (*name == "pinned") return;  // by whoever made it, for their store
    if (*name == kManifestName)
      keep_manifest(entry);
    else if (entry.type == Type::directory)
      make_private_dirs(directory_ / *name);
    else if (entry.type == Type::symlink)
      fs::create_symlink(entry.link, directory_ / *name);
    else
      write_file(entry, *name);
  }

  /// What stands above is a directory; the name itself is new.
  void make_room_for(const std::string& name, Type type) {
    for (std::size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1)) {
      const auto [above, fresh] = made_.try_emplace(name.substr(0, end), Made{Type::directory, false});
      if (above->second.type != Type::directory)
        refuse(fmt::format("has '{}' below a {}", printable(name), words_of(above->second.type)));
      if (fresh) make_private_dirs(directory_ / above->first);
    }
    const auto [there, fresh] = made_.try_emplace(name, Made{type, true});
    const bool only_implied = there->second.type == Type::directory && !there->second.named;
    if (!fresh && !(only_implied && type == Type::directory))
      refuse(fmt::format("has the name '{}' twice", printable(name)));
    there->second.named = true;
  }

  void count(std::uint64_t bytes) {
    if (bytes > limits_.bytes - bytes_)
      throw Error(ErrorCode::image_invalid,
                  fmt::format("'{}' unpacks to more than {} bytes", name_, limits_.bytes))
          .with_hint("--max-bytes allows more, as far as the store's disk has room; nothing of it was taken");
    bytes_ += bytes;
  }

  /// Its content in its order, zeros where it has holes.
  template <class Piece>
  void content_of(const ArchiveEntry& entry, const Piece& piece) {
    static const std::vector<char> zeros(1U << 20U);
    std::uint64_t done = 0;
    const auto fill_to = [&](std::uint64_t end) {
      for (; done < end; done += std::min<std::uint64_t>(end - done, zeros.size()))
        piece({zeros.data(), std::min<std::uint64_t>(end - done, zeros.size())});
    };
    count(entry.size);
    for (bool end = false;;) {
      const void* data = nullptr;
      std::size_t size = 0;
      std::int64_t offset = 0;
      require(reader_->read(data, size, offset, end));
      if (end) break;
      const auto at = static_cast<std::uint64_t>(offset);
      if (offset < 0 || at < done || at > entry.size || size > entry.size - at)
        refuse(fmt::format("has a file '{}' whose pieces do not fit", printable(entry.name)));
      fill_to(at);
      piece({static_cast<const char*>(data), size});
      done += size;
    }
    fill_to(entry.size);
  }

  void keep_manifest(const ArchiveEntry& entry) {
    if (entry.type != Type::file || entry.size > kLargestManifest) refuse("has a ckpt.json that is none");
    content_.manifest = "";
    content_of(entry, [&](std::string_view data) { *content_.manifest += data; });
  }

  void write_file(const ArchiveEntry& entry, const std::string& name) {
    const fs::path path = directory_ / name;
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) cannot_write(path);
    Digest digest;
    content_of(entry, [&](std::string_view data) {
      digest.update(data);
      if (!write_all(fd.get(), data)) cannot_write(path);
    });
    content_.files.push_back({name, entry.size, digest.hex()});
  }

  [[noreturn]] static void cannot_write(const fs::path& path) {
    throw Error(ErrorCode::runtime_failed,
                fmt::format("cannot write '{}': {}", path.string(), errno_text(errno)));
  }

  struct Made {
    Type type;
    bool named;  ///< by an entry of its own
  };

  const std::string& name_;
  const fs::path& directory_;
  const ArchiveLimits limits_;
  std::unique_ptr<ArchiveReader> reader_;
  std::map<std::string, Made> made_;
  std::uint64_t bytes_ = 0;
  std::size_t entries_ = 0;
  ArchiveContent content_;
};

/// When the dump was made among those of its image: podman's before all, then by number, the final one last.
std::optional<std::pair<std::size_t, std::string>> place_of_dump(const std::string& directory) {
  if (directory == "checkpoint") return std::pair(std::string::npos, std::string());
  if (!is_pre_dump(directory)) return std::nullopt;
  std::string number = directory == "pre-checkpoint" ? "" : directory.substr(4);
  number.erase(0, number.find_first_not_of('0'));
  const std::size_t digits = number.size();
  return std::pair(digits, std::move(number));
}

}  // namespace

void refuse_import(const std::string& name, const std::string& why) {
  throw Error(ErrorCode::image_invalid, fmt::format("'{}' {}", name, why))
      .with_hint("nothing of it was taken");
}

std::optional<std::string> name_below(std::string_view name) {
  constexpr std::size_t kLongestPath = 2048;
  while (name.starts_with("./")) name.remove_prefix(2);
  if (name.ends_with('/')) name.remove_suffix(1);
  const std::vector<std::string> parts = parts_of(name);
  const bool plain = std::all_of(parts.begin(), parts.end(), plain_part);
  if (!plain || parts.size() > kDeepest || name.size() > kLongestPath) return std::nullopt;
  return std::string(name);
}

bool links_dumps(const std::string& name, const std::string& target) {
  const std::vector<std::string> parts = parts_of(name);
  if (parts.size() != 2 || parts[1] != "parent" || !target.starts_with("../")) return false;
  const auto from = place_of_dump(parts[0]), to = place_of_dump(target.substr(3));
  return from && to && *to < *from;
}

ArchiveContent read_archive(int in, const std::string& name, const fs::path& directory,
                            const ArchiveLimits& limits) {
  constexpr std::uint64_t kMemory = 40U << 20U;  // zstd of level 19 has a window of 8 MiB
  try {
    const MemoryBound bound(kMemory);
    return Import(in, name, directory, limits).all();
  } catch (const std::bad_alloc&) {
    refuse_import(name, "needs more memory than an archive is given");
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::runtime_failed, fmt::format("cannot unpack '{}': {}", name, error.what()));
  }
}

}  // namespace ckpt
