// userns-N.img (images/userns.proto), and modes.
#include "images/mapped_root.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/compression.h"
#include "images/criu_entries.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

/// uid_gid_extent{first = 1, lower_first = 2, count = 3}
std::optional<gid_t> group_of(Message extent) {
  std::uint64_t first = 1, lower = 0, count = 0;
  each_field(extent, [&](std::uint64_t field, const Message& m) {
    if (field == 1) first = m.value();
    if (field == 2) lower = m.value();
    if (field == 3) count = m.value();
  });
  if (first != 0 || count == 0) return std::nullopt;
  return static_cast<gid_t>(lower);
}

void give(int directory, const char* name, gid_t group, mode_t mode) {
  const Fd fd(::openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status = {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) return;
  if (::fchown(fd.get(), static_cast<uid_t>(-1), group) == 0) ::fchmod(fd.get(), mode);
}

}  // namespace

std::optional<gid_t> mapped_root_group(const fs::path& images) {
  std::optional<gid_t> group;
  std::error_code error;
  for (fs::directory_iterator it(images, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with("userns-")) continue;
    each_entry(without_packed_suffix(it->path().string()), [&](Message entry) {  // userns_entry{gid_map = 2}
      each_field(entry, [&](std::uint64_t field, const Message& m) {
        if (field == 2 && !group) group = group_of(m.message());
      });
    });
  }
  return group;
}

void let_group_read(const fs::path& directory, gid_t group) {
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error) && !it->is_symlink(error))
      give(fd.get(), it->path().filename().c_str(), group, 0640);
  give(fd.get(), ".", group, 0750);
}

void let_group_pass(const fs::path& directory, gid_t group) {
  give(AT_FDCWD, directory.c_str(), group, 0710);
}

}  // namespace ckpt
