// The content of an image's files, as ckpt.json has it: XXH3-128, several files at a time.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "images/manifest.h"

namespace ckpt {

/// XXH3-128 of what comes in pieces.
class Digest {
 public:
  Digest();
  ~Digest();
  void update(std::string_view data);
  /// 32 hexadecimal digits.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// As Digest has it. Throws Error(image_invalid) when the file cannot be read.
std::string digest_of_file(const std::filesystem::path& path);
/// Fills in `xxh3` of each that has none; paths are below `directory`.
void add_digests(const std::filesystem::path& directory, std::vector<ImageFile>& files);
/// Throws Error(image_invalid) naming a file that is missing, of another size, of other content, or that the
/// manifest does not have. A manifest without digests (of ckpt 0.1 before them) is checked for sizes only.
void check_content(const std::filesystem::path& directory, const Manifest& manifest);

}  // namespace ckpt
