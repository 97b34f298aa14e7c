// Fields of a message, messages of a file.
#include "images/protobuf.h"

#include <cstring>

namespace ckpt {
namespace {

enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kDelimited = 2, kFixed32 = 5 };

/// nullopt when `bytes` ends within it or it is longer than 64 bits.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    result |= static_cast<std::uint64_t>(byte & 127U) << shift;
    if ((byte & 128U) == 0) return result;
  }
  return std::nullopt;
}

/// Little-endian, as every host that CRIU runs on.
std::optional<std::uint64_t> take_fixed(std::string_view& bytes, std::size_t size) {
  std::uint64_t result = 0;
  if (size > bytes.size()) return std::nullopt;
  std::memcpy(&result, bytes.data(), size);
  bytes.remove_prefix(size);
  return result;
}

}  // namespace

std::optional<std::uint64_t> Message::next() {
  if (rest_.empty() || damaged_) return std::nullopt;
  const auto key = take_varint(rest_);
  damaged_ = !key || !read_value(*key & 7U);
  if (damaged_) return std::nullopt;
  return *key >> 3U;
}

bool Message::read_value(std::uint64_t type) {
  value_ = 0;
  bytes_ = {};
  packable_ = type == kDelimited;
  std::optional<std::uint64_t> value;
  if (type == kVarint || type == kDelimited) value = take_varint(rest_);
  if (type == kFixed64) value = take_fixed(rest_, 8);
  if (type == kFixed32) value = take_fixed(rest_, 4);
  if (!value) return false;
  if (!packable_) return value_ = *value, true;
  if (*value > rest_.size()) return false;
  bytes_ = rest_.substr(0, *value);
  rest_.remove_prefix(*value);
  return true;
}

std::int64_t Message::signed_value() const {
  return static_cast<std::int64_t>((value_ >> 1U) ^ (~(value_ & 1U) + 1));
}

bool Message::append_to(std::vector<std::uint64_t>& values) const {
  if (!packable_) return values.push_back(value_), true;
  for (std::string_view rest = bytes_; !rest.empty();) {
    const auto value = take_varint(rest);
    if (!value) return false;
    values.push_back(*value);
  }
  return true;
}

Entries::Entries(std::string_view file, std::size_t magic_words) {
  const std::size_t magic = magic_words * sizeof(std::uint32_t);
  short_ = file.size() < magic;
  rest_ = short_ ? std::string_view() : file.substr(magic);
}

std::optional<Message> Entries::next() {
  std::uint32_t size = 0;
  if (rest_.size() < sizeof size) return std::nullopt;
  std::memcpy(&size, rest_.data(), sizeof size);
  if (size > rest_.size() - sizeof size) return std::nullopt;
  const Message message(rest_.substr(sizeof size, size));
  rest_.remove_prefix(sizeof size + size);
  return message;
}

}  // namespace ckpt
