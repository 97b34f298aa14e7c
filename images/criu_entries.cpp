// Reading an image file whole, within bounds.
#include "images/criu_entries.h"

#include <limits>

#include "images/compression.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
void throw_damaged(const fs::path& file, const char* how) {
  throw Error(ErrorCode::image_invalid, fmt::format("'{}' {}", file.string(), how));
}

std::optional<std::string> image_content(const fs::path& file, std::size_t limit) {
  std::error_code error;
  const fs::path packed = file.string() + kPackedSuffix;
  const bool plain = fs::exists(file, error);
  if (!plain && !fs::exists(packed, error)) return std::nullopt;
  if (plain && !fs::is_regular_file(file, error)) throw_damaged(file, "is no regular file");
  std::optional<std::string> content = plain ? read_file(file, limit + 1) : read_packed(packed, limit + 1);
  if (!content) throw_damaged(file, "cannot be read");
  if (content->size() > limit) throw_damaged(file, "is too large to be what its name says");
  return content;
}

int to_int(std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) throw Damage();
  return static_cast<int>(value);
}

}  // namespace ckpt
