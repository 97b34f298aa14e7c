// Decoding CRIU's images: what they say, and what hostile ones cannot do.
#include "images/criu_decode.h"

#include "images/protobuf.h"
#include "protobuf.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::string regular(std::uint64_t id, const std::string& path, const std::string& more) {
  return field(1, id) + field(2, 2) + field(3, 17) + field(5, field(1, 0)) + field(6, path) + more;
}
/// file_entry of a regular file
std::string file_entry(std::uint64_t id, const std::string& reg) {
  return entry(field(1, 1) + field(2, id) + field(3, reg));
}
std::string files_image() {
  const std::string log = field(1, 9) + field(2, 02001) + field(3, 5) + field(6, "/log") + field(10, 0100644);
  return kMagic +
         file_entry(7, regular(7, "/data/x", signed_field(7, 320) + field(8, 4096) + field(10, 0100644))) +
         entry(field(1, 2) + field(2, 8) + field(18, field(1, 8))) + file_entry(9, log) +
         file_entry(10, regular(10, "/gone", signed_field(7, -1) + field(8, 3U << 20U)));
}
std::string process(std::uint64_t pid, std::uint64_t ppid, const std::string& threads) {
  return entry(field(1, pid) + field(2, ppid) + field(3, 1) + field(4, 1) + threads);
}
std::string core(const std::string& comm, std::uint64_t state = 1) {
  return kMagic + entry(field(1, 1) + field(2, "registers") + field(3, field(1, state) + field(6, comm)));
}

}  // namespace

TEST_CASE("protobuf: every wire type, and values that end too early") {
  const std::string bytes = field(1, 300) + std::string("\x11\x01\0\0\0\0\0\0\x80", 9) +
                            std::string("\x1d\x02\0\0\0", 5) + field(4, "text") + signed_field(5, -3);
  Message all(bytes);
  CHECK(all.next() == 1);
  CHECK(all.value() == 300);
  CHECK(all.next() == 2);
  CHECK(all.value() == 0x8000000000000001U);
  CHECK(all.next() == 3);
  CHECK(all.value() == 2);
  CHECK(all.next() == 4);
  CHECK(all.bytes() == "text");
  CHECK(all.next() == 5);
  CHECK(all.signed_value() == -3);
  CHECK_FALSE(all.next());
  CHECK(all.whole());
  for (const std::string_view bad : {"\x08", "\x08\xff", "\x0a\x05tex", "\x0b", "\x0d\x01", "\x09\x01",
                                     "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}) {
    Message message(bad);
    CHECK_FALSE(message.next());
    CHECK_FALSE(message.whole());
    CHECK_FALSE(message.next());
  }
  const std::string long_one = field(1, ~std::uint64_t{0});
  Message longest(long_one);
  CHECK(longest.next() == 1);
  CHECK(longest.value() == ~std::uint64_t{0});
}

TEST_CASE("criu images: open files, with and without a size, ghosts") {
  const TempDir dir;
  dir.file("files.img", files_image());
  dir.file("remap-fpath.img", kMagic + entry(field(1, 10) + field(2, 1) + field(3, 1)));
  const auto files = image_regular_files(dir.path());
  REQUIRE(files.size() == 3);
  CHECK(files[0].path == "/data/x");
  CHECK(files[0].size == 4096);
  CHECK(files[0].flags == 2);
  CHECK(files[0].mode == 0100644);
  CHECK(files[0].mount_id == 320);
  CHECK_FALSE(files[0].ghost);
  CHECK(files[1].path == "/log");
  CHECK_FALSE(files[1].size);
  CHECK(files[1].flags == 02001);
  CHECK(files[1].mount_id == -1);
  CHECK(files[2].size == 3U << 20U);
  CHECK(files[2].mount_id == -1);
  CHECK(files[2].ghost);
}

TEST_CASE("criu images: a file that is restored from another of its names has no size of its own") {
  const TempDir dir;
  dir.file("files.img", files_image());
  dir.file("remap-fpath.img", kMagic + entry(field(1, 7) + field(2, 10) + field(3, 0)));
  const auto files = image_regular_files(dir.path());
  REQUIRE(files.size() == 3);
  CHECK_FALSE(files[0].size);
  CHECK_FALSE(files[0].ghost);
  CHECK(files[2].size == 3U << 20U);
}

TEST_CASE("criu images: older CRIU had regular files apart, and ghosts by a bit") {
  const TempDir dir;
  dir.file("reg-files.img", kMagic + entry(regular(1, "/a", "")) + entry(regular(2, "/b", field(9, 1))));
  dir.file("remap-fpath.img",
           kMagic + entry(field(1, 1) + field(2, 1U << 31U | 5U)) + entry(field(1, 2) + field(2, 5)));
  const auto files = image_regular_files(dir.path());
  REQUIRE(files.size() == 2);
  CHECK(files[0].ghost);
  CHECK_FALSE(files[1].ghost);
  CHECK(files[1].external);
  CHECK(files[1].mode == 0);
}

TEST_CASE("criu images: processes with threads, packed or not, and names") {
  const TempDir dir;
  dir.file("pstree.img", kMagic + process(1, 0, field(5, 1) + field(5, 4)) +
                             process(2, 1, field(5, varint(2) + varint(300))));
  dir.file("core-1.img", core("init"));
  const auto processes = image_processes(dir.path());
  REQUIRE(processes.size() == 2);
  CHECK(processes[0].comm == "init");
  CHECK(processes[0].threads == std::vector{1, 4});
  CHECK(processes[1].ppid == 1);
  CHECK(processes[1].comm.empty());
  CHECK(processes[1].threads == std::vector{2, 300});
}

TEST_CASE("criu images: the thread of a process that has ended is its own, whatever CRIU wrote") {
  const TempDir dir;
  const std::string garbage = field(5, 0xfffff000U);
  dir.file("pstree.img",
           kMagic + process(1, 0, field(5, 1)) + process(7, 1, garbage) + process(8, 1, garbage));
  dir.file("core-1.img", core("init"));
  for (const int state : {2, 6}) {  // TASK_DEAD, TASK_ZOMBIE
    dir.file("core-7.img", core("ended", 2));
    dir.file("core-8.img", core("ended", static_cast<std::uint64_t>(state)));
    const auto processes = image_processes(dir.path());
    REQUIRE(processes.size() == 3);
    CHECK(processes[1].threads == std::vector{7});
    CHECK(processes[2].threads == std::vector{8});
    CHECK(processes[2].comm == "ended");
  }
  for (const int state : {1, 3}) {  // TASK_ALIVE, TASK_STOPPED
    dir.file("core-8.img", core("running", static_cast<std::uint64_t>(state)));
    const Error error = error_of([&] { image_processes(dir.path()); });
    CHECK(error.code == ErrorCode::image_invalid);
    CHECK(contains(error.message, "pstree.img"));
  }
}

TEST_CASE("criu images: nothing there says nothing") {
  const TempDir dir;
  CHECK(image_regular_files(dir.path()).empty());
  CHECK(image_processes(dir.path()).empty());
}

TEST_CASE("criu images: cut short at every byte") {
  const TempDir dir;
  const std::string whole = files_image();
  std::size_t shorter = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    dir.file("files.img", std::string_view(whole).substr(0, size));
    try {
      const std::size_t files = image_regular_files(dir.path()).size();
      CHECK(files < 3);  // cut between two entries
      ++shorter;
    } catch (const Error& error) {
      CHECK(error.code == ErrorCode::image_invalid);
      CHECK(contains(error.message, "files.img' is damaged"));
    }
  }
  CHECK(shorter == 4);
}

TEST_CASE("criu images: garbage is an error or an answer, never a crash") {
  const TempDir dir;
  std::uint64_t state = 1;
  for (int round = 0; round < 300; ++round) {
    std::string bytes = round % 2 == 0 ? files_image() : std::string(200, 'x');
    for (int i = 0; i < 9; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      bytes[8 + (state >> 33U) % (bytes.size() - 8)] = static_cast<char>(state >> 25U);
    }
    dir.file("files.img", bytes);
    dir.file("pstree.img", bytes);
    try {
      image_regular_files(dir.path());
      image_processes(dir.path());
    } catch (const Error& error) {
      CHECK(error.code == ErrorCode::image_invalid);
    }
  }
}

TEST_CASE("criu images: a directory or a pipe in place of a file") {
  const TempDir dir;
  fs::create_directory(dir / "files.img");
  CHECK(error_of([&] { image_regular_files(dir.path()); }).code == ErrorCode::image_invalid);
  REQUIRE(::mkfifo((dir / "pstree.img").c_str(), 0600) == 0);
  CHECK(error_of([&] { image_processes(dir.path()); }).code == ErrorCode::image_invalid);
}

TEST_CASE("criu images: a ring of parents is an answer, the same pid twice is damage") {
  const TempDir dir;
  dir.file("pstree.img", kMagic + process(1, 2, "") + process(2, 1, ""));
  CHECK(image_processes(dir.path()).size() == 2);
  dir.file("pstree.img", kMagic + process(1, 0, "") + process(1, 0, ""));
  CHECK(error_of([&] { image_processes(dir.path()); }).code == ErrorCode::image_invalid);
  dir.file("pstree.img", kMagic + process(1U << 31U, 0, ""));
  CHECK(error_of([&] { image_processes(dir.path()); }).code == ErrorCode::image_invalid);
}
