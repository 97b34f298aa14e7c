// A log that may not grow: what is kept, what goes, and who else may have renamed it.
#include "runtimes/capped_log.h"

#include <sys/stat.h>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::uint64_t kMost = 200;

std::string lines(int from, int to) {
  std::string text;
  for (int i = from; i <= to; ++i) text += fmt::format("line {:04}\n", i);  // 10 bytes each
  return text;
}

/// Both parts in their order.
std::string whole(const fs::path& log) {
  const auto older = older_log(log);
  return (older ? read_file(older->path).value_or("") : "") + read_file(log).value_or("");
}

void write_lines(CappedLog& log, int from, int to) {
  for (int i = from; i <= to; ++i) REQUIRE(log.write(lines(i, i)));
}

}  // namespace

TEST_CASE("capped log: nothing is lost until it is full, then the older half") {
  const TempDir dir;
  const fs::path path = dir / "c.log";
  CappedLog log(path, kMost);
  write_lines(log, 1, 10);
  CHECK_FALSE(older_log(path));
  CHECK(whole(path) == lines(1, 10));
  write_lines(log, 11, 20);
  CHECK(older_log(path)->number == 1);
  CHECK(whole(path) == lines(1, 20));
  write_lines(log, 21, 21);
  CHECK(older_log(path)->number == 2);
  CHECK(whole(path) == lines(11, 21));
  write_lines(log, 22, 999);
  CHECK(whole(path).ends_with(lines(990, 999)));
  CHECK(whole(path).size() <= kMost);
  CHECK(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 2);
}

TEST_CASE("capped log: a piece larger than the log, and another life of the container") {
  const TempDir dir;
  const fs::path path = dir / "c.log";
  {
    CappedLog log(path, kMost);
    REQUIRE(log.write(lines(1, 95)));
    CHECK(whole(path).size() <= kMost);
    CHECK(lines(1, 95).ends_with(whole(path)));
    CHECK(whole(path).size() >= kMost / 2);
  }
  CappedLog log(path, kMost);
  write_lines(log, 96, 97);
  CHECK(lines(1, 97).ends_with(whole(path)));
  struct stat stat = {};
  REQUIRE(::stat(path.c_str(), &stat) == 0);
  CHECK((stat.st_mode & 0777U) == 0600);
  remove_log(path);
  CHECK(fs::is_empty(dir.path()));
}

TEST_CASE("capped log: without a limit, and what is no regular file") {
  const TempDir dir;
  CappedLog log(dir / "c.log", 0);
  write_lines(log, 1, 500);
  CHECK(whole(dir / "c.log") == lines(1, 500));
  CHECK_FALSE(older_log(dir / "c.log"));
  CappedLog null("/dev/null", kMost);
  CHECK(null.write(lines(1, 500)));
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("capped log: one that somebody renamed is his, and other names are nobody's part of it") {
  const TempDir dir;
  const fs::path path = dir / "c.log";
  for (const char* other :
       {"c.log.1", "c.log.~x~", "c.log.~0~", "c.log.~3", "c.log.~~", "d.log.~9~", "c.log.~-1~"})
    dir.file(other, other);
  CHECK_FALSE(older_log(path));
  CappedLog log(path, kMost);
  write_lines(log, 1, 10);
  fs::rename(path, dir / "his");
  write_lines(log, 11, 12);
  CHECK(read_file(dir / "his") == lines(1, 10));
  CHECK(read_file(path) == lines(11, 12));
  write_lines(log, 13, 100);
  CHECK(read_file(dir / "c.log.1") == "c.log.1");
  CHECK(read_file(dir / "his") == lines(1, 10));
}

TEST_CASE("capped log: what is in its way is told, and what was written stays") {
  const TempDir dir;
  const fs::path path = dir / "c.log";
  dir.file("c.log.~1~/x");
  CappedLog log(path, kMost);
  write_lines(log, 1, 10);
  // The next number is free.
  REQUIRE(log.write(lines(11, 11)));
  CHECK(older_log(path)->number == 2);
  CHECK(whole(path) == lines(1, 11));
}

TEST_CASE("capped log: an empty one that was not there before goes again") {
  const TempDir dir;
  CappedLog(dir / "c.log", kMost).remove_if_unused();
  CHECK(fs::is_empty(dir.path()));
  dir.file("c.log");
  CappedLog(dir / "c.log", kMost).remove_if_unused();
  CHECK(fs::exists(dir / "c.log"));
}
