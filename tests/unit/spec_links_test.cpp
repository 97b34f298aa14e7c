// Symbolic links in the paths of config.json.
#include "runtimes/spec_links.h"

#include "runtimes/json.h"
#include "runtimes/rooted_path.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("spec links: paths below a root file system") {
  const TempDir dir;
  fs::create_directories(dir / "r/run/x");
  fs::create_directories(dir / "r/var");
  fs::create_symlink("/run", dir / "r/var/run");
  fs::create_symlink("../../../../run/x", dir / "r/var/up");
  fs::create_symlink("loop", dir / "r/loop");
  const auto at = [&](const char* path, const std::vector<std::string>& covered = {}) {
    return resolve_below(dir / "r", path, covered);
  };
  CHECK(at("/var/run/secrets/pod") == "/run/secrets/pod");
  CHECK(at("/var/up/y") == "/run/x/y");
  CHECK(at("/var/./run/../run/x/") == "/run/x");
  CHECK(at("/../etc") == "/etc");
  CHECK(at("/loop/x") == "/loop/x");
  CHECK(at("/var/run/x", {"/var"}) == "/var/run/x");
  CHECK(at("/") == "/");
}

TEST_CASE("spec links: links of sources and destinations") {
  const TempDir dir;
  fs::create_directories(dir / "r/run");
  fs::create_directories(dir / "r/var");
  fs::create_symlink("/run", dir / "r/var/run");
  dir.file("zone", "z");
  fs::create_symlink("zone", dir / "first");
  fs::create_symlink("first", dir / "second");
  nlohmann::json spec = {
      {"root", {{"path", (dir / "r").string()}}},
      {"mounts",
       {{{"destination", "/var/run/a"}, {"type", "bind"}, {"source", (dir / "second").string()}},
        {{"destination", "/gone"}, {"type", "bind"}, {"source", (dir / "none").string()}},
        {{"destination", "/tmp"}, {"type", "tmpfs"}, {"source", "tmpfs"}}}}};
  const nlohmann::json before = spec;
  follow_destinations(spec, RuntimeKind::runc);
  CHECK(spec == before);
  follow_destinations(spec, RuntimeKind::crun);
  CHECK(spec["mounts"][0]["destination"] == "/run/a");
  CHECK(spec["mounts"][1] == before["mounts"][1]);
  follow_sources(spec);
  CHECK(spec["mounts"][0]["source"] == fs::canonical(dir / "zone").string());
  CHECK(spec["mounts"][1] == before["mounts"][1]);
  CHECK(spec["mounts"][2] == before["mounts"][2]);
}
