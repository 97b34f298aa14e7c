// The rule for container ids.
#include "runtimes/ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "runtimes/error.h"

namespace ckpt {
namespace {

constexpr std::size_t kLongest = 128;

bool allowed(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("_+-.").find(c) != std::string_view::npos;
}

}  // namespace

std::string printable(std::string_view id) {
  std::string shown;
  for (const char c : id.substr(0, 40)) shown += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?';
  return id.size() > 40 ? shown + "..." : shown;
}

bool valid_id(std::string_view id) {
  return !id.empty() && id.size() <= kLongest && id[0] != '-' && id[0] != '.' &&
         std::all_of(id.begin(), id.end(), allowed);
}

void validate_id(std::string_view id) {
  if (valid_id(id)) return;
  throw Error(ErrorCode::usage, fmt::format("container id '{}' is not valid", printable(id)))
      .with_hint(fmt::format(
          "use letters, digits, '_', '+', '-' and '.', not first '-' or '.', at most {} characters",
          kLongest));
}

}  // namespace ckpt
