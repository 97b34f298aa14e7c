// Whether a container could come back: facts in, rows out.
#include "commands/judgement.h"

#include <signal.h>
#include <sys/sysmacros.h>

#include "commands/image_obstacles.h"
#include "protobuf.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Verdict = CheckedItem::Verdict;

std::string failing(const std::vector<CheckedItem>& items) {
  std::string names;
  for (const CheckedItem& item : items)
    if (item.verdict == Verdict::fails) names += (names.empty() ? "" : "; ") + item.item;
  return names;
}

constexpr const char* kTable =
    "85 60 0:40 / / rw,relatime - overlay overlay rw,lowerdir=/l\n"
    "86 85 0:41 / /proc rw,nosuid shared:3 - proc proc rw\n"
    "87 85 8:1 /srv/a\\040b//deleted /etc/a\\040b ro,relatime master:1 - ext4 /dev/sda1 rw\n"
    "88 85 0:44 / /tmp rw shared:12 master:4 propagate_from:2 - tmpfs tmpfs rw\n"
    "89 88 0:44 /gone//deleted /tmp/inner rw - tmpfs tmpfs rw\n";

HostLock held(bool flock, bool write, std::uint64_t start = 0,
              std::optional<std::uint64_t> end = std::nullopt) {
  return {flock, write, 77, 8, 1, 5, start, end};
}
LockOnHost wanted(bool flock, bool write, std::uint64_t start = 0, std::uint64_t length = 0) {
  return {{1, "/mnt/lock", flock, write, start, length}, 8, 1, 5};
}
bool in_the_way(const LockOnHost& lock, const HostLock& other) {
  return !check_locks({lock}, {other}, [](pid_t pid) { return fmt::format("'app' (pid {})", pid); }).empty();
}

}  // namespace

TEST_CASE("judgement: mountinfo with blanks, peer groups and names that are gone") {
  const std::vector<MountLine> mounts = parse_mountinfo(kTable);
  REQUIRE(mounts.size() == 5);
  CHECK(mounts[1] == MountLine{86, 85, "/", "/proc", "proc", 3, false, makedev(0, 41)});
  CHECK(mounts[2] == MountLine{87, 85, "/srv/a b", "/etc/a b", "ext4", 0, true, makedev(8, 1)});
  CHECK(mounts[3].shared == 12);
  CHECK(parse_mountinfo("").empty());
  CHECK(!mounts_of(::getpid()).empty());
}

TEST_CASE("judgement: only what is mounted from the host cannot be mounted again when its name is gone") {
  const std::vector<MountLine> mounts = parse_mountinfo(kTable);
  const auto items = judge_mounts(mounts, {"/etc/a b"});
  CHECK(failing(items) == "mount /etc/a b");
  CHECK(items[0].reason.find("replaced or removed on the host") != std::string::npos);
  CHECK(judge_mounts(mounts, {"/proc", "/tmp"}).empty());
}

TEST_CASE("judgement: a peer group of the host's and the container's own") {
  std::vector<MountedFact> mounts = {
      {"/", true, 2}, {"/dev", false, 4}, {"/proc/keys", true, 4}, {"/mnt", true, 1}};
  const auto items = check_mounted(mounts);
  CHECK(failing(items) == "mounts shared");
  CHECK(items[0].reason.find("'/dev', '/proc/keys'") != std::string::npos);
  mounts[2].shared = 0;
  CHECK(check_mounted(mounts).empty());
  CHECK(check_mounted({{"/a", true, 1}, {"/b", true, 1}}).empty());
  CHECK(check_mounted({{"/a", false, 1}, {"/b", false, 1}}).empty());
}

TEST_CASE("judgement: programs that run from memory") {
  CHECK(judge_programs({{"'a' (pid 1)", "/bin/a"}, {"'b' (pid 2)", "/bin/b (deleted)"}}).empty());
  const auto items = judge_programs({{"'a' (pid 1)", "/memfd:x (deleted)"}});
  CHECK(failing(items) == "programs");
  CHECK(items[0].reason.find("'a' (pid 1)") != std::string::npos);
}

TEST_CASE("judgement: /proc/locks") {
  const auto locks = parse_locks(
      "1: POSIX  ADVISORY  WRITE 12 fe:01:4660 0 EOF\n"
      "2: FLOCK  ADVISORY  READ  -1 00:2b:7 0 EOF\n"
      "2: -> FLOCK  ADVISORY  WRITE 13 00:2b:7 0 EOF\n"
      "3: LEASE  ACTIVE    READ  14 00:2b:8 0 EOF\n"
      "4: OFDLCK ADVISORY  READ  -1 08:01:9 128 255\nnonsense\n5: POSIX\n");
  REQUIRE(locks.size() == 3);
  CHECK(locks[0] == HostLock{false, true, 12, 0xfe, 1, 4660, 0, std::nullopt});
  CHECK(locks[1] == HostLock{true, false, 0, 0, 0x2b, 7, 0, std::nullopt});
  CHECK(locks[2] == HostLock{false, false, 0, 8, 1, 9, 128, 255});
}

TEST_CASE("judgement: locks that exclude each other") {
  CHECK(in_the_way(wanted(true, true), held(true, true)));
  CHECK(in_the_way(wanted(true, false), held(true, true)));
  CHECK(in_the_way(wanted(true, true), held(true, false)));
  CHECK(!in_the_way(wanted(true, false), held(true, false)));
  CHECK(!in_the_way(wanted(true, true), held(false, true)));  // flock and fcntl do not see each other
  CHECK(in_the_way(wanted(false, true, 10, 10), held(false, true, 19, 30)));
  CHECK(!in_the_way(wanted(false, true, 10, 10), held(false, true, 20, 30)));
  CHECK(!in_the_way(wanted(false, true, 31), held(false, true, 20, 30)));
  CHECK(in_the_way(wanted(false, true, 30), held(false, true, 20, 30)));
  CHECK(in_the_way(wanted(false, true), held(false, false, 1U << 30U)));
  HostLock other = held(true, true);
  other.inode = 6;
  CHECK(!in_the_way(wanted(true, true), other));
  const auto items = check_locks({wanted(true, true), wanted(true, true)}, {held(true, true)},
                                 [](pid_t) { return "'app' (pid 77)"; });
  REQUIRE(items.size() == 1);
  CHECK(items[0].reason.find("'/mnt/lock', which 'app' (pid 77)") != std::string::npos);
  CHECK(!items[0].forced);
}

TEST_CASE("judgement: addresses that a network namespace lacks") {
  const std::vector<ImageAddress> bound = {{"10.0.0.2", "tcp 10.0.0.2:80", true},
                                           {"10.0.0.2", "udp 10.0.0.2:53", true},
                                           {"fd00::2", "tcp [fd00::2]:80", false},
                                           {"127.0.0.5", "tcp 127.0.0.5:80", true},
                                           {"224.0.0.251", "udp 224.0.0.251:5353", true}};
  const BindableAddresses host{{"10.0.0.3", "127.0.0.1", "::1"}};
  CHECK(failing(check_addresses(bound, host, false, "this host")) == "address 10.0.0.2; address fd00::2");
  const auto closing = check_addresses(bound, host, true, "the network namespace '/n'");
  REQUIRE(failing(closing) == "address 10.0.0.2");
  CHECK(
      closing[0].reason.find("the network namespace '/n' does not have: tcp 10.0.0.2:80, udp 10.0.0.2:53") !=
      std::string::npos);
  CHECK(failing(check_addresses(bound, BindableAddresses{{"10.0.0.2", "fd00::2"}}, false, "")) ==
        "address 127.0.0.5");
  CHECK(check_addresses(bound, BindableAddresses{{}, true}, false, "").empty());
  CHECK(check_addresses(bound, std::nullopt, false, "").empty());
  CHECK(check_addresses(bound, host, false, "", true)[0].hint.find("or with crun") != std::string::npos);
  CHECK(bindable_addresses("/nonexistent") == std::nullopt);
  CHECK(bindable_addresses("").has_value());
}

TEST_CASE("judgement: huge pages") {
  const TempDir dir;
  CHECK(image_huge_pages(dir.path()).empty());
  const auto vma = [](std::uint64_t flags) {
    return field(14, field(1, 0) + field(2, 4096) + field(6, flags));
  };
  dir.file("pstree.img", kMagic + entry(field(1, 1) + field(2, 0) + field(5, 1)));
  dir.file("mm-1.img", kMagic + entry(vma(0x22) + vma(0x40022) + vma(0x40022 | 21U << 26U)));
  CHECK(image_huge_pages(dir.path()) == std::set<std::uint64_t>{0, 2U << 20U});
  CHECK(check_huge_pages({0, 2U << 20U}, {0, 2U << 20U}).empty());
  const auto items = check_huge_pages({1U << 30U, 2U << 20U}, {0, 2U << 20U});
  CHECK(failing(items) == "huge pages");
  CHECK(items[0].reason.find("1048576 kB") != std::string::npos);
  for (const std::uint64_t size : huge_pages_there()) CHECK((size == 0 || size >= 4096));
}

TEST_CASE("judgement: a cgroup that has processes") {
  CHECK(check_cgroup("/a", {}).empty());
  const auto items = check_cgroup("/a", {"'x' (pid 1)", "'y' (pid 2)", "'z' (pid 3)", "'w' (pid 4)"});
  CHECK(failing(items) == "cgroup /a");
  CHECK(items[0].reason.find("4 processes") != std::string::npos);
  CHECK(items[0].reason.find("'w'") == std::string::npos);
  CHECK(items[0].hint.find("--spec") != std::string::npos);
  CHECK(items[0].forced);
  CHECK(cgroup_directory_of("/a/b") == "/a/b");
  CHECK(cgroup_directory_of("system.slice:runc:x") == "system.slice/runc-x.scope");
  CHECK(cgroup_directory_of("a-b.slice:cri:x") == "a.slice/a-b.slice/cri-x.scope");
  CHECK(cgroup_directory_of("::x") == "system.slice/x.scope");
  CHECK(cgroup_directory_of("-.slice:p:x") == "p-x.scope");
  CHECK(processes_in_cgroup("/").empty());
  CHECK(processes_in_cgroup("/../").empty());
  CHECK(processes_in_cgroup("/ckpt-no-such-cgroup").empty());
}

TEST_CASE("judgement: a first process that dies with its parent") {
  CHECK(check_parent_death(0).empty());
  const auto items = check_parent_death(SIGTERM);
  CHECK(failing(items) == "parent's death");
  CHECK(items[0].reason.find("SIGTERM") != std::string::npos);
}

TEST_CASE("judgement: the claims of CRIU's images") {
  const TempDir dir;
  CHECK(image_locks(dir.path()).empty());
  CHECK(image_addresses(dir.path()).empty());
  CHECK(parent_death_signal(dir.path()) == 0);
  dir.file("pstree.img", kMagic + entry(field(1, 1) + field(2, 0) + field(5, 1)) +
                             entry(field(1, 9) + field(2, 1) + field(5, 9)));
  dir.file("core-1.img", kMagic + entry(field(1, 1) + field(3, field(6, "app")) + field(5, field(8, 15))));
  dir.file("core-9.img", kMagic + entry(field(1, 1) + field(3, field(6, "sub")) + field(5, field(8, 9))));
  CHECK(parent_death_signal(dir.path()) == 15);

  const auto inet = [](std::uint64_t family, std::uint64_t state, const std::string& rest) {
    return entry(field(1, 4) + field(2, 1) +
                 field(4, field(1, 1) + field(3, family) + field(4, 1) + field(5, 6) + field(6, state) +
                              field(7, 80) + rest));
  };
  const std::string mapped = field(11, 0) + field(11, 0) + field(11, 0xffff0000) + field(11, 0x0300000a);
  dir.file("files.img", kMagic + inet(2, 10, field(11, 0)) + inet(2, 10, field(11, 0x0200000a)) +
                            inet(2, 10, field(11, 0x0900000a) + field(16, field(1, 1))) +
                            inet(10, 1, mapped) +
                            entry(field(1, 1) + field(2, 5) + field(3, field(1, 5) + field(6, "/mnt/lock"))));
  const auto addresses = image_addresses(dir.path());
  REQUIRE(addresses.size() == 2);
  CHECK(addresses[0].address + " " + addresses[0].socket == "10.0.0.2 tcp 10.0.0.2:80");
  CHECK(addresses[0].listens);
  CHECK(addresses[1].address == "10.0.0.3");
  CHECK(!addresses[1].listens);

  dir.file("fdinfo-1.img", kMagic + entry(field(1, 5) + field(2, 0) + field(3, 1) + field(4, 3)));
  dir.file("filelocks.img",
           kMagic + entry(field(1, 2) + field(2, 1) + field(3, 1) + field(4, 3) + field(5, 0) + field(6, 0)) +
               entry(field(1, 1) + field(2, 0) + field(3, 1) + field(4, 8) + field(5, 7) + field(6, 3)));
  const auto locks = image_locks(dir.path());
  REQUIRE(locks.size() == 2);
  CHECK(locks[0].path == "/mnt/lock");
  CHECK((locks[0].flock && locks[0].write));
  CHECK((locks[1].path.empty() && !locks[1].flock && !locks[1].write && locks[1].length == 3));
  dir.file("filelocks.img", kMagic + entry("\xff"));
  CHECK(error_of([&] { image_locks(dir.path()); }).code == ErrorCode::image_invalid);
}
