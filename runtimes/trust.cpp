// A path is walked as the kernel walks it, and each step is judged.
#include "runtimes/trust.h"

#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>

#include <deque>

#include "runtimes/error.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

constexpr int kMostLinks = 40;  // as the kernel, path_resolution(7)
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

std::optional<std::string> link_target(const fs::path& link) {
  char target[PATH_MAX];
  const ssize_t size = ::readlink(link.c_str(), target, sizeof target);
  if (size < 0 || size == sizeof target) return std::nullopt;
  return std::string(target, static_cast<std::size_t>(size));
}

class Walk {
 public:
  Walk(const fs::path& path, uid_t user) : user_(user) {
    struct stat root = {};
    if (::lstat("/", &root) == 0) host_ = root.st_uid;
    push(path);
  }

  std::optional<std::string> all() {
    if (auto why = judge("/", parts_.empty())) return why;
    while (!parts_.empty()) {
      const std::string part = std::move(parts_.front());
      parts_.pop_front();
      if (part == "..") {
        at_ = at_.parent_path();
        continue;
      }
      const fs::path next = at_ / part;
      auto why = judge(next, parts_.empty());
      if (why || absent_) return why;
      if (!is_link_)
        at_ = next;
      else if (auto broken = follow(next))
        return broken;
    }
    return std::nullopt;
  }

 private:
  void push(const fs::path& path) {
    std::deque<std::string> parts;
    for (const fs::path& part : path.relative_path())
      if (!part.empty() && part != ".") parts.push_back(part.string());
    parts_.insert(parts_.begin(), parts.begin(), parts.end());
  }

  /// In a user namespace, what the host's root has belongs to nobody; so do / and what is right below it.
  bool of_the_host(const fs::path& path, uid_t owner) const {
    return owner == host_ && (path.parent_path() == "/" || path == "/run/user" || path == "/var/lib");
  }

  std::optional<std::string> judge(const fs::path& path, bool last) {
    struct stat status = {};
    absent_ = ::lstat(path.c_str(), &status) != 0;
    if (absent_)
      return errno == ENOENT || errno == ENOTDIR
                 ? std::nullopt
                 : std::optional(
                       fmt::format("'{}' cannot be looked at: {}", path.string(), errno_text(errno)));
    is_link_ = S_ISLNK(status.st_mode);
    if (status.st_uid != 0 && status.st_uid != user_ && !of_the_host(path, status.st_uid))
      return fmt::format("'{}' belongs to another user, {}", path.string(), status.st_uid);
    const bool shared = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0 && !last;
    if (!is_link_ && (status.st_mode & kOthersWrite) != 0 && !shared)
      return fmt::format("'{}' can be written by {}", path.string(),
                         (status.st_mode & S_IWOTH) != 0 ? "everybody" : "a group");
    return std::nullopt;
  }

  std::optional<std::string> follow(const fs::path& link) {
    const auto target = link_target(link);
    if (!target || ++links_ > kMostLinks)
      return fmt::format("the symbolic link '{}' cannot be followed", link.string());
    if (target->starts_with('/')) at_ = "/";
    push(*target);
    return std::nullopt;
  }

  uid_t user_, host_ = 0;
  fs::path at_ = "/";
  std::deque<std::string> parts_;
  int links_ = 0;
  bool absent_ = false, is_link_ = false;
};

}  // namespace

std::optional<std::string> why_not_trusted(const fs::path& path, uid_t user) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);  // not normal: a/.. is what the link a says
  if (error) return "the current directory no longer exists";
  return Walk(whole, user).all();
}

bool is_trusted(const fs::path& path) {
  return !why_not_trusted(path);
}

void require_trusted(std::string_view what, const fs::path& path) {
  if (const auto why = why_not_trusted(path))
    throw Error(ErrorCode::usage, fmt::format("{} '{}' is not used: {}", what, path.string(), *why))
        .with_hint(::geteuid() == 0
                       ? "it and every directory above must be root's, and nobody else may write there"
                       : "it and every directory above must be root's or yours, and nobody else may write "
                         "there");
}

}  // namespace ckpt
