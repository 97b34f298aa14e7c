// Writing and reading the tar of a writable layer with libarchive.
#include "images/layer/layer_tar.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "images/layer/libarchive.h"

namespace ckpt {
namespace {

constexpr std::size_t kBlock = 1U << 20U;

bool is_whiteout(archive_entry* entry) {
  return archive_entry_filetype(entry) == AE_IFCHR && archive_entry_rdev(entry) == makedev(0, 0);
}

/// What a JSON list of names can hold.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    const int more = lead < 0x80                   ? 0
                     : lead >= 0xc2 && lead < 0xe0 ? 1
                     : (lead & 0xf0U) == 0xe0      ? 2
                     : lead >= 0xf0 && lead < 0xf5 ? 3
                                                   : -1;
    if (more < 0 || i + static_cast<std::size_t>(more) > text.size()) return false;
    std::uint32_t code = more == 0 ? lead : lead & (0x3fU >> static_cast<unsigned>(more));
    for (int k = 0; k < more; ++k) {
      const auto next = static_cast<unsigned char>(text[i++]);
      if ((next & 0xc0U) != 0x80) return false;
      code = code << 6U | (next & 0x3fU);
    }
    const bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  }
  return true;
}

/// Of overlayfs' own attributes only "opaque" means something in another upper directory.
void keep_portable_attributes(archive_entry* entry) {
  struct Attribute {
    std::string name, value;
  };
  std::vector<Attribute> kept;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (archive_entry_xattr_reset(entry); archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK;)
    if (!std::string_view(name).starts_with("trusted.overlay.") ||
        std::string_view(name) == "trusted.overlay.opaque")
      kept.push_back({name, std::string(static_cast<const char*>(value), size)});
  archive_entry_xattr_clear(entry);
  for (const Attribute& one : kept)
    archive_entry_xattr_add_entry(entry, one.name.c_str(), one.value.data(), one.value.size());
}

/// The format leaves holes out by itself, but wants to be handed their zeros.
void copy_content(archive* in, archive* out, std::int64_t size) {
  static const std::vector<char> zeros(kBlock);
  std::int64_t done = 0;
  const auto fill_to = [&](std::int64_t end) {
    for (; done < end; done += std::min<std::int64_t>(end - done, kBlock))
      write_bytes(out, zeros.data(), static_cast<std::size_t>(std::min<std::int64_t>(end - done, kBlock)));
  };
  const void* data = nullptr;
  std::size_t length = 0;
  std::int64_t offset = 0;
  int status = ARCHIVE_OK;
  while ((status = archive_read_data_block(in, &data, &length, &offset)) == ARCHIVE_OK) {
    fill_to(offset);
    write_bytes(out, static_cast<const char*>(data), length);
    done += static_cast<std::int64_t>(length);
  }
  if (status != ARCHIVE_EOF) require(ARCHIVE_FATAL, in, "cannot read the layer");
  fill_to(size);
}

/// "/a/upper/x" -> "x"; the layer's own top is ".".
std::string name_in_layer(const char* path, const std::string& upper) {
  const std::string_view rest = std::string_view(path).substr(upper.size());
  return rest.size() > 1 ? std::string(rest.substr(1)) : ".";
}

void add_entry(archive* disk, archive* out, archive_entry* entry) {
  const std::int64_t size = archive_entry_hardlink(entry) != nullptr ? 0 : archive_entry_size(entry);
  require(archive_write_header(out, entry), out,
          std::string("cannot add '") + archive_entry_pathname(entry) + "'");
  if (archive_entry_filetype(entry) == AE_IFREG && size > 0) copy_content(disk, out, size);
}

Writer tar_writer(int tar) {
  Writer out(archive_write_new());
  archive_write_set_format_pax(out.get());
  archive_write_add_filter_none(out.get());
  archive_write_set_bytes_per_block(out.get(), static_cast<int>(kBlock));
  archive_write_set_bytes_in_last_block(out.get(), 1);
  require(archive_write_open_fd(out.get(), tar), out.get(), "cannot write the archive");
  return out;
}

Reader tar_reader(int tar) {
  Reader in(archive_read_new());
  archive_read_support_format_tar(in.get());
  archive_read_support_format_empty(in.get());
  // containerd's has that under the same name.
  archive_read_support_filter_gzip(in.get());
  require(archive_read_open_fd(in.get(), tar, kBlock), in.get(), "cannot read the layer");
  return in;
}

void pack_all(const std::string& upper, int tar, std::vector<std::string>& deleted) {
  const Writer out = tar_writer(tar);
  const Reader disk(archive_read_disk_new());
  archive_read_disk_set_symlink_physical(disk.get());
  archive_read_disk_set_behavior(disk.get(),
                                 ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS | ARCHIVE_READDISK_NO_FFLAGS);
  const LinkResolver links(archive_entry_linkresolver_new());
  archive_entry_linkresolver_set_strategy(links.get(), ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
  require(archive_read_disk_open(disk.get(), upper.c_str()), disk.get(), "cannot read the layer");
  for (;;) {
    Entry entry(archive_entry_new2(disk.get()));
    const int status = archive_read_next_header2(disk.get(), entry.get());
    if (status == ARCHIVE_EOF) break;
    require(status, disk.get(), "cannot read the layer");
    archive_read_disk_descend(disk.get());
    const std::string name = name_in_layer(archive_entry_pathname(entry.get()), upper);
    archive_entry_set_pathname(entry.get(), name.c_str());
    if (is_whiteout(entry.get()) && is_utf8(name)) {
      deleted.push_back("/" + name);
      continue;
    }
    // A bound socket is made anew by CRIU; tar has no such type.
    if (archive_entry_filetype(entry.get()) == AE_IFSOCK) continue;
    keep_portable_attributes(entry.get());
    archive_entry* first = entry.get();
    archive_entry* spare = nullptr;
    archive_entry_linkify(links.get(), &first, &spare);
    add_entry(disk.get(), out.get(), first);
  }
  require(archive_write_close(out.get()), out.get(), "cannot write the archive");
}

/// Makes relative names mean "below the layer" and puts the working directory back.
class Inside {
 public:
  explicit Inside(const std::string& directory) : before_(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (::chdir(directory.c_str()) != 0)
      throw Failure{"cannot enter '" + directory + "': " + errno_words(errno), errno};
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() {
    if ((before_ < 0 || ::fchdir(before_) != 0) && ::chdir("/") != 0) std::abort();
    if (before_ >= 0) ::close(before_);
  }

 private:
  int before_;
};

/// Calls `act` with the directory that "/a/b" is in and "b", entering each directory without following links;
/// `act` and this give back an errno.
template <class Act>
int in_directory_of(const std::string& name, const Act& act) {
  int directory = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  std::size_t begin = name.find_first_not_of('/');
  int error = begin == std::string::npos ? EINVAL : 0;
  while (error == 0) {
    const std::size_t end = name.find('/', begin);
    const std::string part = name.substr(begin, end - begin);
    if (part == "..") error = EINVAL;
    if (error == 0 && end == std::string::npos) error = act(directory, part.c_str());
    if (error != 0 || end == std::string::npos) break;
    const int next = ::openat(directory, part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) error = errno;
    ::close(std::exchange(directory, next));
    begin = end + 1;
  }
  if (directory >= 0) ::close(directory);
  return error;
}

void make_whiteout(const std::string& name) {
  const int error = in_directory_of(name, [](int directory, const char* last) {
    return ::mknodat(directory, last, S_IFCHR, makedev(0, 0)) != 0 ? errno : 0;
  });
  if (error != 0) throw Failure{"cannot mark '" + name + "' as deleted: " + errno_words(error), error};
}

int remove_content(int directory, const char* name);

/// It and what is below; links are not followed. An errno.
int remove_at(int directory, const char* name) {
  if (::unlinkat(directory, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  if (const int error = remove_content(directory, name); error != 0) return error;
  return ::unlinkat(directory, name, AT_REMOVEDIR) != 0 ? errno : 0;
}

int remove_content(int directory, const char* name) {
  const int fd = ::openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR* open = fd < 0 ? nullptr : ::fdopendir(fd);
  int error = errno;
  if (open == nullptr && fd >= 0) ::close(fd);
  if (open == nullptr) return error;
  error = 0;
  while (const dirent* one = error == 0 ? ::readdir(open) : nullptr) {
    const std::string_view below = one->d_name;
    if (below != "." && below != "..") error = remove_at(fd, one->d_name);
  }
  ::closedir(open);
  return error;
}

/// What is not there, or below something that is none or a link, is deleted already.
void delete_below(const std::string& name, int (*remove)(int, const char*)) {
  const int error = in_directory_of(name, remove);
  if (error != 0 && error != ENOENT && error != ENOTDIR && error != ELOOP)
    throw Failure{"cannot delete '" + name + "': " + errno_words(error), error};
}

/// The names that stand for deleted files in the layers of OCI images (image-spec, layer.md).
bool is_oci_whiteout(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  const std::string before = slash == std::string::npos ? "" : name.substr(0, slash + 1);
  const std::string last = name.substr(before.size());
  if (!last.starts_with(".wh.")) return false;
  if (last == ".wh..wh..opq")
    delete_below(before.empty() ? "." : before.substr(0, before.size() - 1), remove_content);
  else
    delete_below(before + last.substr(4), remove_at);
  return true;
}

void require_name_inside(const char* name) {
  const std::string_view text = name != nullptr ? name : "";
  if (text.empty() || text.starts_with('/') || text == ".." || text.starts_with("../") ||
      text.find("/../") != std::string_view::npos || text.ends_with("/.."))
    throw Failure{"the layer holds the name '" + std::string(text) + "', which leads outside"};
}

void refuse_device(archive_entry* entry) {
  const auto type = archive_entry_filetype(entry);
  if ((type == AE_IFCHR || type == AE_IFBLK) && !is_whiteout(entry))
    throw Failure{"the layer holds the device '" + std::string(archive_entry_pathname(entry)) + "'"};
}

void extract_one(archive* in, archive* disk, archive_entry* entry, Devices devices) {
  require_name_inside(archive_entry_pathname(entry));
  if (devices == Devices::refused) refuse_device(entry);
  keep_portable_attributes(entry);
  if (archive_entry_hardlink(entry) != nullptr) require_name_inside(archive_entry_hardlink(entry));
  const std::string what = std::string("cannot make '") + archive_entry_pathname(entry) + "'";
  require(archive_write_header(disk, entry), disk, what);
  const void* data = nullptr;
  std::size_t length = 0;
  std::int64_t offset = 0;
  int status = ARCHIVE_OK;
  while (archive_entry_size(entry) > 0 &&
         (status = archive_read_data_block(in, &data, &length, &offset)) == ARCHIVE_OK)
    require(static_cast<int>(archive_write_data_block(disk, data, length, offset)), disk, what);
  if (status != ARCHIVE_OK && status != ARCHIVE_EOF) require(ARCHIVE_FATAL, in, "cannot read the layer");
  require(archive_write_finish_entry(disk), disk, what);
}

Writer disk_writer() {
  Writer disk(archive_write_disk_new());
  archive_write_disk_set_options(disk.get(), ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM |
                                                 ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_XATTR |
                                                 ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                                                 ARCHIVE_EXTRACT_SECURE_SYMLINKS);
  return disk;
}

void lay_all_over(int tar, const std::vector<std::string>& deleted, const std::string& root,
                  Devices devices) {
  const Reader in = tar_reader(tar);
  const Inside inside(root);
  const Writer disk = disk_writer();
  for (const std::string& name : deleted) delete_below(name, remove_at);
  for (archive_entry* entry = nullptr;;) {
    const int status = archive_read_next_header(in.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    require(status, in.get(), "cannot read the layer");
    require_name_inside(archive_entry_pathname(entry));
    if (!is_oci_whiteout(archive_entry_pathname(entry))) extract_one(in.get(), disk.get(), entry, devices);
  }
  require(archive_write_close(disk.get()), disk.get(), "cannot finish the layer");
}

void unpack_all(int tar, const std::vector<std::string>& deleted, const std::string& upper, Devices devices) {
  const Reader in = tar_reader(tar);
  const Inside inside(upper);
  const Writer disk = disk_writer();
  for (archive_entry* entry = nullptr;;) {
    const int status = archive_read_next_header(in.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    require(status, in.get(), "cannot read the layer");
    extract_one(in.get(), disk.get(), entry, devices);
  }
  for (const std::string& name : deleted) make_whiteout(name);
  // Sets the times of directories, so it comes last.
  require(archive_write_close(disk.get()), disk.get(), "cannot finish the layer");
}

void list_all(int tar, std::vector<std::pair<std::string, long long>>& files) {
  const Reader in = tar_reader(tar);
  for (archive_entry* entry = nullptr;;) {
    const int status = archive_read_next_header(in.get(), &entry);
    if (status == ARCHIVE_EOF) return;
    require(status, in.get(), "cannot read the layer");
    files.emplace_back(archive_entry_pathname(entry), archive_entry_size(entry));
  }
}

std::string pack(const std::string& upper, int tar, std::vector<std::string>& deleted) {
  return text_of_failure([&] { pack_all(upper, tar, deleted); });
}

std::string unpack(int tar, const std::vector<std::string>& deleted, const std::string& upper,
                   Devices devices) {
  return text_of_failure([&] { unpack_all(tar, deleted, upper, devices); });
}

std::string lay_over(int tar, const std::vector<std::string>& deleted, const std::string& root,
                     Devices devices) {
  return text_of_failure([&] { lay_all_over(tar, deleted, root, devices); });
}

std::string list(int tar, std::vector<std::pair<std::string, long long>>& files) {
  return text_of_failure([&] { list_all(tar, files); });
}

}  // namespace
}  // namespace ckpt

extern "C" const ckpt::LayerModule ckpt_layer_module = {ckpt::pack, ckpt::unpack, ckpt::lay_over, ckpt::list};
