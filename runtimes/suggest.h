// "Did you mean": the nearest of the words that would have been right.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// At most three of `choices`, nearest first: within two edits (one for words up to three letters), those
/// that begin with it, and what other tools call by that word.
std::vector<std::string> suggestions(std::string_view word, const std::vector<std::string>& choices);
/// "; did you mean 'a' or 'b'?" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& choices);

}  // namespace ckpt
