// Names, links and texts of archives, instants, and what is believed of a manifest.
#include "images/archive.h"

#include "commands/images_archive.h"
#include "images/imported.h"
#include "images/stamp.h"
#include "runtimes/json.h"
#include "tests/unit/support.h"

using namespace ckpt;
using ckpt::test::contains;
using ckpt::test::error_of;

TEST_CASE("names that stay below") {
  CHECK(name_below("config.dump") == "config.dump");
  CHECK(name_below("./checkpoint/") == "checkpoint");
  CHECK(name_below("././a/b.img") == "a/b.img");
  CHECK(name_below("a..b/...") == "a..b/...");
  for (const std::string bad : {"", ".", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", "a//b", "a/./b",
                                "./", "a/b//", ".//etc", "a\nb", "a\x7f"})
    CHECK_FALSE(name_below(bad));
  CHECK(name_below(std::string(255, 'n')));
  CHECK_FALSE(name_below(std::string(256, 'n')));
  std::string deep = "d";
  for (int i = 1; i < 32; ++i) deep += "/d";
  CHECK(name_below(deep));
  CHECK_FALSE(name_below(deep + "/d"));
}

TEST_CASE("links between dumps, and no others") {
  CHECK(links_dumps("checkpoint/parent", "../pre-2"));
  CHECK(links_dumps("checkpoint/parent", "../pre-checkpoint"));
  CHECK(links_dumps("pre-2/parent", "../pre-1"));
  CHECK(links_dumps("pre-10/parent", "../pre-9"));
  CHECK(links_dumps("pre-1/parent", "../pre-checkpoint"));
  // CRIU follows them until one has none.
  for (const auto& [dump, before] :
       {std::pair("pre-1", "pre-1"), std::pair("pre-1", "pre-2"), std::pair("pre-9", "pre-10"),
        std::pair("pre-1", "checkpoint"), std::pair("pre-01", "pre-1"), std::pair("pre-1", "pre-01"),
        std::pair("pre-checkpoint", "pre-1"), std::pair("pre-checkpoint", "pre-checkpoint"),
        std::pair("pre-checkpoint", "checkpoint")})
    CHECK_FALSE(links_dumps(std::string(dump) + "/parent", std::string("../") + before));
  CHECK_FALSE(links_dumps("checkpoint/parent", "../checkpoint"));
  CHECK_FALSE(links_dumps("checkpoint/parent", "../../x"));
  CHECK_FALSE(links_dumps("checkpoint/parent", "/pre-1"));
  CHECK_FALSE(links_dumps("checkpoint/parent", "../pre-1/"));
  CHECK_FALSE(links_dumps("checkpoint/parent", "../pre-x"));
  CHECK_FALSE(links_dumps("checkpoint/other", "../pre-1"));
  CHECK_FALSE(links_dumps("parent", "../pre-1"));
  CHECK_FALSE(links_dumps("elsewhere/parent", "../pre-1"));
}

TEST_CASE("instants and stamps") {
  const auto instant = parse_instant("2026-11-20T10:11:12.5+01:00");
  REQUIRE(instant);
  CHECK(instant_text(*instant) == "2026-11-20T09:11:12.500000000Z");
  CHECK(stamp_of(*instant) == "20261120T091112Z-800000");
  CHECK(parse_instant("2026-11-20T10:11:12Z")->tv_nsec == 0);
  CHECK(parse_instant("2026-11-20T10:11:12.1234567891234Z")->tv_nsec == 123'456'789);
  for (const char* bad : {"", "2026-11-20", "2026-11-20T10:11:12", "2026-11-20T10:11:12+1:00",
                          "2026-11-20T10:11:12Zx", "2026-11-20T10:11:12 01:00"})
    CHECK_FALSE(parse_instant(bad));
  for (const char* stamp : {"20261120T091112Z-000000", "20261120T091112Z-000001", "20261120T091112Z-8a3f01",
                            "20261120T091112Z-ffffff"}) {
    REQUIRE(instant_of(stamp));
    CHECK(stamp_of(*instant_of(stamp)) == stamp);
    CHECK(stamp_of(*parse_instant(instant_text(*instant_of(stamp)))) == stamp);
  }
  for (const char* bad :
       {"", "latest", "20261120T091112Z", "20261120T091112Z-8a3f0", "20261120T091112Z-8a3f011"})
    CHECK_FALSE(instant_of(bad));
}

TEST_CASE("spec.dump says whose it is, once") {
  const auto manager = [](const std::string& spec) {
    return nlohmann::json::parse(spec_dump(spec))["annotations"].value("io.container.manager", "");
  };
  CHECK(manager("{}") == "libpod");
  CHECK(manager(R"({"annotations": null})") == "libpod");
  CHECK(manager(R"({"annotations": {"io.container.manager": "cri-o"}})") == "cri-o");
  CHECK(manager(R"({"annotations": {"io.kubernetes.cri.container-name": "x"}})").empty());
  CHECK(spec_dump("no JSON") == "no JSON");
  CHECK(spec_dump(spec_dump("{}")) == spec_dump("{}"));
}

TEST_CASE("without trust nothing in a manifest names a path, a program or a flag") {
  Manifest m;
  m.id = "web";
  m.target = {.kind = RuntimeKind::crun,
              .path = "/tmp/evil",
              .root = "/etc",
              .platform = "kvm",
              .nvproxy = true,
              .runtime_args = {"--log=/etc/passwd"}};
  m.bundle = "/tmp/evil";
  m.log_path = "/etc/passwd";
  const Manifest now = distrusted(m);
  CHECK(now.id == "web");
  CHECK(now.target.kind == RuntimeKind::crun);
  CHECK(now.target.root == "/run/crun");
  CHECK((now.target.path + now.bundle + now.log_path).empty());
  CHECK((!now.target.platform && !now.target.nvproxy && now.target.runtime_args.empty()));
}

TEST_CASE("what an import notes is in ckpt.json") {
  Manifest m;
  CHECK_FALSE(manifest_to_json(m).contains("imported"));
  m.imported = Imported{.at = "2026-11-20T10:11:12Z", .by = "podman", .spec_trusted = true};
  CHECK(manifest_from_text(manifest_text(m), "x").imported == m.imported);
}

TEST_CASE("the compression of an archive, by its name or as it is said") {
  CHECK(archive_level("a.tar", {}) == std::nullopt);
  CHECK(archive_level("a.tar.zst", {}) == 3);
  CHECK(archive_level("-", {}) == 3);
  CHECK(archive_level("a.tar", "zstd:19") == 19);
  CHECK(archive_level("a.tar.zst", "none") == std::nullopt);
  CHECK(archive_level("a.gz", "none") == std::nullopt);
  CHECK(contains(error_of([] { archive_level("a.tar.gz", {}); }).message, "would not be what its name says"));
}
