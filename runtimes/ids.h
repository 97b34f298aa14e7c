// Container ids: they become file names and arguments, so they are checked before anything else happens.
#pragma once
#include <string>
#include <string_view>

namespace ckpt {

/// Letters, digits, `_ + - .`, not starting with `-` or `.`, 1 to 128 characters (runc's set, a file name's
/// length). Throws Error(usage) naming the id and the rule.
void validate_id(std::string_view id);
bool valid_id(std::string_view id);

/// Enough of what was given as an id to know it again, with nothing that a terminal would obey.
std::string printable(std::string_view id);

}  // namespace ckpt
