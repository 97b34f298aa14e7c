// Memory, descriptors, sockets and mounts in CRIU's images.
#include <sys/mman.h>

#include "images/criu_descriptors.h"
#include "images/criu_memory.h"
#include "protobuf.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::uint64_t kPrivate = MAP_PRIVATE, kAnonymous = 1U << 9U | 1U, kPrivateFile = 1U << 6U | 1U;

std::uint64_t page() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string vma(std::uint64_t start, std::uint64_t pages, std::uint64_t shmid, std::uint64_t flags,
                std::uint64_t status) {
  return field(14, field(1, start * page()) + field(2, (start + pages) * page()) + field(3, 0) +
                       field(4, shmid) + field(5, PROT_READ | PROT_WRITE) + field(6, flags) +
                       field(7, status) + signed_field(8, -1));
}
std::string run_of(std::uint64_t start, std::uint64_t pages, std::uint64_t flags) {
  return entry(field(1, start * page()) + field(2, 0) + field(4, flags) + field(5, pages));
}
std::string mm_image() {
  return kMagic +
         entry(field(12, 1) + vma(10, 4, 3, kPrivate, kPrivateFile) + vma(14, 100, 0, kPrivate, kAnonymous) +
               vma(200, 30, 0, kPrivate | MAP_GROWSDOWN, kAnonymous) +
               vma(1U << 20U, 1, 0, kPrivate, 1U << 2U));
}

std::string inet_socket(std::uint64_t id, std::uint64_t family, std::uint64_t state, std::uint64_t port,
                        const std::string& addresses) {
  return entry(field(1, 4) + field(2, id) +
               field(4, field(1, id) + field(3, family) + field(4, 1) + field(5, 6) + field(6, state) +
                            field(7, port) + addresses));
}
std::string sockets_image() {
  const std::string loopback6 = field(11, varint(0) + varint(0) + varint(0) + varint(0x01000000));
  return kMagic + inet_socket(5, 2, 10, 8080, field(11, 0x0100007f) + field(12, 0)) +
         inet_socket(6, 10, 1, 80,
                     loopback6 + field(8, 4000) + field(12, 0) + field(12, 0) + field(12, 0) +
                         field(12, 0x01000000)) +
         entry(field(16, field(1, 7) + field(3, 1) + field(4, 10) + field(11, std::string("\0name", 5)))) +
         entry(field(16, field(1, 8) + field(3, 2) + field(4, 7) + field(8, 99) +
                             field(11, std::string("/run/s\0", 7)))) +
         entry(field(7, field(1, 9) + field(3, 0))) +
         entry(field(6, field(1, 10) + field(2, 3) + field(3, 768)));
}
std::string mounts_image() {
  return kMagic +
         entry(field(1, 16) + field(2, 9) + field(4, 1) + field(6, "/") + field(7, "/x") + field(8, "disk") +
               field(9, "") + field(14, "xfs")) +
         entry(field(1, 0) + field(2, 8) + field(4, 1) + field(6, "/srv") + field(7, "/data") +
               field(8, "/dev/vda") + field(9, "discard") + field(18, "/data")) +
         entry(field(1, 5) + field(2, 1) + field(4, 0) + field(6, "/") + field(7, "/") + field(8, "tmpfs") +
               field(9, ""));
}

/// Calls `read` for every beginning of `whole`; each is an answer or Error(image_invalid).
template <class F>
void cut_everywhere(const TempDir& dir, const char* name, const std::string& whole, const F& read) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    dir.file(name, std::string_view(whole).substr(0, size));
    std::optional<ErrorCode> thrown;
    try {
      read();
    } catch (const Error& error) {
      thrown = error.code;
    }
    CHECK((!thrown || *thrown == ErrorCode::image_invalid));
  }
}

}  // namespace

TEST_CASE("criu images: mappings, and what of them is in the image") {
  const TempDir dir;
  dir.file("mm-1.img", mm_image());
  // The first run reaches over two mappings, the second is in the parent.
  dir.file("pagemap-1.img",
           kMagic + entry(field(1, 1)) + run_of(12, 6, 4) + run_of(20, 3, 1) + run_of(229, 9, 6));
  const ImageMemory memory = image_memory(dir.path(), 1);
  REQUIRE(memory.mappings.size() == 3);
  CHECK(memory.mappings[0].kind == "file");
  CHECK(memory.mappings[0].file_id == 3);
  CHECK(memory.mappings[0].in_image == 2 * page());
  CHECK(memory.mappings[1].kind == "anonymous");
  CHECK(memory.mappings[1].in_image == 4 * page());
  CHECK(memory.mappings[1].in_parent == 3 * page());
  CHECK(memory.mappings[2].kind == "stack");
  CHECK(memory.mappings[2].in_image == page());
  CHECK(memory.mapped == 134 * page());
  CHECK(memory.in_image == 7 * page());
  CHECK(memory.in_parent == 3 * page());
}

TEST_CASE("criu images: page maps of older CRIU, and shared memory") {
  const TempDir dir;
  dir.file("mm-1.img", mm_image());
  const std::string old =
      entry(field(1, 14 * page()) + field(2, 2)) + entry(field(1, 16 * page()) + field(2, 5) + field(3, 1));
  dir.file("pagemap-1.img", kMagic + entry(field(1, 1)) + old);
  CHECK(image_memory(dir.path(), 1).in_image == 2 * page());
  CHECK(image_memory(dir.path(), 1).in_parent == 5 * page());
  CHECK(image_shared_memory(dir.path()) == 0);
  dir.file("pagemap-shmem-4.img", kMagic + entry(field(1, 2)) + run_of(0, 8, 4));
  CHECK(image_shared_memory(dir.path()) == 8 * page());
  CHECK(image_memory(dir.path(), 2).mappings.empty());
}

TEST_CASE("criu images: impossible memory") {
  const TempDir dir;
  const auto refused = [&] {
    return error_of([&] { image_memory(dir.path(), 1); }).code == ErrorCode::image_invalid;
  };
  dir.file("mm-1.img", kMagic + entry(vma(1, 5, 0, 2, 1) + vma(4, 5, 0, 2, 1)));
  CHECK(refused());
  dir.file("mm-1.img", kMagic + entry(field(14, field(1, 8192) + field(2, 4096))));
  CHECK(refused());
  dir.file("mm-1.img", mm_image());
  dir.file("pagemap-1.img", kMagic + entry(field(1, 1)) + run_of(1, ~std::uint64_t{0}, 4));
  CHECK(refused());
  dir.file("pagemap-1.img", kMagic + entry(field(1, 1)) + run_of(1, 8, 4) + run_of(2, 8, 4));
  CHECK(refused());
}

TEST_CASE("criu images: descriptors by the process' table") {
  const TempDir dir;
  const std::string fds = kMagic + entry(field(1, 5) + field(2, 1) + field(3, 4) + field(4, 3)) +
                          entry(field(1, 2) + field(2, 0) + field(3, 2) + field(4, 1)) +
                          entry(field(1, 9) + field(2, 0) + field(3, 77) + field(4, 4));
  dir.file("fdinfo-2.img", fds);
  dir.file("ids-1.img", kMagic + entry(field(1, 1) + field(2, 2)));
  const auto found = image_descriptors(dir.path(), 1);
  REQUIRE(found.size() == 3);
  CHECK(found[0].fd == 1);
  CHECK(found[0].type == "pipe");
  CHECK(found[1].type == "inet");
  CHECK(found[1].file_id == 5);
  CHECK(found[1].close_on_exec);
  CHECK(found[2].type == "77");
  CHECK(image_descriptors(dir.path(), 2).size() == 3);  // without ids: by pid
}

TEST_CASE("criu images: sockets of every family") {
  const TempDir dir;
  dir.file("files.img", sockets_image());
  const auto sockets = image_sockets(dir.path());
  REQUIRE(sockets.size() == 6);
  CHECK(sockets[0].family + " " + sockets[0].protocol + " " + sockets[0].state == "inet tcp listen");
  CHECK(sockets[0].local == "127.0.0.1:8080");
  CHECK(sockets[0].remote.empty());
  CHECK(sockets[1].family == "inet6");
  CHECK(sockets[1].state == "established");
  CHECK(sockets[1].local == "[::1]:80");
  CHECK(sockets[1].remote == "[::1]:4000");
  CHECK(sockets[2].local == "@name");
  CHECK(sockets[3].local == "/run/s");
  CHECK(sockets[3].remote == "inode 99");
  CHECK(sockets[4].family == "netlink");
  CHECK(sockets[5].family + " " + sockets[5].type == "packet raw");
}

TEST_CASE("criu images: mounts, parents first, external ones by their name") {
  const TempDir dir;
  dir.file("mountpoints-13.img", mounts_image());
  const auto mounts = image_mounts(dir.path());
  REQUIRE(mounts.size() == 3);
  CHECK(mounts[0].mountpoint == "/");
  CHECK(mounts[0].type == "tmpfs");
  CHECK(mounts[0].external.empty());
  CHECK(mounts[1].external == "/data");
  CHECK(mounts[1].root == "/srv");
  CHECK(mounts[1].type.empty());
  CHECK(mounts[2].type == "xfs");
}

TEST_CASE("criu images: memory, sockets and mounts cut short at every byte") {
  const TempDir dir;
  cut_everywhere(dir, "mm-1.img", mm_image(), [&] { image_memory(dir.path(), 1); });
  cut_everywhere(dir, "files.img", sockets_image(), [&] { image_sockets(dir.path()); });
  cut_everywhere(dir, "mountpoints-1.img", mounts_image(), [&] { image_mounts(dir.path()); });
}

TEST_CASE("criu images: more than any real one has is refused, not held in memory") {
  const TempDir dir;
  dir.file("mountpoints-1.img", kMagic + std::string(4U << 20U, '\0'));
  CHECK(error_of([&] { image_mounts(dir.path()); }).code == ErrorCode::image_invalid);
  std::string empty_mappings;
  for (int i = 0; i < 300'000; ++i) empty_mappings += field(14, "");
  dir.file("mm-1.img", kMagic + entry(empty_mappings));
  CHECK(error_of([&] { image_memory(dir.path(), 1); }).code == ErrorCode::image_invalid);
  fs::remove(dir / "mm-1.img");
  dir.file("files.img", kMagic);
  fs::resize_file(dir / "files.img", std::uintmax_t{1} << 40U);
  CHECK(contains(error_of([&] { image_sockets(dir.path()); }).message, "too large"));
}
