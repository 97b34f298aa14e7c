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
    pid_ = fork_until_ready([&](const auto& stay) {
      if (prepare()) stay();
    });
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
};

}  // namespace ckpt::test
