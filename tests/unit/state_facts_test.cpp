// What a restore brings back itself: found in the kernel, kept in state.json, put back.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "commands/container_state.h"
#include "images/criu_descriptors.h"
#include "images/criu_mend.h"
#include "images/state_file.h"
#include "protobuf.h"
#include "runtimes/bound_sockets.h"
#include "runtimes/cgroup_names.h"
#include "runtimes/json.h"
#include "runtimes/links.h"
#include "runtimes/sandbox.h"
#include "runtimes/thread_state.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// A process that has done something and waits for the end of the test.
class Child {
 public:
  explicit Child(const std::function<bool()>& act) {
    const Pipe ready = make_pipe();
    pid_ = fork_with([&] {
      const char done = act() ? '1' : '0';
      if (::write(ready.write.get(), &done, 1) == 1) ::pause();
      return 1;
    });
    char done = '0';
    REQUIRE(::read(ready.read.get(), &done, 1) == 1);
    done_ = done == '1';
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool done() const { return done_; }

 private:
  pid_t pid_ = 0;
  bool done_ = false;
};

Fd bound_to(const fs::path& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return socket;
}

std::uint64_t inode_of(const Fd& socket) {
  struct stat status = {};
  REQUIRE(::fstat(socket.get(), &status) == 0);
  return status.st_ino;
}

BoundSockets own_sockets() {
  return bound_sockets(::getpid(), {::getpid()});
}

}  // namespace

TEST_CASE("links: lo of a new network namespace goes up, with addresses and routes") {
  const Child apart([] { return ::unshare(CLONE_NEWNET) == 0; });
  if (!apart.done()) SKIP("no network namespace can be made");
  const std::string network = fmt::format("/proc/{}/ns/net", apart.pid());
  CHECK(links_in("/proc/self/ns/net").empty());
  CHECK(links_in("/nonexistent").empty());
  const std::vector<LinkFact> before = links_in(network);
  const std::vector<LinkFact> wanted = {{"lo",
                                         true,
                                         {"127.0.0.1/8", "10.1.2.3/32", "fd00::7/128"},
                                         {{"10.9.0.0/16", "", "", 5}, {"10.10.0.0/16", "", "10.1.2.3", 0}}}};
  CHECK(lost_of_links(wanted, before).size() == 6);
  put_links_back(network, wanted);
  const std::vector<LinkFact> after = links_in(network);
  CHECK(lost_of_links(wanted, after).empty());
  put_links_back(network, wanted);
  CHECK(links_in(network) == after);
}

TEST_CASE("links: what is not there is named") {
  const std::vector<LinkFact> before = {
      {"eth0", true, {"10.0.0.2/24", "fe80::1/64"}, {{"0.0.0.0/0", "10.0.0.1", "", 0}}},
      {"eth1", true, {}, {}},
      {"eth2", false, {}, {}}};
  const std::vector<LinkFact> now = {{"eth0", false, {}, {{"0.0.0.0/0", "10.0.0.9", "", 0}}}};
  CHECK(lost_of_links(before, now) ==
        std::vector<std::string>{"the link 'eth0' is down", "'eth0' lacks the address 10.0.0.2/24",
                                 "'eth0' lacks the route to 0.0.0.0/0", "the link 'eth1' is not there"});
  CHECK(lost_of_links(before, before).empty());
}

TEST_CASE("processors: lists") {
  CHECK(cpus_in("0-2,8\n") == std::vector<int>{0, 1, 2, 8});
  CHECK(cpus_in("3") == std::vector<int>{3});
  for (const char* none : {"", "x", "2-1", "-1", "0-99999999", "1,,x"}) CHECK(cpus_in(none).empty());
  CHECK(cpu_list({0, 1, 2, 8, 10, 11}) == "0-2,8,10-11");
  CHECK(cpu_list({}).empty());
}

TEST_CASE("threads: processors and the slack of timers are seen and put back") {
  cpu_set_t all;
  REQUIRE(::sched_getaffinity(0, sizeof all, &all) == 0);
  if (CPU_COUNT(&all) < 2) SKIP("one processor");
  int first = 0;
  while (!CPU_ISSET(first, &all)) ++first;
  const Child child([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    return ::sched_setaffinity(0, sizeof one, &one) == 0 && ::prctl(PR_SET_TIMERSLACK, 333333) == 0;
  });
  REQUIRE(child.done());
  const std::vector<ThreadFact> before = unusual_threads({child.pid()});
  REQUIRE(before.size() == 1);
  CHECK(before[0].cpus == std::to_string(first));
  CHECK(before[0].timer_slack == 333333);
  const Child other([] { return true; });
  std::vector<ThreadFact> asked = before;
  asked[0].tid = other.pid();
  CHECK(put_threads_back({other.pid()}, asked).failed.empty());
  std::vector<ThreadFact> after = unusual_threads({other.pid()});
  REQUIRE(after.size() == 1);
  CHECK(after[0].cpus == before[0].cpus);
  CHECK(after[0].timer_slack == 333333);
  CHECK(put_threads_back({other.pid()}, {}).failed.empty());
  after = unusual_threads({other.pid()});
  CHECK((after.empty() || after[0].cpus.empty()));
  asked[0].cpus = "8000";
  CHECK(put_threads_back({other.pid()}, asked).impossible.size() == 1);
}

TEST_CASE("bound sockets: one that was renamed, linked, deleted, or is where it was") {
  const TempDir dir;
  const Fd stays = bound_to(dir / "stays"), moved = bound_to(dir / "moved.new"),
           linked = bound_to(dir / "l.new"), deleted = bound_to(dir / "deleted"),
           far = bound_to(dir / "far.new");
  fs::create_directory(dir / "other");
  fs::rename(dir / "moved.new", dir / "moved");
  fs::create_hard_link(dir / "l.new", dir / "l");
  fs::remove(dir / "l.new");
  fs::remove(dir / "deleted");
  fs::create_hard_link(dir / "far.new", dir / "other/far");
  fs::remove(dir / "far.new");
  const BoundSockets found = own_sockets();
  std::vector<MovedSocketFact> moved_here;
  for (const MovedSocketFact& one : found.moved)
    if (one.bound.starts_with(dir.path().string())) moved_here.push_back(one);
  std::sort(moved_here.begin(), moved_here.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  CHECK(moved_here == std::vector<MovedSocketFact>{
                          {inode_of(linked), (dir / "l.new").string(), (dir / "l").string()},
                          {inode_of(moved), (dir / "moved.new").string(), (dir / "moved").string()}});
  REQUIRE(found.lost.size() == 1);
  CHECK(contains(found.lost[0], "far.new"));
}

TEST_CASE("bound sockets: symbolic links and relative names are no renaming") {
  const TempDir dir;
  fs::create_directory(dir / "real");
  fs::create_directory_symlink("real", dir / "link");
  const Fd through = bound_to(dir / "link/s");
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  const Fd relative = bound_to("r");
  fs::current_path(before);
  const BoundSockets found = own_sockets();
  CHECK(found.moved.empty());
  CHECK(found.lost.empty());
}

TEST_CASE("a socket's name in CRIU's image, all else as it is") {
  const TempDir dir;
  const auto socket = [](std::uint64_t inode, const std::string& name, const std::string& more) {
    return entry(field(1, 5) + field(2, inode) +
                 field(16, field(1, inode) + field(2, inode) + field(3, 1) + field(11, name) + more));
  };
  const std::string file = entry(field(1, 1) + field(2, 9) + field(3, field(1, 9) + field(6, "/log")));
  const std::string end(1, '\0');
  const std::string image = kMagic + file +
                            socket(7, "/run/s.new" + end, field(14, "/run") + field(15, 1) + field(17, 426)) +
                            socket(8, "/run/t" + end, field(15, 1));
  const std::string wanted =
      kMagic + file + socket(7, "/run/s" + end, field(17, 426)) + socket(8, "/run/t" + end, field(15, 1));
  CHECK(mended_files(image, {{7, "/run/s.new", "/run/s"}}) == wanted);
  CHECK(mended_files(image, {{99, "/run/s.new", "/run/s"}}) == image);
  CHECK(mended_files(image, {}) == image);
  for (std::size_t size = 0; size < image.size(); size += 7)
    if (const auto cut = mended_files(image.substr(0, size), {{7, "", "/x"}})) CHECK(cut->size() <= size + 8);
  dir.file("files.img", image);
  mend_files(dir.path(), {{7, "/run/s.new", "/run/s"}});
  const auto sockets = image_sockets(dir.path());
  REQUIRE(sockets.size() == 2);
  CHECK(sockets[0].local == "/run/s");
  dir.file("files.img", "short");
  CHECK(error_of([&] { mend_files(dir.path(), {{7, "", "/x"}}); }).code == ErrorCode::image_invalid);
}

TEST_CASE("a periodic timerfd that had expired goes on, all else as it is") {
  const auto timer = [](std::uint64_t left, std::uint64_t nanoseconds, std::uint64_t every) {
    return entry(field(1, 17) + field(2, 5) +
                 field(12, field(1, 5) + field(2, 2) + field(5, 1) + field(6, 0) + field(7, left) +
                               field(8, nanoseconds) + field(9, 0) + field(10, every)));
  };
  CHECK(mended_files(kMagic + timer(0, 0, 20'000'000), {}) == kMagic + timer(0, 1, 20'000'000));
  for (const std::string& whole : {timer(0, 0, 0), timer(0, 7, 20'000'000), timer(3, 0, 20'000'000)})
    CHECK(mended_files(kMagic + whole, {}) == kMagic + whole);
}

TEST_CASE("state.json: what is written is read again; damage is told") {
  const TempDir dir;
  CHECK_FALSE(read_state_facts(dir.path()));
  StateFacts facts;
  facts.links = {{"lo", true, {"127.0.0.1/8"}, {{"0.0.0.0/0", "10.0.0.1", "10.0.0.2", 7}}}};
  facts.threads = {{12, "0-1", 0}, {13, "", 77}};
  facts.moved_sockets = {{7, "/a.new", "/a"}};
  facts.sandboxed = {{4, "sleep"}};
  write_state_facts(dir.path(), facts);
  const auto again = read_state_facts(dir.path());
  REQUIRE(again);
  CHECK(again->links == facts.links);
  CHECK(again->threads == facts.threads);
  CHECK(again->moved_sockets == facts.moved_sockets);
  CHECK(again->sandboxed == facts.sandboxed);
  CHECK(to_json(StateFacts()).dump() == "{}");
  for (const char* damaged : {"", "[]x", R"({"links":[{}]})", R"({"threads":[{"tid":"x"}]})"}) {
    dir.file(kStateName, damaged);
    CHECK(error_of([&] { read_state_facts(dir.path()); }).code == ErrorCode::image_invalid);
  }
}

TEST_CASE("who else is in a sandbox") {
  const TempDir dir;
  for (const char* name : {"pod_sandbox:pod.state", "app_sandbox:pod.state", "a_sandbox:b_sandbox:pod.state",
                           "other_sandbox:other.state", "pod_sandbox:pod.lock", "x.state"})
    dir.file(name);
  CHECK(sandbox_neighbours(dir.path().string(), "pod") == std::vector<std::string>{"a_sandbox:b", "app"});
  CHECK(sandbox_neighbours(dir.path().string(), "app") == std::vector<std::string>{"a_sandbox:b", "pod"});
  CHECK(sandbox_neighbours(dir.path().string(), "other").empty());
  CHECK(sandbox_neighbours(dir.path().string(), "none").empty());
  CHECK(sandbox_neighbours("/nonexistent", "pod").empty());
}

TEST_CASE("processes of a sandbox: the children of its first and of nobody") {
  CHECK(sandbox_processes(
            "UID  PID  PPID  C  TTY  STIME  TIME  CMD\n0 1 0 0 ? 20:48 10ms sh\n0 4 1 0 ? 20:48 0s sleep\n"
            "0 5 4 0 ? 20:48 0s cat\n0 6 0 0 ? 20:48 0s sh\n") ==
        std::vector<SandboxedFact>{{4, "sleep"}, {6, "sh"}});
  CHECK(sandbox_processes("PID CMD\n4 sleep\n").empty());
}

TEST_CASE("processes of a sandbox: what is lost of them") {
  using Facts = std::vector<SandboxedFact>;
  const Facts orphan_and_loop = {{5, "sleep"}, {9, "sleep"}};
  CHECK(lost_of_sandbox(orphan_and_loop, orphan_and_loop).empty());
  CHECK(lost_of_sandbox(orphan_and_loop, {{5, "sleep"}, {11, "sleep"}}).empty());
  CHECK(lost_of_sandbox(orphan_and_loop, {{11, "sleep"}}) == Facts{{5, "sleep"}});
  CHECK(lost_of_sandbox(orphan_and_loop, {{9, "sleep"}}) == Facts{{5, "sleep"}});
  CHECK(lost_of_sandbox(orphan_and_loop, {{11, "cat"}}) == orphan_and_loop);
  CHECK(lost_of_sandbox({{9, "sleep"}}, {{9, "cat"}}) == Facts{{9, "sleep"}});
  CHECK(lost_of_sandbox({}, {{11, "cat"}}).empty());
}

TEST_CASE("cgroups: hierarchies that crun does not go together with") {
  CHECK(foreign_hierarchies("2:name=systemd:/\n1:cpu,memory:/a\n0::/\n").empty());
  CHECK(foreign_hierarchies("3:name=zdtmtst:/\n2:name=systemd:/x\n1:name=elogind:/4\n") ==
        std::vector<std::string>{"zdtmtst"});
  CHECK(foreign_hierarchies("").empty());
  CHECK(check_hierarchies("3:name=zdtmtst:/\n").verdict == CheckedItem::Verdict::fails);
  CHECK(check_hierarchies("0::/\n").verdict == CheckedItem::Verdict::same);
}

TEST_CASE("cgroups: a container in the root one is not given to crun's delete") {
  CHECK(in_root_cgroup("0::/\n"));
  CHECK_FALSE(in_root_cgroup("0::/a\n"));
  CHECK(in_root_cgroup("9:name=x:/\n4:cpu,memory:/\n0::/a\n"));
  CHECK_FALSE(in_root_cgroup("9:name=x:/\n4:memory:/c\n0::/\n"));
  CHECK_FALSE(in_root_cgroup("4:cpu:/\n0::/\n"));
  CHECK_FALSE(in_root_cgroup(""));
  const TempDir dir;
  dir.file("7/cgroup", "4:memory:/\n0::/\n");
  dir.file("8/cgroup", "4:memory:/c\n0::/\n");
  const auto refused = [&](const std::string& status) {
    dir.file("root/c/status", status);
    try {
      refuse_root_cgroup((dir / "root").string(), "c", dir.path().string());
      return false;
    } catch (const Error& error) {
      return error.code == ErrorCode::conflict;
    }
  };
  dir.file("7/stat", "7 (a Z) S 1 7 7 0");
  CHECK(refused(R"({"pid":7,"cgroup-path":"/c"})"));
  dir.file("7/stat", "7 (init) Z 1 7 7 0");
  CHECK_FALSE(refused(R"({"pid":7,"cgroup-path":"/c"})"));
  dir.file("7/stat", "7 (init) R 1 7 7 0 -1 4194308 0");
  CHECK_FALSE(refused(R"({"pid":7,"cgroup-path":"/c"})"));
  dir.file("7/stat", "7 (init) S 1 7 7 0 -1 4194304 0");
  CHECK(refused(R"({"pid":7,"cgroup-path":"/c"})"));
  CHECK_FALSE(refused(R"({"pid":8,"cgroup-path":"/c"})"));
  CHECK(refused(R"({"pid":99,"cgroup-path":"/"})"));
  CHECK_FALSE(refused(R"({"pid":7,"cgroup-path":""})"));
  CHECK_FALSE(refused(R"({"pid":99,"cgroup-path":"/c"})"));
  CHECK_FALSE(refused(R"({"pid":7})"));
  CHECK_FALSE(refused("damaged"));
}

namespace {

std::string those(const std::vector<Check>& checks, Check::Status status) {
  std::string names;
  for (const Check& check : checks)
    if (check.status == status) names += (names.empty() ? "" : " ") + check.name;
  return names;
}

}  // namespace

TEST_CASE("obstacles: another container in the sandbox of runsc") {
  const auto judge = [](const StateFindings& found) {
    return state_obstacles("c", table_of(RuntimeKind::runsc), found);
  };
  StateFindings found;
  CHECK(those(judge(found), Check::Status::ok) == kSandboxCheck);
  found.neighbours = {"web", "pause"};
  CHECK(those(judge(found), Check::Status::fails) == kSandboxCheck);
  CHECK(contains(judge(found)[0].found, "web, pause"));
}

TEST_CASE("obstacles: a socket whose file has another name, and links that runc does not bring back") {
  StateFindings found;
  RuntimeKind kind = RuntimeKind::runc;
  const auto judge = [&] { return state_obstacles("c", table_of(kind), found); };
  found.own_network = true;
  CHECK(those(judge(), Check::Status::ok) == "bound-sockets links");
  found.facts.moved_sockets = {{7, "/run/s.new", "/run/s"}};
  CHECK(those(judge(), Check::Status::ok) == "bound-sockets links");
  CHECK(contains(judge()[0].found, "'/run/s.new' as '/run/s'"));
  found.lost_sockets = {"'/run/t' of 'app' (pid 3)"};
  CHECK(those(judge(), Check::Status::fails) == "bound-sockets");
  found.facts.links = {{"lo", true, {}, {}}, {"eth0", true, {}, {}}, {"sit0", false, {}, {}}};
  CHECK(those(judge(), Check::Status::warning) == "links");
  CHECK(judge()[1].found.ends_with("'eth0'"));
  kind = RuntimeKind::crun;
  CHECK(those(judge(), Check::Status::warning).empty());
  kind = RuntimeKind::runc;
  found.own_network = false;
  CHECK(those(judge(), Check::Status::warning).empty());
}
