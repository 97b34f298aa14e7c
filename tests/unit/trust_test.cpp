// Who could have put there what is at a path: owners, modes, links, and what stands above.
#include "runtimes/trust.h"

#include <sys/stat.h>

#include "gpu/cdi.h"
#include "images/imported.h"
#include "images/private_copy.h"
#include "images/store.h"
#include "runtimes/engines.h"
#include "runtimes/json.h"
#include "runtimes/own_proc.h"
#include "runtimes/roots.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr uid_t kStranger = 60001, kOther = 60002;

struct Tree : TempDir {
  Tree() {
    if (::geteuid() != 0) SKIP("only root can give files away");
    fs::permissions(path(), fs::perms(0755));
  }
  std::string directory(const fs::path& name, mode_t mode = 0755, uid_t owner = 0) const {
    fs::create_directories(*this / name);
    give(name, owner);
    ::chmod((*this / name).c_str(), mode);
    return (*this / name).string();
  }
  std::string file_of(const fs::path& name, uid_t owner, std::string_view text = "") const {
    const std::string whole = file(name, text);
    give(name, owner);
    return whole;
  }
  std::string link(const fs::path& name, const fs::path& target, uid_t owner = 0) const {
    fs::create_symlink(target, *this / name);
    give(name, owner);
    return (*this / name).string();
  }
  void give(const fs::path& name, uid_t owner) const {
    REQUIRE(::lchown((*this / name).c_str(), owner, owner) == 0);
  }
};

}  // namespace

TEST_CASE("trust: root's own below root's own is trusted, and so is what is not there yet", "[trust]") {
  const Tree tree;
  tree.file("a/b/file");
  CHECK(is_trusted(tree / "a/b/file"));
  CHECK(is_trusted(tree / "a/b"));
  CHECK(is_trusted(tree / "a/b/none/of/this"));
  CHECK(is_trusted(tree / "a/b/file/none"));
  CHECK(is_trusted("/"));
  CHECK(is_trusted("/proc/self/exe"));
}

TEST_CASE("trust: what belongs to another, or stands below it, is not", "[trust]") {
  const Tree tree;
  tree.directory("theirs", 0755, kStranger);
  tree.file("theirs/file");
  const std::string theirs = (tree / "theirs").string();
  const std::string why = fmt::format("'{}' belongs to another user, {}", theirs, kStranger);
  CHECK(why_not_trusted(theirs) == why);
  CHECK(why_not_trusted(tree / "theirs/file") == why);
  CHECK(why_not_trusted(tree / "theirs/none") == why);
  tree.file_of("ours/file", kStranger);
  CHECK(is_trusted(tree / "ours"));
  CHECK_FALSE(is_trusted(tree / "ours/file"));
}

TEST_CASE("trust: whoever runs ckpt is trusted beside root, and nobody else", "[trust]") {
  const Tree tree;
  tree.directory("theirs", 0700, kStranger);
  tree.file_of("theirs/file", kStranger);
  tree.file_of("theirs/roots", 0);
  CHECK_FALSE(why_not_trusted(tree / "theirs/file", kStranger));
  CHECK_FALSE(why_not_trusted(tree / "theirs/roots", kStranger));
  CHECK(why_not_trusted(tree / "theirs/file", kOther));
}

TEST_CASE("trust: what others can write is not trusted, with the one exception of sticky ones above",
          "[trust]") {
  const Tree tree;
  for (const mode_t mode : {0775U, 0757U, 0777U, 0720U, 02775U}) {
    INFO(fmt::format("{:o}", mode));
    const std::string name = fmt::format("d{:o}", mode);
    tree.directory(name, mode);
    tree.directory(fs::path(name) / "below");
    CHECK_FALSE(is_trusted(tree / name));
    CHECK_FALSE(is_trusted(tree / name / "below"));
  }
  CHECK(why_not_trusted(tree / "d775") ==
        fmt::format("'{}' can be written by a group", (tree / "d775").string()));
  CHECK(why_not_trusted(tree / "d777") ==
        fmt::format("'{}' can be written by everybody", (tree / "d777").string()));
  ::chmod(tree.file("file").c_str(), 0666);
  CHECK_FALSE(is_trusted(tree / "file"));
  tree.directory("tmp", 01777);
  tree.directory("tmp/ours");
  tree.directory("tmp/theirs", 0755, kStranger);
  tree.directory("group", 01770);
  tree.directory("group/ours");
  CHECK(is_trusted(tree / "tmp/ours"));
  CHECK(is_trusted(tree / "tmp/none"));
  CHECK(is_trusted(tree / "group/ours"));
  CHECK_FALSE(is_trusted(tree / "tmp/theirs"));
  CHECK_FALSE(is_trusted(tree / "tmp"));
}

TEST_CASE("trust: a link is judged by who made it, by where it leads, and on the way", "[trust]") {
  const Tree tree;
  tree.directory("ours");
  tree.directory("theirs", 0755, kStranger);
  tree.directory("tmp", 01777);
  tree.link("absolute", tree / "ours");
  tree.link("relative", "ours");
  tree.link("up", "theirs/../ours");
  tree.link("to-theirs", "theirs");
  tree.link("from-theirs", "ours", kStranger);
  tree.link("tmp/planted", tree / "ours", kStranger);
  tree.link("tmp/our-own", tree / "ours");
  tree.link("dangling", "none");
  tree.link("loop", "loop");
  CHECK(is_trusted(tree / "absolute"));
  CHECK(is_trusted(tree / "relative/x"));
  CHECK(is_trusted(tree / "tmp/our-own"));
  CHECK(is_trusted(tree / "dangling"));
  CHECK_FALSE(is_trusted(tree / "up"));
  CHECK_FALSE(is_trusted(tree / "to-theirs"));
  CHECK_FALSE(is_trusted(tree / "to-theirs/none"));
  CHECK_FALSE(is_trusted(tree / "from-theirs"));
  CHECK_FALSE(is_trusted(tree / "tmp/planted/x"));
  CHECK_FALSE(is_trusted(tree / "loop"));
}

TEST_CASE("trust: a place that is needed is refused as wrong use, with the reason", "[trust]") {
  const Tree tree;
  const std::string theirs = tree.directory("store", 0755, kStranger);
  const Error error = error_of([&] { require_trusted("the store", theirs); });
  CHECK(error.code == ErrorCode::usage);
  CHECK(error.message == fmt::format("the store '{}' is not used: '{}' belongs to another user, {}", theirs,
                                     theirs, kStranger));
}

TEST_CASE("trust: roots of other users are left out, and counted when something is in them", "[trust]") {
  const Tree tree;
  tree.file("run/runc/mine/state.json");
  tree.directory("run/user/60001", 0700, kStranger);
  tree.file("run/user/60001/crun/x/status");
  fs::create_directories(tree / "run/user/60001/runc");
  tree.directory("run/user/60002", 0700, kOther);
  fs::create_directory_symlink(tree / "run/runc", tree / "run/user/60002/runc");
  tree.directory("run/crun", 0777);
  tree.file("run/crun/y/status");
  const std::string prefix = tree.path().string();
  const std::vector<Root> roots = known_roots({}, prefix);
  REQUIRE(roots.size() == 1);
  CHECK(roots[0].path == prefix + "/run/runc");
  CHECK(foreign_roots(prefix) == std::vector<std::string>{prefix + "/run/crun",
                                                          prefix + "/run/user/60002/runc",
                                                          prefix + "/run/user/60001/crun"});
  const std::string named = prefix + "/run/user/60001/crun";
  CHECK(known_roots({named}, prefix).size() == 2);
}

TEST_CASE("trust: the program that an engine calls is known only from a file that is trusted", "[trust]") {
  const Tree tree;
  const fs::path bundle = tree / "io.containerd.runtime.v2.task/ns/x";
  tree.file("io.containerd.runtime.v2.task/ns/x/options.json", R"({"binary_name":"/opt/runc"})");
  REQUIRE(engine_of(bundle, nlohmann::json::object()));
  CHECK(engine_of(bundle, nlohmann::json::object())->runtime_binary == "/opt/runc");
  tree.give("io.containerd.runtime.v2.task/ns/x/options.json", kStranger);
  CHECK(engine_of(bundle, nlohmann::json::object())->runtime_binary.empty());
}

TEST_CASE("trust: no state holds whoever reads it, or makes them fall", "[trust]") {
  const Tree tree;
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  tree.file("deep/state.json", "{\"config\":{\"labels\":" + deep + "}}");
  tree.file("deep/status", "{\"bundle\":" + deep + "}");
  tree.directory("fifo");
  tree.directory("device");
  for (const char* name : {"state.json", "status"}) {
    REQUIRE(::mkfifo((tree / "fifo" / name).c_str(), 0600) == 0);
    tree.link(fs::path("device") / name, "/dev/zero");
  }
  for (const char* id : {"deep", "fifo", "device"})
    for (const RuntimeKind kind : {RuntimeKind::runc, RuntimeKind::crun}) {
      INFO(id);
      CHECK(bundle_in_state(kind, tree.path(), id).empty());
    }
}

TEST_CASE("trust: of an image directory of others only what an import would keep is believed", "[trust]") {
  const Tree tree;
  Manifest m;
  m.id = "web";
  m.target = {.kind = RuntimeKind::runc,
              .path = "/evil/runc",
              .root = "/evil",
              .runtime_args = {"--criu=/evil/criu"}};
  m.bundle = m.log_path = "/evil";
  m.images = ".";
  fs::create_directories(tree / "image");
  write_manifest(tree / "image", m);
  CHECK(image_at(tree / "image").manifest->target.path == "/evil/runc");
  CHECK_FALSE(image_at(tree / "image").manifest->imported);
  tree.give("image/ckpt.json", kStranger);
  const Image image = image_at(tree / "image");
  CHECK(why_foreign(image));
  CHECK(image.manifest->target.path.empty());
  CHECK(image.manifest->target.root == "/run/runc");
  CHECK(image.manifest->target.runtime_args.empty());
  CHECK(image.manifest->bundle.empty());
  CHECK(image.manifest->log_path.empty());
  CHECK_FALSE(image.manifest->imported.value().spec_trusted);
}

TEST_CASE("trust: a manifest of others leads nowhere outside of its directory", "[trust]") {
  const auto refused = [](const std::function<void(Manifest&)>& edit) {
    Manifest m;
    edit(m);
    return error_of([&] { taken_as_imported(m, "/image"); }).code == ErrorCode::image_invalid;
  };
  CHECK(refused([](Manifest& m) { m.images = "../other"; }));
  CHECK(refused([](Manifest& m) { m.files = {{"../../etc/shadow", 1}}; }));
  CHECK(refused([](Manifest& m) { m.files = {{"/etc/shadow", 1}}; }));
  CHECK(refused([](Manifest& m) { m.pre_dumps = {{"../pre-1", 0, 0}}; }));
}

TEST_CASE("trust: an image of others is copied with nothing but what images have", "[trust]") {
  const Tree tree;
  tree.file("image/checkpoint/pages-1.img", "pages");
  tree.file("image/pre-1/pages-1.img", "before");
  tree.link("image/checkpoint/parent", "../pre-1");
  copy_image({tree / "image", std::nullopt}, tree / "copy");
  CHECK(read_file(tree / "copy/checkpoint/pages-1.img") == "pages");
  CHECK(read_file(tree / "copy/checkpoint/parent/pages-1.img") == "before");
  const auto refused = [&] {
    const Error error = error_of([&] { copy_image({tree / "image", std::nullopt}, tree / "other"); });
    remove_tree(tree / "other");
    return error.code == ErrorCode::image_invalid;
  };
  tree.link("image/checkpoint/core-1.img", "/etc/shadow");
  CHECK(refused());
  fs::remove(tree / "image/checkpoint/core-1.img");
  REQUIRE(::mkfifo((tree / "image/fifo").c_str(), 0600) == 0);
  CHECK(refused());
}

TEST_CASE("trust: an image is not written where others can put links", "[trust]") {
  const Tree tree;
  tree.directory("theirs", 0755, kStranger);
  StagedImage image = StagedImage::at(tree / "theirs/image");
  const Error error = error_of([&] { image.create(); });
  CHECK(error.code == ErrorCode::conflict);
  tree.directory("tmp", 01777);
  StagedImage fine = StagedImage::at(tree / "tmp/image");
  fine.create();
  CHECK(fs::is_directory(tree / "tmp/image"));
}

TEST_CASE("trust: a CDI specification of others defines no device, and its refusal says why", "[trust]") {
  const Tree tree;
  const std::string spec = R"({"cdiVersion":"0.6.0","kind":"nvidia.com/gpu","devices":[{"name":"0",)"
                           R"("containerEdits":{"env":["A=b"]}}]})";
  tree.file_of("cdi/a.json", 0, spec);
  CHECK(CdiRegistry({{tree / "cdi"}}).names() == std::vector<std::string>{"nvidia.com/gpu=0"});
  tree.give("cdi/a.json", kStranger);
  const CdiRegistry registry({{tree / "cdi"}});
  CHECK(registry.names().empty());
  const Error error = error_of([&] { registry.resolve("nvidia.com/gpu=0"); });
  CHECK(error.code == ErrorCode::invalid_config);
  CHECK(contains(error.message, "is not trusted: "));
}

TEST_CASE("trust: /proc of this pid namespace is ours", "[trust]") {
  CHECK_NOTHROW(require_own_proc());
}
