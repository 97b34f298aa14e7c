// Where imports, pushes, pulls and restores work in the store until what they make is whole, or used.
#pragma once
#include <filesystem>
#include <string>

#include "runtimes/fs.h"

namespace ckpt {

/// Where imports are staged, and what dead ones left there removed; others can be at work beside this one.
class ImportPlace {
 public:
  explicit ImportPlace(const std::filesystem::path& store);
  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
  Fd lock_;
};
/// Where a push, pull or copy of that name works, which is no other's meanwhile: STORE/push/NAME and so on.
/// What one that was killed, or kept it, has left is there again. Throws Error(busy).
class Staging {
 public:
  Staging(const std::filesystem::path& store, const std::string& kind, const std::string& name);
  static std::filesystem::path place(const std::filesystem::path& store, const std::string& kind,
                                     const std::string& name);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  /// Removes it, unless it is kept.
  ~Staging();
  const std::filesystem::path& directory() const { return directory_; }
  /// Whoever has a copy of it has the place.
  int lock() const { return lock_.get(); }
  void keep(bool kept) { kept_ = kept; }

 private:
  std::filesystem::path directory_;
  Fd lock_;
  bool kept_ = false;
};
/// Removes what those of a kind that were killed have left.
void remove_dead(const std::filesystem::path& store, const std::string& kind);
/// Removes what imports, pushes, pulls and copies that were killed have left, unless one is at work.
void finish_imports(const std::filesystem::path& store);

}  // namespace ckpt
