// UTF-8, character by character, of text that may be none.
#pragma once
#include <string_view>

namespace ckpt {

struct Character {
  std::string_view bytes;
  bool valid = false;  ///< RFC 3629; else it is the one byte that is no part of a character
  bool unseen =
      false;  ///< a control (C0, DEL, C1), or what only changes how others are shown: directions, joiners
};

/// The first one, which is taken off `text`; that is not empty.
Character take_character(std::string_view& text);

}  // namespace ckpt
