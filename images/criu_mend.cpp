// Field by field; what is not changed is copied as it is. Numbers: CRIU's images/fdinfo.proto, sk-unix.proto
// and timerfd.proto.
#include "images/criu_mend.h"

#include <algorithm>
#include <cstring>

#include "images/compression.h"
#include "images/protobuf.h"
#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

using Moved = std::vector<MovedSocketFact>;
constexpr std::uint64_t kTimerfd = 12, kUnixSocket = 16;                                      // file_entry
constexpr std::uint64_t kInode = 2, kName = 11, kDirectory = 14, kDeleted = 15;               // unix_sk_entry
constexpr std::uint64_t kLeft = 7, kLeftNanoseconds = 8, kEvery = 9, kEveryNanoseconds = 10;  // timerfd_entry
constexpr std::size_t kMagic = 2 * sizeof(std::uint32_t);

void put_varint(std::string& out, std::uint64_t value) {
  for (; value > 127; value >>= 7U) out += static_cast<char>(value | 128U);
  out += static_cast<char>(value);
}

void put_bytes(std::string& out, std::uint64_t field, std::string_view bytes) {
  put_varint(out, field << 3U | 2U);
  put_varint(out, bytes.size());
  out += bytes;
}

/// How many bytes the varint at the beginning of `bytes` has.
std::size_t varint_size(std::string_view bytes) {
  std::size_t size = 0;
  while (size < bytes.size() && (static_cast<unsigned char>(bytes[size]) & 128U) != 0) ++size;
  return size + 1;
}

/// How many bytes the field at the beginning of `bytes` has, which Message has read: key and value.
std::size_t field_size(std::string_view bytes, const Message& read) {
  const std::size_t key = varint_size(bytes);
  const unsigned type = static_cast<unsigned char>(bytes[0]) & 7U;
  if (type == 1) return key + 8;
  if (type == 5) return key + 4;
  return key + varint_size(bytes.substr(key)) + (type == 2 ? read.bytes().size() : 0);
}

/// Calls `copy` with each field and its bytes as they stand in the message, then what that has put out.
template <class Copy>
std::optional<std::string> rewritten(std::string_view message, const Copy& copy) {
  std::string out;
  Message fields(message);
  for (std::string_view rest = message; const auto field = fields.next();) {
    const std::size_t used = field_size(rest, fields);
    copy(out, *field, fields, rest.substr(0, used));
    rest.remove_prefix(used);
  }
  if (!fields.whole()) return std::nullopt;
  return out;
}

const MovedSocketFact* moved_of(Message socket, const Moved& moved) {
  std::uint64_t inode = 0;
  while (const auto field = socket.next())
    if (*field == kInode) inode = socket.value();
  const auto found = std::find_if(moved.begin(), moved.end(),
                                  [&](const MovedSocketFact& one) { return one.inode == inode; });
  return found == moved.end() ? nullptr : &*found;
}

/// An absolute name; its file is there.
std::string with_name(std::string_view socket, const std::string& path) {
  return rewritten(socket,
                   [&](std::string& out, std::uint64_t field, const Message&, std::string_view raw) {
                     if (field == kName)
                       put_bytes(out, field, std::string_view(path.c_str(), path.size() + 1));
                     else if (field != kDirectory && field != kDeleted)
                       out += raw;
                   })
      .value_or(std::string(socket));
}

bool stands_still(Message timer) {
  std::uint64_t left = 0, every = 0;
  while (const auto field = timer.next()) {
    if (*field == kLeft || *field == kLeftNanoseconds) left |= timer.value();
    if (*field == kEvery || *field == kEveryNanoseconds) every |= timer.value();
  }
  return left == 0 && every != 0;
}

/// A nanosecond is left.
std::string armed(std::string_view timer) {
  return rewritten(timer,
                   [](std::string& out, std::uint64_t field, const Message&, std::string_view raw) {
                     if (field != kLeftNanoseconds) {
                       out += raw;
                       return;
                     }
                     put_varint(out, field << 3U);
                     put_varint(out, 1);
                   })
      .value_or(std::string(timer));
}

std::optional<std::string> mended_entry(std::string_view entry, const Moved& moved) {
  return rewritten(entry, [&](std::string& out, std::uint64_t field, const Message& m, std::string_view raw) {
    const MovedSocketFact* one = field == kUnixSocket ? moved_of(m.message(), moved) : nullptr;
    if (one != nullptr)
      put_bytes(out, field, with_name(m.bytes(), one->path));
    else if (field == kTimerfd && stands_still(m.message()))
      put_bytes(out, field, armed(m.bytes()));
    else
      out += raw;
  });
}

}  // namespace

std::optional<std::string> mended_files(std::string_view image, const Moved& moved) {
  if (image.size() < kMagic) return std::nullopt;
  std::string out(image.substr(0, kMagic));
  for (std::string_view rest = image.substr(kMagic); !rest.empty();) {
    std::uint32_t size = 0;
    if (rest.size() < sizeof size) return std::nullopt;
    std::memcpy(&size, rest.data(), sizeof size);
    if (size > rest.size() - sizeof size) return std::nullopt;
    const auto entry = mended_entry(rest.substr(sizeof size, size), moved);
    if (!entry) return std::nullopt;
    const auto length = static_cast<std::uint32_t>(entry->size());
    out.append(reinterpret_cast<const char*>(&length), sizeof length);
    out += *entry;
    rest.remove_prefix(sizeof size + size);
  }
  return out;
}

void mend_files(const fs::path& images, const Moved& moved) {
  const fs::path file = images / "files.img";
  std::error_code error;
  if (fs::exists(file.string() + kPackedSuffix, error)) return;
  const auto image = read_file(file, 1U << 30U);
  const auto mended = image ? mended_files(*image, moved) : std::nullopt;
  if (!mended && !moved.empty())
    throw Error(
        ErrorCode::image_invalid,
        fmt::format("'{}' cannot be read, and has sockets whose names must be changed", file.string()));
  if (mended && *mended != *image) write_file_atomic(file, *mended);
}

}  // namespace ckpt
