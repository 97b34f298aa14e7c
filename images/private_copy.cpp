// Copying without following anybody's links.
#include "images/private_copy.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "images/archive.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"
#include "runtimes/rooted_path.h"

namespace ckpt {
namespace {

constexpr std::size_t kMostFiles = 100'000;
constexpr std::size_t kPiece = 64U << 20U;

[[noreturn]] void fail(const fs::path& path, int error) {
  throw Error(ErrorCode::runtime_failed,
              fmt::format("cannot copy '{}': {}", path.string(), errno_text(error)));
}

[[noreturn]] void refuse(const fs::path& path) {
  throw Error(ErrorCode::image_invalid, fmt::format("'{}' is nothing that an image has", path.string()));
}

void copy_file(const Fd& directory, const fs::path& name, const fs::path& to) {
  const Fd in = open_in(directory, name, O_RDONLY | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  struct stat status = {};
  if (!in || ::fstat(in.get(), &status) != 0) fail(name, errno);
  if (!S_ISREG(status.st_mode)) refuse(name);
  const Fd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) fail(to, errno);
  for (ssize_t n = 1; n != 0;) {
    throw_if_interrupted();
    n = ::sendfile(out.get(), in.get(), nullptr, kPiece);
    if (n < 0 && errno != EINTR) fail(to, errno);
  }
}

void copy_entry(const fs::directory_entry& entry, const fs::path& from, const Fd& directory,
                const fs::path& place) {
  const fs::path name = entry.path().lexically_relative(from);
  const fs::file_type type = entry.symlink_status().type();
  if (type == fs::file_type::directory) return make_private_dirs(place / name);
  if (type == fs::file_type::regular) return copy_file(directory, name, place / name);
  if (type != fs::file_type::symlink) refuse(entry.path());
  const fs::path target = fs::read_symlink(entry.path());
  if (!links_dumps(name.string(), target.string())) refuse(entry.path());
  fs::create_symlink(target, place / name);
}

}  // namespace

void copy_image(const Image& image, const fs::path& place) {
  const Fd directory(::open(image.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) fail(image.directory, errno);
  make_private_dirs(place);
  std::size_t files = 0;
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(image.directory)) {
      if (++files > kMostFiles) refuse(image.directory);
      copy_entry(entry, image.directory, directory, place);
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::runtime_failed, fmt::format("cannot copy the image in '{}': {}",
                                                       image.directory.string(), error.code().message()));
  }
}

}  // namespace ckpt
