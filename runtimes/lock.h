// One operation at a time on a container: flock(2) on a file that also tells who holds it and what a dead
// holder was at.
#pragma once
#include <chrono>
#include <filesystem>
#include <string>

#include "runtimes/fs.h"

namespace ckpt {

class ContainerLock {
 public:
  /// Takes the lock, waiting at most `patience`. Throws Error(busy) naming the holder.
  ContainerLock(std::filesystem::path file, const std::string& verb, std::chrono::milliseconds patience);
  ContainerLock(const ContainerLock&) = delete;
  ContainerLock& operator=(const ContainerLock&) = delete;
  /// Removes the file and lets go.
  ~ContainerLock();

  /// What a holder that died had noted, as it was found; empty after a clean end.
  const std::string& left_behind() const { return left_behind_; }
  /// It has been dealt with; until then the note stays, in case this one is killed as well.
  void settled();
  /// It could not be dealt with: the next holder finds it again.
  void hand_on() { handed_on_ = true; }
  /// Replaces the note: what the next holder must know if this one is killed now.
  void note(const std::string& json_text);

 private:
  bool try_take();

  std::filesystem::path file_;
  Fd fd_;
  std::string left_behind_, own_;
  bool handed_on_ = false;
};

}  // namespace ckpt
