// A process of the test's own that stays as it was made, to be looked at.
#pragma once
#include <signal.h>

#include "support.h"

namespace ckpt::test {

/// A child that runs `prepare`, says so, and stays until the end of the test.
class Standing {
 public:
  template <class F>
  explicit Standing(F&& prepare) {
    Pipe ready = make_pipe();
    pid_ = fork_with([&] {
      if (!prepare()) return 1;
      write_all(ready.write.get(), "x");
      for (;;) ::pause();
      return 0;
    });
    ready.write.reset();
    char byte = 0;
    ready_ = ::read(ready.read.get(), &byte, 1) == 1;
    REQUIRE(ready_);
  }
  Standing(const Standing&) = delete;
  Standing& operator=(const Standing&) = delete;
  ~Standing() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  bool ready_ = false;
};

}  // namespace ckpt::test
