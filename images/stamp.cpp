// Reading and writing instants.
#include "images/stamp.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace ckpt {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

bool digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

/// ".5" is 500'000'000; moves `at` behind it.
long fraction_at(std::string_view text, std::size_t& at) {
  long nanoseconds = 0, place = kSecond / 10;
  if (at >= text.size() || text[at] != '.') return 0;
  for (++at; at < text.size() && digit(text[at]); ++at, place /= 10) nanoseconds += (text[at] - '0') * place;
  return nanoseconds;
}

/// Seconds of "Z", "+01:00"; nullopt for anything else.
std::optional<int> offset_of(const std::string& text) {
  if (text == "Z") return 0;
  int hours = 0, minutes = 0, length = 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') ||
      std::sscanf(text.c_str() + 1, "%2d:%2d%n", &hours, &minutes, &length) != 2 || length != 5)
    return std::nullopt;
  return (text[0] == '-' ? -60 : 60) * (hours * 60 + minutes);
}

}  // namespace

std::optional<timespec> parse_instant(const std::string& text) {
  std::tm parts = {};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (end == nullptr) return std::nullopt;
  auto at = static_cast<std::size_t>(end - text.c_str());
  const long nanoseconds = fraction_at(text, at);
  const auto offset = offset_of(text.substr(at));
  if (!offset) return std::nullopt;
  return timespec{.tv_sec = ::timegm(&parts) - *offset, .tv_nsec = nanoseconds};
}

std::string instant_text(const timespec& instant) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(instant.tv_sec), instant.tv_nsec);
}

std::string stamp_of(const timespec& instant) {
  const auto fraction = (static_cast<std::uint64_t>(instant.tv_nsec) << 24U) / kSecond;
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{:06x}", fmt::gmtime(instant.tv_sec), fraction);
}

std::optional<timespec> instant_of(const std::string& stamp) {
  std::tm parts = {};
  const char* end = ::strptime(stamp.c_str(), "%Y%m%dT%H%M%SZ-", &parts);
  unsigned fraction = 0;
  int length = 0;
  if (end == nullptr || std::sscanf(end, "%6x%n", &fraction, &length) != 1 || length != 6 || end[6] != '\0')
    return std::nullopt;
  // Rounded up, so that it is the same fraction again.
  const std::uint64_t nanoseconds = (fraction * static_cast<std::uint64_t>(kSecond) + (1U << 24U) - 1) >> 24U;
  return timespec{.tv_sec = ::timegm(&parts), .tv_nsec = static_cast<long>(nanoseconds)};
}

std::string stamp_after(const std::vector<std::string>& names, const timespec& now) {
  constexpr std::size_t kLength = 23;  // 20261121T204822Z-8a3f01
  std::string newest;
  for (const std::string& name : names) {
    std::string stamp = name.substr(name.size() - std::min(kLength, name.size()));
    if (stamp > newest && instant_of(stamp)) newest = std::move(stamp);
  }
  std::string stamp = stamp_of(now);
  if (stamp > newest) return stamp;
  // With the clock's own fraction, so that two at once do not get one name.
  return stamp_of({.tv_sec = instant_of(newest)->tv_sec + 1, .tv_nsec = now.tv_nsec});
}

}  // namespace ckpt
