// What commands say: data on stdout, words for people on stderr. Implemented in cli/, so that nothing below
// prints.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ckpt {

/// Without what a terminal would obey: names of processes and files may have anything in them.
inline std::string plain(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = '?';
  return text;
}

class Output {
 public:
  virtual ~Output() = default;
  /// One line of data on stdout.
  virtual void line(const std::string& text) = 0;
  /// The one JSON document of the command, on stdout.
  virtual void document(const nlohmann::json& document) = 0;
  /// Something the user should know although the command goes on; not under --quiet.
  virtual void warn(const std::string& text) = 0;
  /// Something the user asked to be told; not under --quiet.
  virtual void note(const std::string& text) = 0;
  /// Only with --verbose.
  virtual void detail(const std::string& text) = 0;
  /// Rows under a heading, columns aligned, on stdout.
  virtual void table(const std::vector<std::string>& heading,
                     const std::vector<std::vector<std::string>>& rows) = 0;
  /// Bytes as they are, on stdout.
  virtual void raw(const std::string& bytes) = 0;
};

}  // namespace ckpt
