// Text as a terminal may have it: what ckpt prints may come from a file, a name or a runtime's words.
#pragma once
#include <string>
#include <string_view>

namespace ckpt {

/// On one line, as UTF-8: line breaks and tabs are blanks; what a terminal would obey (C0, DEL, C1), what
/// turns the direction of writing, joiners and what is no UTF-8 are question marks.
std::string shown(std::string_view text);
/// JSON as the library writes it, with DEL and C1, which that leaves as they are, escaped.
std::string shown_json(std::string_view json);

}  // namespace ckpt
