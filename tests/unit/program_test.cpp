// Finding programs as cron would have to.
#include "runtimes/program.h"

#include <stdlib.h>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// PATH set, or unset, while it lives.
class PathVariable {
 public:
  explicit PathVariable(const char* value) : saved_(environment_variable("PATH").value_or("")) { set(value); }
  PathVariable(const PathVariable&) = delete;
  PathVariable& operator=(const PathVariable&) = delete;
  ~PathVariable() { set(saved_.c_str()); }

 private:
  static void set(const char* value) {
    if (value == nullptr)
      ::unsetenv("PATH");
    else
      ::setenv("PATH", value, 1);
  }
  std::string saved_;
};

}  // namespace

TEST_CASE("program: the first executable file in PATH is found") {
  const TempDir dir;
  const std::string first = dir.script("one/tool", "exit 0");
  dir.script("two/tool", "exit 0");
  const PathVariable path(((dir / "one").string() + ":" + (dir / "two").string()).c_str());
  CHECK(find_program("tool") == first);
}

TEST_CASE("program: directories and files that cannot be executed are passed over") {
  const TempDir dir;
  fs::create_directories(dir / "one/tool");
  dir.file("two/tool");
  const std::string third = dir.script("three/tool", "exit 0");
  const std::string value = fmt::format("{0}/one:{0}/two::relative:{0}/three", dir.path().string());
  const PathVariable path(value.c_str());
  CHECK(find_program("tool") == third);
  CHECK_FALSE(find_program("no-such-program-anywhere"));
}

TEST_CASE("program: a name with a slash is taken as it is") {
  const TempDir dir;
  const std::string tool = dir.script("tool", "exit 0");
  CHECK(find_program(tool) == tool);
  CHECK(find_program(dir.path().string() + "/x/../tool") == tool);
  CHECK_FALSE(find_program((dir / "none").string()));
  CHECK_FALSE(find_program(dir.file("plain")));
  CHECK_FALSE(find_program(dir.path().string() + "/"));
}

TEST_CASE("program: the sbin directories stand behind PATH, as cron has none of them") {
  const PathVariable path("/usr/bin:/bin");
  CHECK(search_path() == "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
}

TEST_CASE("program: without PATH the usual directories are searched") {
  const PathVariable path(nullptr);
  CHECK(search_path() == "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
  CHECK(find_program("sh"));
}

TEST_CASE("program: an empty variable is an unset one") {
  ::setenv("CKPT_TEST_VARIABLE", "", 1);
  CHECK_FALSE(environment_variable("CKPT_TEST_VARIABLE"));
  ::setenv("CKPT_TEST_VARIABLE", "x", 1);
  CHECK(environment_variable("CKPT_TEST_VARIABLE") == "x");
  ::unsetenv("CKPT_TEST_VARIABLE");
  CHECK_FALSE(environment_variable("CKPT_TEST_VARIABLE"));
}

TEST_CASE("program: the CRIU that a runtime's argument names is the one") {
  const TempDir dir;
  const std::string own = dir.script("own/criu", "exit 0"), other = dir.script("other/criu", "exit 0");
  const PathVariable path((dir / "other").string().c_str());
  CHECK(find_program("criu") == other);
  heed_criu_argument({"--systemd-cgroup", "--criu=" + own});
  CHECK(find_program("criu") == own);
  heed_criu_argument({"--systemd-cgroup", "--criu"});
  CHECK(find_program("criu") == own);
  heed_criu_argument({"--criu", (dir / "absent").string()});
  CHECK_FALSE(find_program("criu"));
  heed_criu_argument({"--criu=criu"});
  CHECK(find_program("criu") == other);
}
