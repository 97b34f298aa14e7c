// NVIDIA's wrapper and the runtime behind it.
#include "runtimes/wrapper.h"

#include <stdlib.h>

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// XDG_CONFIG_HOME and PATH are this directory's for as long as it lives.
struct Place {
  TempDir dir;
  std::string path = ::getenv("PATH");
  Place() {
    ::setenv("XDG_CONFIG_HOME", dir.path().c_str(), 1);
    ::setenv("PATH", (dir / "bin").c_str(), 1);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    ::unsetenv("XDG_CONFIG_HOME");
    ::setenv("PATH", path.c_str(), 1);
  }
  void configure(const std::string& text) const { dir.file("nvidia-container-runtime/config.toml", text); }
};

}  // namespace

TEST_CASE("wrapper: known by its name") {
  for (const char* name : {"nvidia-container-runtime", "/usr/bin/nvidia-container-runtime",
                           "/usr/bin/nvidia-container-runtime.cdi"})
    CHECK(is_wrapper(name));
  for (const char* name : {"runc", "nvidia-container-runtime-hook", "/opt/nvidia-container-runtime/runc", ""})
    CHECK_FALSE(is_wrapper(name));
}

TEST_CASE("wrapper: its runtimes are those of its configuration, else the ones it has itself") {
  const Place place;
  const std::vector<std::string> usual = {"runc", "crun"};
  CHECK(wrapped_runtimes() == usual);
  place.configure("[nvidia-container-cli]\nroot = \"/\"\n");
  CHECK(wrapped_runtimes() == usual);
  place.configure("[nvidia-container-runtime]\nruntimes = [\"docker-runc\", \"/opt/crun\", 3]\n");
  CHECK(wrapped_runtimes() == std::vector<std::string>{"docker-runc", "/opt/crun"});
  place.configure("[nvidia-container-runtime\n");
  const Error error = error_of([] { wrapped_runtimes(); });
  CHECK(error.code == ErrorCode::invalid_config);
  CHECK(error.message.find("config.toml' line 1") != std::string::npos);
}

TEST_CASE("wrapper: the first that is installed, else itself when it has restore, else nothing") {
  const Place place;
  SystemRunner runner;
  Prober prober(runner, place.dir / "probe");
  const std::string wrapper = place.dir.script("bin/nvidia-container-runtime", "exit 1");
  place.configure("[nvidia-container-runtime]\nruntimes = [\"ckpt-no-such\", \"ckpt-runc\"]\n");
  CHECK(runtime_behind(prober, wrapper) == std::nullopt);
  const std::string runc = place.dir.script("bin/ckpt-runc", "exit 0");
  CHECK(runtime_behind(prober, wrapper) == runc);
  place.configure("[nvidia-container-runtime]\nruntimes = [\"ckpt-no-such\"]\n");
  const std::string itself = place.dir.script("bin/nvidia-container-runtime.cdi",
                                              "echo 'OPTIONS:'; echo '   --image-path value  path'");
  CHECK(runtime_behind(prober, itself) == itself);
}

TEST_CASE("wrapper: whose options a program takes") {
  CHECK(kind_by_name("/usr/bin/docker-runc") == RuntimeKind::runc);
  CHECK(kind_by_name("/opt/crun-1.28") == RuntimeKind::crun);
  CHECK(kind_by_name("runsc") == RuntimeKind::runsc);
  CHECK(kind_by_name("youki") == RuntimeKind::runc);
}
