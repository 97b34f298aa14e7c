// Compressed files: there and back, hostile ones, full disks; and what is chosen from what was measured.
#include "images/compression.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zstd.h>

#include <random>

#include "images/compressed_image.h"
#include "images/digest.h"
#include "images/threads.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::string random_bytes(std::size_t size) {
  std::mt19937_64 source(7);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = source();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, &bytes[i]);
  }
  return bytes;
}

std::string text_bytes(std::size_t size) {
  std::string bytes;
  for (int line = 0; bytes.size() < size; ++line) bytes += "line " + std::to_string(line) + "\n";
  bytes.resize(size);
  return bytes;
}

std::string content(const fs::path& path) {
  return *read_file(path, 1U << 30U);
}

/// One zstd frame of `data`.
std::string frame(const std::string& data, bool says_size = true) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, says_size ? 1 : 0);
  std::string out(ZSTD_compressBound(data.size()), '\0');
  out.resize(ZSTD_compress2(context, out.data(), out.size(), data.data(), data.size()));
  ZSTD_freeCCtx(context);
  return out;
}

/// The frame that `text` begins with.
std::size_t first_frame(const std::string& text) {
  return ZSTD_findFrameCompressedSize(text.data(), text.size());
}

/// There and back at that level.
void check_round_trip(const std::string& data, int level) {
  const TempDir dir;
  dir.file("a", data);
  const PackedFile packed = pack_file(dir / "a", dir / "a.zst", level);
  CHECK(packed.unpacked == data.size());
  CHECK(packed.size == fs::file_size(dir / "a.zst"));
  CHECK(packed.xxh3 == digest_of_file(dir / "a.zst"));
  unpack_file(dir / "a.zst", dir / "b", data.size());
  CHECK(content(dir / "b") == data);
  CHECK(read_packed(dir / "a.zst", 1U << 30U) == data);
  CHECK(read_packed(dir / "a.zst", 5) == data.substr(0, 5));
  // As another program sees it: frames one after the other.
  std::string plain(data.size() + 1, '\0');
  const std::string stored = content(dir / "a.zst");
  CHECK(ZSTD_decompress(plain.data(), plain.size(), stored.data(), stored.size()) == data.size());
  CHECK(plain.substr(0, data.size()) == data);
}

/// Unpacking `stored` fails as damage, and leaves nothing.
Error check_damaged(const std::string& stored, std::uint64_t unpacked) {
  const TempDir dir;
  dir.file("a.zst", stored);
  Error error = error_of([&] { unpack_file(dir / "a.zst", dir / "b", unpacked); });
  CHECK(error.code == ErrorCode::image_invalid);
  CHECK(contains(error.message, "'" + (dir / "a.zst").string() + "'"));
  CHECK_FALSE(fs::exists(dir / "b"));
  return error;
}

std::string packed_text(const std::string& data) {
  const TempDir dir;
  dir.file("a", data);
  pack_file(dir / "a", dir / "a.zst", 3);
  return content(dir / "a.zst");
}

}  // namespace

TEST_CASE("compression: there and back at every size around a chunk, of every kind") {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4097}, kChunk - 1, kChunk, kChunk + 1, 3 * kChunk}) {
    INFO(size << " bytes");
    for (const std::string& data : {random_bytes(size), text_bytes(size), std::string(size, '\0')})
      check_round_trip(data, 3);
  }
}

TEST_CASE("compression: every level") {
  const std::string data = text_bytes(kChunk + 12345);
  for (int level = kLeastLevel; level <= kMostLevel; ++level) check_round_trip(data, level);
}

TEST_CASE("compression: many chunks of different speed keep their order") {
  std::string data;
  for (int i = 0; i < 12; ++i) data += i % 3 == 0 ? random_bytes(kChunk) : text_bytes(kChunk);
  data += "the end";
  check_round_trip(data, 1);
}

TEST_CASE("compression: a sparse file of 64 MiB comes back sparse") {
  constexpr std::uint64_t kSize = 64U << 20U;
  const TempDir dir;
  dir.file("a", "at the beginning");
  fs::resize_file(dir / "a", kSize - 3);
  std::ofstream(dir / "a", std::ios::app) << "end";
  const PackedFile packed = pack_file(dir / "a", dir / "a.zst", 3);
  CHECK(packed.size < 64U << 10U);
  unpack_file(dir / "a.zst", dir / "b", kSize);
  CHECK(digest_of_file(dir / "a") == digest_of_file(dir / "b"));
  struct stat stat = {};
  REQUIRE(::stat((dir / "b").c_str(), &stat) == 0);
  CHECK(stat.st_blocks * 512 <= static_cast<long>(3 * kChunk));
}

TEST_CASE("compression: cut short anywhere") {
  const std::string data = text_bytes(2 * kChunk + 1000), whole = packed_text(data);
  const std::size_t first = first_frame(whole);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{10}, first - 1,
                                 first, first + 1, first + 9, whole.size() - 1})
    check_damaged(whole.substr(0, size), data.size());
  for (std::size_t size = 13; size < whole.size(); size += whole.size() / 61)
    check_damaged(whole.substr(0, size), data.size());
}

TEST_CASE("compression: a changed byte anywhere is found, by the frames' checksums") {
  const std::string data = text_bytes(kChunk + 1000), whole = packed_text(data);
  for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 211) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    INFO("byte " << at);
    check_damaged(changed, data.size());
  }
}

TEST_CASE("compression: garbage, and frames that lie") {
  const std::string data = text_bytes(2 * kChunk), whole = packed_text(data);
  check_damaged("this is no zstd", 100);
  check_damaged(random_bytes(3 * kChunk), 3 * kChunk);
  check_damaged(std::string(100, '\0'), 100);
  CHECK(contains(check_damaged(whole, data.size() - 1).message, "does not hold the"));
  CHECK(contains(check_damaged(whole, data.size() + 1).message, "does not hold the"));
  CHECK(contains(check_damaged(whole + whole, data.size()).message, "does not hold the"));
  check_damaged(whole + "more", data.size());
  check_damaged(frame(text_bytes(2 * kChunk)), 2 * kChunk);
  check_damaged(frame("does not say how much it is", false), 27);
  check_damaged(frame("small") + frame("and another one"), 20);
  // Magic number, a descriptor of an eight byte content size in a single segment, and 1 TB.
  const std::string huge("\x28\xB5\x2F\xFD\xE0\0\0\0\0\0\1\0\0\x01\0\0", 16);
  REQUIRE(ZSTD_getFrameContentSize(huge.data(), huge.size()) == 1ULL << 40U);
  check_damaged(huge, 1ULL << 40U);
  check_damaged(huge, 10);
}

TEST_CASE("compression: empty frames without end are read to the end of the file") {
  std::string many;
  for (int i = 0; i < 100000; ++i) many += frame("");
  check_damaged(many, 1);
}

TEST_CASE("compression: what is no file, or cannot be written, is told and leaves nothing") {
  const TempDir dir;
  dir.file("a", text_bytes(3 * kChunk));
  CHECK(error_of([&] { pack_file(dir / "none", dir / "x", 3); }).message ==
        "cannot read '" + (dir / "none").string() + "': no such file or directory");
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK(error_of([&] { read_packed(dir / "fifo", 10); }).code == ErrorCode::image_invalid);
  CHECK(error_of([&] { unpack_file(dir / "fifo", dir / "x", 10); }).code == ErrorCode::image_invalid);
  CHECK_FALSE(fs::exists(dir / "x"));
  dir.file("there", "before");
  CHECK(contains(error_of([&] { pack_file(dir / "a", dir / "there", 3); }).message, "file exists"));
  CHECK(content(dir / "there") == "before");
}

TEST_CASE("compression: a limit in the middle of writing ends all threads with that error") {
  const TempDir dir;
  dir.file("random", random_bytes(8 * kChunk));
  dir.file("text", text_bytes(8 * kChunk));
  pack_file(dir / "text", dir / "text.zst", 1);
  const pid_t child = fork_with([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2 * kChunk, 2 * kChunk};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    try {
      pack_file(dir / "random", dir / "random.zst", 1);
      return 2;
    } catch (const Error& error) {
      if (!contains(error.message, "random.zst': file too large")) return 3;
    }
    try {
      unpack_file(dir / "text.zst", dir / "unpacked", 8 * kChunk);
      return 4;
    } catch (const Error& error) {
      if (!contains(error.message, "unpacked': file too large")) return 5;
    }
    return 0;
  });
  CHECK(wait_status(child) == 0);
  CHECK_FALSE(fs::exists(dir / "random.zst"));
  CHECK_FALSE(fs::exists(dir / "unpacked"));
}

TEST_CASE("threads: the first error comes out, after the others were told to stop") {
  std::atomic<bool> stopped{false};
  std::atomic<int> ended{0};
  const auto work = [&] {
    if (ended++ == 0) throw Error(ErrorCode::timeout, "this one");
    while (!stopped) std::this_thread::yield();
  };
  CHECK(error_of([&] { on_threads(4, work, [&] { stopped = true; }); }).message == "this one");
  CHECK(ended == 4);
  CHECK(thread_count(0) == 1);
  CHECK(thread_count(1) == 1);
}

TEST_CASE("compression: methods and levels") {
  CHECK(zstd_level("zstd") == 3);
  CHECK(zstd_level("zstd:1") == 1);
  CHECK(zstd_level("zstd:19") == 19);
  for (const char* wrong : {"", "none", "auto", "zstd:", "zstd:0", "zstd:20", "zstd:-1", "zstd:3x", "zstd: 3",
                            "zstd:03", "zstd:99999999999999999999", "zstdx"})
    CHECK_FALSE(zstd_level(wrong));
  CHECK(compressed_by_ckpt("auto"));
  CHECK(compressed_by_ckpt("zstd:7"));
  CHECK_FALSE(compressed_by_ckpt("none"));
  CHECK_FALSE(compressed_by_ckpt("flate-best-speed"));
  CHECK_FALSE(compressed_by_ckpt(std::nullopt));
  CHECK(CompressionChoice{}.text() == "none");
  CHECK(CompressionChoice{7}.text() == "zstd:7");
}

TEST_CASE("compression: auto takes what is on the disk first, the smaller one of two that are alike") {
  const auto best = [](double disk, double fast, double fast_ratio, double thorough, double thorough_ratio) {
    return best_level({disk * 1e6, fast * 1e6, fast_ratio, thorough * 1e6, thorough_ratio});
  };
  CHECK(best(100, 800, 0.4, 500, 0.35) == 3);              // a slow disk: the ratio counts
  CHECK(best(1000, 1600, 0.5, 600, 0.45) == 1);            // level 3 would be slower than the disk
  CHECK(best(3000, 800, 0.4, 500, 0.35) == std::nullopt);  // the processors are slower than the disk
  CHECK(best(500, 2000, 0.50, 460, 0.49) == 1);
  CHECK(best(100, 2000, 1.001, 1500, 1.0001) == std::nullopt);  // random
  CHECK(best(100, 2000, 0.99, 1500, 0.98) == 3);
  CHECK(best(1000, 1000, 0.5, 1000, 0.5) == 1);  // the same: the cheaper one
  CHECK(best(0, 800, 0.4, 500, 0.35) == std::nullopt);
  CHECK(best(100, 0, 0.4, 500, 0.35) == std::nullopt);
}

TEST_CASE("compression: an image, with its chain of pre-dumps, there and back") {
  const TempDir dir;
  const std::string pages = text_bytes(3 * kChunk), noise = random_bytes(100000);
  const fs::path made = dir / "made";
  dir.file("made/checkpoint/pages-1.img", pages);
  dir.file("made/checkpoint/noise.img", noise);
  dir.file("made/checkpoint/small.img", "small");
  dir.file("made/checkpoint/deep/er.img", pages.substr(0, 5000));
  dir.file("made/pre-1/pages-1.img", pages.substr(1000));
  dir.file("made/rootfs-diff.tar", pages);
  fs::create_symlink("../pre-1", made / "checkpoint/parent");
  Image image{made, Manifest{}};
  compress_image(made, "checkpoint", 3, image.manifest->files);
  std::vector<std::string> paths;
  for (const ImageFile& file : image.manifest->files) {
    paths.push_back(file.path);
    CHECK(file.size == fs::file_size(made / file.path));
    CHECK(file.xxh3 == digest_of_file(made / file.path));
  }
  std::sort(paths.begin(), paths.end());
  CHECK(paths == std::vector<std::string>{"checkpoint/deep/er.img.zst", "checkpoint/pages-1.img.zst",
                                          "pre-1/pages-1.img.zst"});
  CHECK(fs::exists(made / "rootfs-diff.tar"));
  CHECK(is_compressed(image));
  const fs::path place = unpacking_place(dir.path());
  CHECK(is_unpacking_place(place));
  unpack_image(image, place);
  CHECK(content(place / "checkpoint/pages-1.img") == pages);
  CHECK(content(place / "checkpoint/deep/er.img") == pages.substr(0, 5000));
  CHECK(content(place / "checkpoint/noise.img") == noise);
  CHECK(fs::hard_link_count(place / "checkpoint/small.img") == 2);
  CHECK(content(place / "checkpoint/parent/pages-1.img") == pages.substr(1000));
  CHECK(fs::is_symlink(place / "checkpoint/parent"));
  CHECK_FALSE(fs::exists(place / "rootfs-diff.tar"));
}

TEST_CASE("compression: hostile images stay where they are") {
  const TempDir dir;
  dir.file("made/checkpoint/a", "there");
  dir.file("made/checkpoint/a.zst", packed_text(text_bytes(5000)));
  Image image{dir / "made", Manifest{}};
  image.manifest->files = {{"checkpoint/a.zst", 1, "", 5000}};
  CHECK(error_of([&] { unpack_image(image, dir / "1"); }).code == ErrorCode::runtime_failed);
  for (const char* images : {"", ".", "..", "../made", "/etc", "checkpoint/."}) {
    image.manifest->images = images;
    CHECK(error_of([&] { unpack_image(image, dir / "2"); }).code == ErrorCode::image_invalid);
  }
  image.manifest->images = "checkpoint";
  image.manifest->files[0].unpacked = ~std::uint64_t{0};
  CHECK(contains(error_of([&] { unpack_image(image, dir / "3"); }).message, "no space left"));
  for (const char* path :
       {"", "/", "/tmp/x", "/store/restore", "/store/restore/xyz", "restore/0123456789abcdef",
        "/store/restore/../0123456789abcdef", "/store/restore/0123456789abcdeg"})
    CHECK_FALSE(is_unpacking_place(path));
}
