// A few fields of CRIU's protobuf images: two magic words, then length-prefixed messages.
#include "images/criu_images.h"

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

/// Protobuf wire format: varint fields and embedded messages.
class Message {
 public:
  explicit Message(std::string_view bytes) : bytes_(bytes) {}

  /// The next field's number; nullopt at the end or on damage.
  std::optional<std::uint64_t> next() {
    const auto key = varint();
    if (!key) return std::nullopt;
    value_ = 0;
    bytes_value_ = {};
    if ((*key & 7U) == 0) {
      const auto value = varint();
      if (!value) return std::nullopt;
      value_ = *value;
    } else if (!skip(*key & 7U)) {
      return std::nullopt;
    }
    return *key >> 3U;
  }
  std::uint64_t value() const { return value_; }
  /// The embedded message of a length-delimited field.
  Message message() const { return Message(bytes_value_); }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_[0]);
      bytes_.remove_prefix(1);
      result |= static_cast<std::uint64_t>(byte & 127U) << shift;
      if ((byte & 128U) == 0) return result;
    }
    return std::nullopt;
  }
  bool skip(std::uint64_t type) {
    std::uint64_t length = type == 1 ? 8 : type == 5 ? 4 : 0;
    if (type == 2) length = varint().value_or(bytes_.size() + 1);
    if ((length == 0 && type != 2) || length > bytes_.size()) return false;
    bytes_value_ = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    return true;
  }

  std::string_view bytes_, bytes_value_;
  std::uint64_t value_ = 0;
};

/// Length-prefixed messages behind the two magic words.
class Entries {
 public:
  explicit Entries(std::string_view file) : rest_(file.size() > 8 ? file.substr(8) : std::string_view()) {}
  std::optional<Message> next() {
    std::uint32_t size = 0;
    if (rest_.size() < sizeof size) return std::nullopt;
    std::memcpy(&size, rest_.data(), sizeof size);
    if (size > rest_.size() - sizeof size) return std::nullopt;
    const Message message(rest_.substr(sizeof size, size));
    rest_.remove_prefix(sizeof size + size);
    return message;
  }

 private:
  std::string_view rest_;
};

struct Promise {
  std::uint64_t pages_id = 0, pages = 0;
};

/// pagemap_head{pages_id = 1}, then pagemap_entry{nr_pages = 2 (compat) or 5, in_parent = 3, flags = 4}.
Promise read_pagemap(std::string_view file) {
  constexpr std::uint64_t kPresent = 4;  // PE_PRESENT, criu/include/pagemap.h
  Promise promise;
  Entries entries(file);
  if (auto head = entries.next())
    while (const auto field = head->next())
      if (*field == 1) promise.pages_id = head->value();
  while (auto entry = entries.next()) {
    std::uint64_t pages = 0;
    std::optional<std::uint64_t> flags;
    bool in_parent = false;
    while (const auto field = entry->next()) {
      if (*field == 2 || *field == 5) pages = std::max(pages, entry->value());
      if (*field == 3) in_parent = entry->value() != 0;
      if (*field == 4) flags = entry->value();
    }
    if (flags ? (*flags & kPresent) != 0 : !in_parent) promise.pages += pages;
  }
  return promise;
}

}  // namespace

void check_page_sizes(const fs::path& images) {
  std::map<std::uint64_t, std::uint64_t> promised;
  for (const fs::directory_entry& entry : fs::directory_iterator(images)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("pagemap-") || !name.ends_with(".img")) continue;
    const Promise promise = read_pagemap(read_file(entry.path(), 1U << 30U).value_or(""));
    promised[promise.pages_id] += promise.pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  for (const auto& [id, bytes] : promised) {
    const fs::path file = images / fmt::format("pages-{}.img", id);
    std::error_code error;
    const std::uintmax_t size = fs::file_size(file, error);
    if (bytes == 0 || (!error && size >= bytes)) continue;
    throw Error(ErrorCode::image_invalid, fmt::format("'{}' is cut short: {} bytes, its page maps need {}",
                                                      file.string(), error ? 0 : size, bytes))
        .with_hint("restore another checkpoint; this one is damaged");
  }
}

std::optional<double> frozen_seconds(const fs::path& stats_dump) {
  const std::string file = read_file(stats_dump).value_or("");
  Entries entries(file);
  auto stats = entries.next();
  if (!stats) return std::nullopt;
  while (const auto field = stats->next()) {
    if (*field != 1) continue;
    Message dump = stats->message();
    while (const auto inner = dump.next())
      if (*inner == 2) return static_cast<double>(dump.value()) / 1e6;
  }
  return std::nullopt;
}

}  // namespace ckpt
