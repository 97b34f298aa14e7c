// Where containers may be, found by looking at files.
#include "runtimes/roots.h"

#include <algorithm>

#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Kinds = std::set<RuntimeKind>;

std::optional<Root> root_at(const std::vector<Root>& roots, const fs::path& path) {
  const auto found = std::find_if(roots.begin(), roots.end(), [&](const Root& r) { return r.path == path; });
  return found == roots.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

TEST_CASE("roots: each runtime's form is told apart") {
  const TempDir dir;
  dir.file("runc-1/state.json");
  dir.file("crun-1/status");
  dir.file("runsc-1_sandbox:box.state");
  dir.file("runsc-1_sandbox:box.lock");
  CHECK(holders(dir.path(), "runc-1") == Kinds{RuntimeKind::runc});
  CHECK(holders(dir.path(), "crun-1") == Kinds{RuntimeKind::crun});
  CHECK(holders(dir.path(), "runsc-1") == Kinds{RuntimeKind::runsc});
  CHECK(holders(dir.path(), "runsc") == Kinds{});
  CHECK(holders(dir.path(), "runsc-1_sandbox") == Kinds{});
  CHECK(holders(dir.path(), "none") == Kinds{});
  CHECK(holders((dir / "none").string(), "x") == Kinds{});
}

TEST_CASE("roots: an id in two forms is held by both") {
  const TempDir dir;
  dir.file("x/state.json");
  dir.file("x_sandbox:x.state");
  CHECK(holders(dir.path(), "x") == Kinds{RuntimeKind::runc, RuntimeKind::runsc});
}

TEST_CASE("roots: what a failed crun left is nobody's") {
  const TempDir dir;
  fs::create_directories(dir / "half");
  CHECK(holders(dir.path(), "half") == Kinds{});
}

TEST_CASE("roots: well-known roots that exist are found, with whose state they hold") {
  const TempDir dir;
  dir.file("run/runc/a/state.json");
  dir.file("run/crun/b/status");
  dir.file("run/gvisor/c_sandbox:c.state");
  dir.file("run/docker/runtime-runc/moby/d/state.json");
  dir.file("run/containerd/runc/k8s.io/e/state.json");
  dir.file("run/containerd/runsc/k8s.io/f_sandbox:p.state");
  dir.file("run/k3s/containerd/runc/k8s.io/g/state.json");
  dir.file("run/crio/crun/h/status");
  dir.file("run/user/1000/crun/i/status");
  fs::create_directories(dir / "run/user/0/runc");
  dir.file("run/runsc", "a file, not a directory");
  const std::vector<Root> roots = known_roots({}, dir.path().string());
  const std::vector<std::pair<std::string, Kinds>> expected = {
      {"run/runc", {RuntimeKind::runc}},
      {"run/crun", {RuntimeKind::crun}},
      {"run/gvisor", {RuntimeKind::runsc}},
      {"run/docker/runtime-runc/moby", {RuntimeKind::runc}},
      {"run/containerd/runc/k8s.io", {RuntimeKind::runc}},
      {"run/containerd/runsc/k8s.io", {RuntimeKind::runsc}},
      {"run/k3s/containerd/runc/k8s.io", {RuntimeKind::runc}},
      {"run/crio/crun", {RuntimeKind::crun}},
      {"run/user/1000/crun", {RuntimeKind::crun}},
      {"run/user/0/runc", {}}};
  CHECK(roots.size() == expected.size());
  for (const auto& [path, kinds] : expected) {
    INFO(path);
    const auto root = root_at(roots, dir / path);
    REQUIRE(root);
    CHECK(root->kinds == kinds);
    CHECK(root->error.empty());
  }
}

TEST_CASE("roots: a directory with two names is listed once, under the first") {
  const TempDir dir;
  dir.file("run/runc/a/state.json");
  fs::create_symlink(dir / "run/runc", dir / "alias");
  const std::vector<Root> roots =
      known_roots({(dir / "alias").string(), (dir / "none").string()}, dir.path().string());
  REQUIRE(roots.size() == 1);
  CHECK(roots[0].path == dir / "alias");
  CHECK(roots[0].kinds == Kinds{RuntimeKind::runc});
}

TEST_CASE("roots: a root with several runtimes' state says so") {
  const TempDir dir;
  dir.file("mixed/a/state.json");
  dir.file("mixed/b/status");
  const std::vector<Root> roots = known_roots({(dir / "mixed").string()}, dir.path().string());
  REQUIRE(roots.size() == 1);
  CHECK(roots[0].kinds == Kinds{RuntimeKind::runc, RuntimeKind::crun});
}

TEST_CASE("roots: one that may not be read is listed with the reason") {
  const TempDir dir;
  fs::create_directories(dir / "closed");
  fs::permissions(dir / "closed", fs::perms::none);
  fs::permissions(dir.path(), fs::perms(0711));
  const pid_t child = fork_with([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 2;
    const std::vector<Root> roots = known_roots({(dir / "closed").string()}, "/nonexistent");
    return roots.size() == 1 && !roots[0].error.empty() && roots[0].kinds.empty() ? 0 : 1;
  });
  CHECK(wait_status(child) == 0);
}
