// What CRIU would give, read from bytes; and that nothing damaged or read otherwise by CRIU passes.
#include "images/criu_privileges.h"

#include <sched.h>

#include "protobuf.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// Both words of a capability set, not packed as CRIU writes them.
std::string capabilities(unsigned number, std::uint32_t low, std::uint32_t high = 0) {
  return field(number, low) + field(number, high);
}
std::string creds(std::uint32_t uid, std::uint32_t bounding, const std::string& more = "") {
  std::string bytes;
  for (unsigned number = 1; number <= 8; ++number) bytes += field(number, uid);
  for (const unsigned set : {9U, 10U, 11U}) bytes += capabilities(set, 1);
  return bytes + capabilities(12, bounding, 0x100) + field(13, 0) + field(14, 5) + field(14, 6) +
         capabilities(19, 0) + more;
}
std::string core(const std::string& rights, std::uint64_t cgroups = 2) {
  return kMagic +
         entry(field(1, 1) + field(3, field(1, 1) + field(6, "sh")) +
               field(5, field(1, 0) + field(10, rights) + field(11, 2) + field(12, 3) + field(16, cgroups)));
}
std::string ids(std::uint64_t first, std::uint64_t user = 100) {
  std::string bytes;
  for (unsigned number = 1; number <= 4; ++number) bytes += field(number, number);
  for (unsigned number = 5; number <= 12; ++number)
    bytes += field(number, number == 10 ? user : first + number);
  return bytes;
}
const std::string kHostIds = ids(0);
std::string inventory(const std::string& host = kHostIds) {
  return std::string("\x14\x43\x58\x58", 4) + entry(field(1, 2) + field(3, host) + field(5, 1));
}
/// Of the sets 2 and 3; the first one is CRIU's.
std::string cgroups(const std::string& first, const std::string& second) {
  const auto set = [](std::uint64_t id, const std::string& path) {
    return field(1, field(1, id) + field(2, field(1, "memory") + field(2, path)));
  };
  return kMagic + entry(set(2, first) + set(3, second));
}

/// A container with one process, 1, that has a thread 7, and a dead one, 9.
struct Images {
  Images() {
    write("pstree.img", kMagic + entry(field(1, 1) + field(2, 0) + field(5, 1) + field(5, 7)) +
                            entry(field(1, 9) + field(2, 1) + field(5, 9)));
    write("core-1.img", core(creds(0, 3, field(18, 1) + field(15, "docker-default"))));
    write("core-7.img", core(creds(1000, 3)));
    write("core-9.img", kMagic + entry(field(1, 1) + field(3, field(1, 6))));
    write("ids-1.img", kMagic + entry(ids(50)));
    write("inventory.img", inventory());
    const std::string program(8, '\x06');
    write("seccomp.img",
          kMagic + entry(field(1, field(1, program)) + field(1, field(1, program)) +
                         field(1, field(1, program)) + field(1, field(1, program) + field(2, 1))));
  }
  void write(const char* name, const std::string& bytes) const { dir.file(name, bytes); }
  ImagePrivileges read() const { return image_privileges(dir.path()); }
  ErrorCode refusal() const {
    return error_of([&] { read(); }).code;
  }
  TempDir dir;
};

}  // namespace

TEST_CASE("privileges: rights of every thread of living processes") {
  const Images images;
  const ImagePrivileges found = images.read();
  REQUIRE(found.threads.size() == 2);
  CHECK(found.threads[0] == ImageRights{.tid = 1,
                                        .uids = {0},
                                        .gids = {0},
                                        .groups = {5, 6},
                                        .inheritable = 1,
                                        .permitted = 1,
                                        .effective = 1,
                                        .bounding = 3 | 0x100ULL << 32U,
                                        .no_new_privileges = true,
                                        .seccomp_mode = 2,
                                        .seccomp_filter = 3,
                                        .lsm_profile = "docker-default"});
  CHECK(found.threads[1].uids == std::set<std::uint32_t>{1000});
  CHECK_FALSE(found.threads[1].no_new_privileges);
  CHECK(found.shared_namespaces == std::set<std::string>{"user"});
  CHECK(found.cgroups.empty());
  CHECK_FALSE(found.security_policies);
}

TEST_CASE("privileges: a namespace whose id is the host's is the host's, of a process or of a descriptor") {
  const Images images;
  std::string mixed;  // network and mount as the host's, ids that are left out too
  const std::vector<std::pair<unsigned, std::uint64_t>> there = {{5, 55}, {6, 6}, {7, 57},
                                                                 {8, 58}, {9, 9}, {10, 100}};
  for (const auto& [number, id] : there) mixed += field(number, id);
  images.write("inventory.img", inventory(field(5, 5) + field(6, 6) + field(7, 7) + field(8, 8) +
                                          field(9, 9) + field(10, 100)));
  images.write("ids-1.img", kMagic + entry(mixed));
  CHECK(images.read().shared_namespaces ==
        std::set<std::string>{"network", "mount", "user", "cgroup", "time"});
  images.write("inventory.img", inventory());
  images.write("ids-1.img", kMagic + entry(ids(50)));
  images.write("files.img",
               kMagic + entry(field(1, 14) + field(2, 1) +
                              field(5, field(1, 1) + field(2, 9) + field(3, CLONE_NEWNS) + field(4, 0))));
  CHECK(images.read().shared_namespaces == std::set<std::string>{"mount", "user"});
  images.write("files.img",
               kMagic + entry(field(1, 14) + field(2, 1) +
                              field(5, field(1, 1) + field(2, 59) + field(3, CLONE_NEWNS) + field(4, 0))));
  CHECK(images.read().shared_namespaces == std::set<std::string>{"user"});
}

TEST_CASE("privileges: a user namespace and its mappings") {
  const Images images;
  images.write("ids-1.img", kMagic + entry(ids(50, 777)));
  CHECK(images.refusal() == ErrorCode::image_invalid);  // without the mappings
  images.write("userns-777.img", kMagic + entry(field(1, field(1, 0) + field(2, 100000) + field(3, 65536)) +
                                                field(2, field(1, 0) + field(2, 5) + field(3, 1))));
  const ImagePrivileges found = images.read();
  CHECK_FALSE(found.shared_namespaces.contains("user"));
  CHECK(found.uid_map == std::set<IdRange>{{0, 100000, 65536}});
  CHECK(found.gid_map == std::set<IdRange>{{0, 5, 1}});
}

TEST_CASE("privileges: cgroups beside those of the first process") {
  const Images images;
  const auto beside = [&](const char* first, const char* second) {
    images.write("cgroup.img", cgroups(first, second));
    return images.read().foreign_cgroups;
  };
  CHECK(beside("/c", "/d").empty());  // nobody is in the second
  CHECK(images.read().cgroups == std::vector<std::string>{"/c"});
  images.write("core-7.img", core(creds(0, 3), 3));
  CHECK(beside("/c", "/c/inner").empty());
  CHECK(beside("/m/init.scope", "/m/system.slice/x.service").empty());
  for (const char* other : {"/", "/cc", "/d"}) CHECK(beside("/c", other) == std::vector<std::string>{other});
  for (const char* up : {"/c/../..", "c", "../x"}) {
    images.write("cgroup.img", cgroups("/c", up));
    CHECK(images.refusal() == ErrorCode::image_invalid);
  }
  images.write("cgroup.img", cgroups("/c", "/c"));
  images.write("core-7.img", core(creds(0, 3), 1));
  CHECK(images.read().foreign_cgroups == std::vector<std::string>{"that of CRIU"});
  images.write("core-7.img", core(creds(0, 3), 4));
  CHECK(images.refusal() == ErrorCode::image_invalid);
}

TEST_CASE("privileges: what is missing, cut short or read otherwise by CRIU is damaged") {
  const auto refused = [](const char* name, const std::string& bytes) {
    const Images images;
    images.write(name, bytes);
    INFO(name);
    return images.refusal() == ErrorCode::image_invalid;
  };
  CHECK(refused("core-7.img", ""));
  CHECK(refused("core-7.img", kMagic));
  CHECK(refused("core-1.img", core(creds(0, 3)).substr(0, 60)));
  // No rights, in a file of their own as old CRIU had them; two words too many; a number that CRIU would cut.
  CHECK(refused("core-1.img", kMagic + entry(field(1, 1) + field(3, field(1, 1)) + field(5, field(1, 0)))));
  CHECK(refused("core-1.img", core(creds(0, 3, capabilities(12, 0)))));
  CHECK(refused("core-1.img", core(creds(0, 3, field(1, 1ULL << 32U)))));
  CHECK(refused("core-1.img", core(field(1, 0))));
  CHECK(refused("inventory.img", std::string("\x14\x43\x58\x58", 4) + entry(field(1, 2))));
  CHECK(refused("ids-1.img", kMagic + entry(field(5, 1ULL << 32U))));
  CHECK(refused("pstree.img", kMagic));
  CHECK(refused("pstree.img", kMagic + entry(field(1, 5) + field(2, 0))));
  for (const char* name : {"core-1.img", "core-7.img", "ids-1.img", "inventory.img", "core-9.img"}) {
    const Images images;
    fs::remove(images.dir / name);
    CHECK(images.refusal() == ErrorCode::image_invalid);
  }
}

TEST_CASE("privileges: the filters, in the order in which they were installed") {
  const Images images;
  const ImagePrivileges found = images.read();
  REQUIRE(found.filters.size() == 4);
  CHECK(found.filters[3].before == 1);
  CHECK_FALSE(found.filters[2].before);
  CHECK(found.filters[0].program == SeccompFilter{{0x606, 6, 6, 0x06060606}});
  const auto refused = [](const std::string& filters) {
    const Images broken;
    broken.write("seccomp.img", kMagic + entry(filters));
    return broken.refusal() == ErrorCode::image_invalid;
  };
  const std::string good = field(1, field(1, std::string(8, '\x06')));
  CHECK(refused(good + good + good));  // a thread has the fourth
  CHECK(refused(good + good + good + field(1, field(1, std::string(7, 'x')))));
  CHECK(refused(good + good + good + field(1, field(1, std::string(8, 'x')) + field(2, 3))));
  fs::remove(images.dir / "seccomp.img");
  CHECK(images.refusal() == ErrorCode::image_invalid);
}

TEST_CASE("privileges: only the first message of a core counts, and a message in two parts is one") {
  const Images images;
  images.write("core-1.img", core(creds(0, 3)) + entry(field(1, 1)));
  CHECK(images.read().threads[0].bounding == (3 | 0x100ULL << 32U));
  // The mode of the second part wins, the capabilities of the first stay.
  images.write("core-1.img", kMagic + entry(field(1, 1) + field(3, field(1, 1)) +
                                            field(5, field(1, 0) + field(10, creds(0, 3)) + field(11, 2)) +
                                            field(5, field(11, 0))));
  const ImagePrivileges found = images.read();
  CHECK(found.threads[0].seccomp_mode == 0);
  CHECK(found.threads[0].permitted == 1);
}
