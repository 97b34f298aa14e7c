// Places outside of this host, the command lines that reach them, and what is read from what the programs
// say.
#include "images/far_store.h"

#include "commands/images_far.h"
#include "images/oci_layout.h"
#include "runtimes/json.h"
#include "tests/unit/support.h"

using namespace ckpt;
using ckpt::test::contains;
using ckpt::test::error_of;
using ckpt::test::TempDir;

TEST_CASE("places that are far, and what they are called there") {
  CHECK(is_far("oci:/srv/x"));
  CHECK(is_far("docker://r/n"));
  CHECK(is_far("docker:r/n"));
  CHECK(is_far("rclone:s3:b"));
  for (const char* near : {"web@latest", "/srv/x", "ocix", "dir:/x", ""}) CHECK_FALSE(is_far(near));
  CHECK(far_place("oci:/srv/../x:v1").name == "oci:/x:v1");
  CHECK(far_place("oci:rel").text == "oci:" + (fs::current_path() / "rel").string());
  CHECK(far_place("docker://127.0.0.1:5000/ckpt/web:1").program == "skopeo");
  const FarPlace s3 = far_place("rclone:s3:bucket/web//");
  CHECK(s3.text == "rclone:s3:bucket/web");
  CHECK(s3.name == "s3:bucket/web");
  CHECK(s3.program == "rclone");
  CHECK(far_place("rclone::s3,provider=Minio:b/x").name == ":s3,provider=Minio:b/x");
  for (const char* bad : {"oci:", "oci::tag", "docker:r/n", "docker://", "rclone:", "rclone:/srv/x",
                          "rclone:s3:", "rclone:-x:y", "rclone::", "web", "dir:/x"}) {
    INFO(bad);
    const Error error = error_of([&] { far_place(bad); });
    CHECK(error.code == ErrorCode::usage);
    CHECK(contains(error.message, bad));
  }
}

TEST_CASE("one DEST for many checkpoints") {
  CHECK(expand_place("rclone:s3:b/{id}/{time}", "web", "20261120T091112Z-000001") ==
        "rclone:s3:b/web/20261120T091112Z-000001");
  CHECK(expand_place("oci:/x", "web", "t") == "oci:/x");
  CHECK(expand_place("{id}{id}", "{id}", "t") == "{id}{id}");
}

TEST_CASE("vectors of skopeo") {
  const FarPlace registry = far_place("docker://r:5000/ckpt/web:1"), layout = far_place("oci:/srv/oci:web");
  CHECK(skopeo_push({}, "/s/layout", registry) ==
        Argv{"copy", "--preserve-digests", "oci:/s/layout", "docker://r:5000/ckpt/web:1"});
  CHECK(skopeo_push({}, "/s/layout", layout) ==
        Argv{"copy", "--preserve-digests", "oci:/s/layout", "oci:/srv/oci:web"});
  const FarOptions o{.authfile = "/a.json", .rclone_config = "/no", .tls_verify = false};
  CHECK(skopeo_push(o, "/s/layout", registry) == Argv{"copy", "--preserve-digests", "--authfile", "/a.json",
                                                      "--dest-tls-verify=false", "oci:/s/layout",
                                                      "docker://r:5000/ckpt/web:1"});
  CHECK(skopeo_inspect(o, registry) == Argv{"inspect", "--raw", "--authfile", "/a.json", "--tls-verify=false",
                                            "docker://r:5000/ckpt/web:1"});
  CHECK(skopeo_inspect({}, layout) == Argv{"inspect", "--raw", "oci:/srv/oci:web"});
  CHECK(skopeo_pull(o, registry, "/s/content") == Argv{"copy", "--dest-oci-accept-uncompressed-layers",
                                                       "--authfile", "/a.json", "--src-tls-verify=false",
                                                       "docker://r:5000/ckpt/web:1", "oci:/s/content"});
  CHECK(skopeo_pull({}, layout, "/s/content") ==
        Argv{"copy", "--dest-oci-accept-uncompressed-layers", "oci:/srv/oci:web", "oci:/s/content"});
}

TEST_CASE("vectors of rclone") {
  const FarPlace place = far_place("rclone:s3:b/web");
  CHECK(rclone_read({}, place, "ckpt.json") ==
        Argv{"cat", "--ask-password=false", "--use-json-log", "s3:b/web/ckpt.json"});
  CHECK(rclone_list({}, place) ==
        Argv{"lsf", "--ask-password=false", "--use-json-log", "--max-depth", "1", "s3:b/web"});
  CHECK(rclone_push({}, "/s/files", "/i", place) == Argv{"copy", "--ask-password=false", "--use-json-log",
                                                         "--files-from-raw", "/s/files", "--stats", "500ms",
                                                         "--stats-log-level", "NOTICE", "/i", "s3:b/web"});
  CHECK(rclone_push_file({}, "/i/ckpt.json", place, "ckpt.json") ==
        Argv{"copyto", "--ask-password=false", "--use-json-log", "/i/ckpt.json", "s3:b/web/ckpt.json"});
  const FarOptions o{.authfile = "/no", .rclone_config = "/r.conf", .tls_verify = false};
  CHECK(rclone_pull(o, "/s/files", place, "/s/content") ==
        Argv{"copy", "--ask-password=false", "--use-json-log", "--config", "/r.conf",
             "--no-check-certificate", "--files-from-raw", "/s/files", "--stats", "500ms",
             "--stats-log-level", "NOTICE", "s3:b/web", "/s/content"});
}

TEST_CASE("why a program failed, in its own words") {
  CHECK(far_cause(R"(time="2026-11-22T17:53:28Z" level=warning msg="slow"
time="2026-11-22T17:53:28Z" level=fatal msg="pinging \"r\": connection refused"
)") == R"(pinging "r": connection refused)");
  CHECK(far_cause(R"({"level":"warning","msg":"Config file not found"}
{"level":"error","msg":"access denied","object":"pages-1.img"}
2026/11/22 17:51:04 Failed to copy with 2 errors: access denied
)") == "pages-1.img: access denied");
  CHECK(far_cause("2026/11/22 17:51:04 Failed to create file system for \"x:\": no section\n") ==
        "Failed to create file system for \"x:\": no section");
  CHECK(far_cause("panic: \x1b[31mboom\n\ngoroutine 1\n") == "panic:  [31mboom");
  CHECK(far_cause("{\"level\": 7, \"msg\": []}\n").empty());
  CHECK(far_cause(std::string(100'000, 'x')).size() == 400);
  CHECK(far_cause("").empty());
}

TEST_CASE("how far rclone is") {
  CHECK(rclone_bytes(R"({"level":"warning","stats":{"bytes":588898,"totalBytes":9}})") == 588'898);
  for (const char* other :
       {"", "text", "{", "{\"stats\":1}", R"({"stats":{"bytes":-1}})", R"({"stats":{"bytes":"1"}})"})
    CHECK_FALSE(rclone_bytes(other));
}

namespace {

Manifest manifest_of_web() {
  Manifest m;
  m.id = "web";
  m.target.kind = RuntimeKind::runc;
  m.runtime_version = "1.3.0";
  m.criu_version = "4.2";
  m.created = "2026-11-20T09:11:12Z";
  m.machine.arch = "x86_64";
  m.machine.kernel = "6.1.0";
  m.machine.cgroups = "v2";
  return m;
}

}  // namespace

TEST_CASE("annotations by which others know a checkpoint") {
  CHECK(oci_annotations(manifest_of_web()) ==
        std::map<std::string, std::string>{{"io.kubernetes.cri-o.annotations.checkpoint.criu.version", "4.2"},
                                           {"io.kubernetes.cri-o.annotations.checkpoint.name", "web"},
                                           {"io.podman.annotations.checkpoint.cgroups.version", "v2"},
                                           {"io.podman.annotations.checkpoint.criu.version", "4.2"},
                                           {"io.podman.annotations.checkpoint.host.arch", "x86_64"},
                                           {"io.podman.annotations.checkpoint.host.kernel", "6.1.0"},
                                           {"io.podman.annotations.checkpoint.name", "web"},
                                           {"io.podman.annotations.checkpoint.runtime.name", "runc"},
                                           {"io.podman.annotations.checkpoint.runtime.version", "1.3.0"},
                                           {"org.criu.checkpoint.cgroup.version", "v2"},
                                           {"org.criu.checkpoint.container.name", "web"},
                                           {"org.criu.checkpoint.criu.version", "4.2"},
                                           {"org.criu.checkpoint.engine.name", "ckpt"},
                                           {"org.criu.checkpoint.host.arch", "x86_64"},
                                           {"org.criu.checkpoint.host.kernel", "6.1.0"},
                                           {"org.criu.checkpoint.runtime.name", "runc"},
                                           {"org.criu.checkpoint.runtime.version", "1.3.0"},
                                           {"org.opencontainers.image.created", "2026-11-20T09:11:12Z"}});
  Manifest gvisor = manifest_of_web();
  gvisor.target.kind = RuntimeKind::runsc;
  gvisor.criu_version.clear();
  CHECK_FALSE(oci_annotations(gvisor).contains("org.criu.checkpoint.criu.version"));
}

TEST_CASE("configuration and manifest of the image") {
  CHECK(oci_config(manifest_of_web(), {.written = "aa", .unpacked = "bb", .size = 7}) == parse_json(R"({
    "created": "2026-11-20T09:11:12Z", "architecture": "amd64", "os": "linux", "config": {},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:bb"]},
    "history": [{"created": "2026-11-20T09:11:12Z", "created_by": "ckpt images push"}]})"));
  CHECK(oci_manifest({"sha256:cc", 3, "c"}, {"sha256:aa", 7, layer_media_type({.name = "zstd"})},
                     {{"k", "v"}}) ==
        parse_json(R"({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "c", "digest": "sha256:cc", "size": 3},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": "sha256:aa", "size": 7}],
    "annotations": {"k": "v"}})"));
  CHECK(layer_media_type({}) == "application/vnd.oci.image.layer.v1.tar");
  CHECK(layer_filter({}).name == "zstd");
  CHECK(layer_filter("zstd:7").level == 7);
  CHECK(layer_filter("gzip").name == "gzip");
  CHECK(layer_filter("none").name.empty());
}

TEST_CASE("layers that a manifest tells of") {
  const auto layers = layers_of(R"({"layers": [{"digest": "sha256:aa", "size": 7}]})", "x");
  REQUIRE(layers.size() == 1);
  CHECK(layers[0].digest == "sha256:aa");
  CHECK(layers[0].size == 7);
  CHECK(layers_of(R"({"manifests": []})", "x").empty());
  for (const char* bad :
       {"", "[]", "{}", R"({"layers": 1})", R"({"layers": []})", R"({"layers": [{"digest": 1}]})",
        R"({"layers": [{"digest": "a", "size": 1}, {"digest": "b", "size": 1}]})"}) {
    INFO(bad);
    CHECK(error_of([&] { layers_of(bad, "x"); }).code == ErrorCode::image_invalid);
  }
}

TEST_CASE("a layout that leads elsewhere is refused") {
  const TempDir dir;
  for (const char* digest : {"", "sha256:", "sha256:../../etc/passwd", "md5:aa"}) {
    dir.file("index.json", std::string(R"({"manifests": [{"digest": ")") + digest + R"("}]})");
    CHECK(error_of([&] { layer_file(dir.path(), "x"); }).code == ErrorCode::image_invalid);
  }
  dir.file("index.json", "{}");
  CHECK(error_of([&] { layer_file(dir.path(), "x"); }).message == "'x' came without an image");
}

TEST_CASE("SHA-256 as everybody has it") {
  CHECK(sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("links between dumps, from the manifest") {
  using Links = std::vector<std::pair<std::string, std::string>>;
  Manifest m;
  CHECK(dump_links(m).empty());
  m.pre_dumps = {{.directory = "pre-1"}, {.directory = "pre-2"}};
  CHECK(dump_links(m) == Links{{"pre-2/parent", "../pre-1"}, {"checkpoint/parent", "../pre-2"}});
}
