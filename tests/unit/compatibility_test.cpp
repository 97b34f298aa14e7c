// Comparing an image with a host.
#include "commands/compatibility.h"

#include "commands/parse.h"
#include "runtimes/json.h"
#include "tests/unit/support.h"

using namespace ckpt;
using ckpt::test::TempDir;
using Verdict = CheckedItem::Verdict;
using nlohmann::json;

namespace {

MachineFacts cpu(std::vector<std::string> features, std::uint32_t xsave = 0) {
  MachineFacts facts;
  facts.cpu = std::move(features);
  facts.xsave_bytes = xsave;
  return facts;
}

json spec_with(const fs::path& root, const json& mounts) {
  return {{"root", {{"path", root.string()}}}, {"mounts", mounts}};
}

json bind(const std::string& destination, const fs::path& source) {
  return {{"destination", destination}, {"source", source.string()}, {"type", "bind"}};
}

}  // namespace

TEST_CASE("features of a processor are those that programs can use") {
  CHECK(cpu_features(
            "processor\t: 0\nflags\t\t: fpu sse2 avx512f pti amx_tile retpoline sse4_2\n\nprocessor\t: 1\n"
            "flags\t\t: fma\n") == std::vector<std::string>{"amx_tile", "avx512f", "sse2", "sse4_2"});
  CHECK(cpu_features("Features\t: fp asimd sve\n") == std::vector<std::string>{"asimd", "fp", "sve"});
  CHECK(cpu_features("nothing").empty());
  CHECK(cpu_features("flags\t").empty());
}

TEST_CASE("a processor must have what the image's had") {
  CHECK(check_cpu(cpu({"avx", "sse2"}, 100), cpu({"avx", "sse2"}, 100)).verdict == Verdict::same);
  CHECK(check_cpu(cpu({"sse2"}), cpu({"avx", "sse2"})).verdict == Verdict::differs);
  CHECK(check_cpu(cpu({}), cpu({"avx", "sse2"})).verdict == Verdict::same);
  const CheckedItem lacking = check_cpu(cpu({"avx", "avx2", "sse2"}), cpu({"sse2"}));
  CHECK(lacking.verdict == Verdict::fails);
  CHECK(lacking.forced);
  CHECK(lacking.reason == "this processor lacks avx, avx2, which the programs of the image may use");
  CHECK(check_cpu(cpu({"sse2"}, 200), cpu({"sse2"}, 100)).verdict == Verdict::fails);
  CHECK(check_cpu(cpu({"sse2"}, 100), cpu({"sse2"}, 200)).verdict == Verdict::same);
}

TEST_CASE("another kernel is told, an older one as such") {
  CHECK(check_kernel("6.1.0-13", "6.1.0-13").verdict == Verdict::same);
  CHECK(check_kernel("6.1.0", "6.12.3").reason == "another kernel");
  CHECK(check_kernel("6.12.3", "6.1.0").reason.starts_with("older"));
  CHECK(check_kernel("6.12.3", "6.1.0").verdict == Verdict::differs);
}

TEST_CASE("bind mounts need sources of the same kind") {
  const HostFiles files = {.kind =
                               [](const std::string& path) {
                                 return path == "/gone" ? "" : path.substr(1, 4) == "file" ? "file" : "dir";
                               },
                           .names = {}};
  const auto check = [&](const ResolvedMount& mount) { return check_mounts({mount}, files)[0]; };
  const CheckedItem right = check({"/d", "/was", "/dir", "dir", "by --map-mount", ""});
  CHECK(right.verdict == Verdict::same);
  CHECK(right.item == "mount /d");
  CHECK(right.image == "dir /was");
  CHECK(right.host == "dir /dir");
  CHECK(to_rows({right})[0][3] == "ok: by --map-mount");
  CHECK(to_json({right})[0]["how"] == "by --map-mount");
  CHECK(check({"/d", "/was", "/file", "dir", "", ""}).reason ==
        "the source '/file' of the bind mount at '/d' is a file, it was a dir");
  const CheckedItem gone = check({"/d", "/was", "/gone", "dir", "", ""});
  CHECK(gone.reason == "the source '/gone' of the bind mount at '/d' does not exist");
  CHECK(gone.host == "");
  CHECK_FALSE(gone.forced);
  CHECK(check({"/x", "/was", "/file", "", "", ""}).verdict == Verdict::same);
  const CheckedItem unresolved = check({"/d", "/was", "", "dir", "", "why"});
  CHECK(unresolved.verdict == Verdict::fails);
  CHECK(unresolved.reason == "no source for the bind mount at '/d': why");
  CHECK(unresolved.hint == "name one with --map-mount /d=NEW");
  const CheckedItem kept = check({"/d", "/dir", "/dir", "dir", "", "as it was"});
  CHECK(kept.verdict == Verdict::differs);
  CHECK(kept.reason == "as it was");
}

TEST_CASE("open files need their sizes, wherever their mount comes from") {
  const TempDir dir;
  dir.file("root/db", "12345");
  dir.file("data/log", "123");
  const json spec =
      spec_with(dir / "root", {bind("/data", dir / "data"),
                               bind("/data/one", dir / "data/log"),
                               {{"destination", "/tmp"}, {"source", "tmpfs"}, {"type", "tmpfs"}}});
  const auto check = [&](const std::vector<OpenFileFact>& files,
                         std::map<std::string, std::uint64_t> layer = {}) {
    return check_files(files, spec, layer)[0];
  };
  CHECK(check({{"/db", 5}, {"/data/log", 3}, {"/data/one", 3}, {"/tmp/x", 77}}).verdict == Verdict::same);
  const CheckedItem wrong = check({{"/db", 6}, {"/data/log", 3}, {"/data/none", 1}});
  CHECK(wrong.verdict == Verdict::fails);
  CHECK(wrong.forced);
  CHECK(wrong.reason ==
        fmt::format("files that its processes have open are not as at the checkpoint: '/db' has 5 "
                    "bytes, it had 6 ('{}'); '/data/none' does not exist ('{}')",
                    (dir / "root/db").string(), (dir / "data/none").string()));
  CHECK(check({{"/db", 6}}, {{"/db", 6}}).verdict == Verdict::same);
  CHECK(check({{"/data/log", 6}}, {{"/data/log", 6}}).verdict == Verdict::fails);
  CHECK(check({{"/database", 6}}).verdict == Verdict::fails);
}

TEST_CASE("all that fails is said at once, what is forced is left out") {
  std::vector<CheckedItem> items = {
      {.item = "a", .verdict = Verdict::fails, .reason = "one", .hint = "h1"},
      {.item = "b", .verdict = Verdict::differs, .reason = "no"},
      {.item = "c", .verdict = Verdict::fails, .reason = "two", .forced = true}};
  try {
    require_compatible(items, false);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code == ErrorCode::host_incompatible);
    CHECK(error.message == "one; two");
    CHECK(error.hint == "h1");
  }
  CHECK_THROWS_AS(require_compatible(items, true), Error);
  items.erase(items.begin());
  CHECK_NOTHROW(require_compatible(items, true));
}

TEST_CASE("a command line is divided as a shell does") {
  using Words = std::vector<std::string>;
  CHECK(parse_words("a  b\tc\n") == Words{"a", "b", "c"});
  CHECK(parse_words("sh -c 'echo \"$x\" \\n'") == Words{"sh", "-c", "echo \"$x\" \\n"});
  CHECK(parse_words("\"a b\"c '' \\ d") == Words{"a bc", "", " d"});
  CHECK(parse_words(R"("a\"b\\c\n")") == Words{R"(a"b\c\n)"});
  CHECK(parse_words("") == Words{});
  CHECK_FALSE(parse_words("'open"));
  CHECK_FALSE(parse_words("\"open"));
  CHECK_FALSE(parse_words("end\\"));
}
