// Small protobuf messages and CRIU image files, made by hand.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace ckpt::test {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7U) bytes += static_cast<char>((value & 127U) | 128U);
  return bytes + static_cast<char>(value);
}
inline std::string field(unsigned number, std::uint64_t value) {
  return varint(number << 3U) + varint(value);
}
inline std::string field(unsigned number, std::string_view bytes) {
  return varint(number << 3U | 2U) + varint(bytes.size()) + std::string(bytes);
}
/// A sint32 or sint64.
inline std::string signed_field(unsigned number, std::int64_t value) {
  return field(number, static_cast<std::uint64_t>(value) << 1U ^ static_cast<std::uint64_t>(value >> 63U));
}
inline std::string entry(std::string_view message) {
  const auto size = static_cast<std::uint32_t>(message.size());
  std::string bytes(sizeof size, '\0');
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes + std::string(message);
}
inline const std::string kMagic = "\x19\x43\x56\x54\x30\x30\x27\x50";  // the common one, and pstree's

}  // namespace ckpt::test
