// Protobuf's wire format and CRIU's image files of it, read without trust: nothing is read past the end, what
// is cut short or malformed is told by whole().
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// One message. A view: the bytes must outlive it.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  /// The next field's number; nullopt at the end or on damage.
  std::optional<std::uint64_t> next();
  /// After next() has returned nullopt: whether that was the end.
  bool whole() const { return rest_.empty() && !damaged_; }

  /// Of a varint or fixed-size field; 0 for others.
  std::uint64_t value() const { return value_; }
  /// A sint32 or sint64 (zigzag).
  std::int64_t signed_value() const;
  /// Of a length-delimited field; empty for others.
  std::string_view bytes() const { return bytes_; }
  std::string text() const { return std::string(bytes_); }
  Message message() const { return Message(bytes_); }
  /// Adds what one occurrence of a repeated varint field holds, packed or not; false on damage.
  bool append_to(std::vector<std::uint64_t>& values) const;

 private:
  bool read_value(std::uint64_t type);

  std::string_view rest_, bytes_;
  std::uint64_t value_ = 0;
  bool packable_ = false;  ///< the field is length-delimited
  bool damaged_ = false;
};

/// The length-prefixed messages of one of CRIU's files, behind two magic words; the inventory has one.
class Entries {
 public:
  explicit Entries(std::string_view file, std::size_t magic_words = 2);
  /// nullopt at the end or on damage.
  std::optional<Message> next();
  /// After next() has returned nullopt: whether that was the end, and the magic words are there.
  bool whole() const { return rest_.empty() && !short_; }

 private:
  std::string_view rest_;
  bool short_;
};

}  // namespace ckpt
