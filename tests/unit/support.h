// What the unit tests share: temporary directories, scripts, fixtures, thrown errors, forks, a runner that
// only answers.
#pragma once
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/spawn.h"

namespace ckpt::test {

/// A new directory that is removed with everything in it.
class TempDir {
 public:
  TempDir() {
    std::string name = (fs::temp_directory_path() / "ckpt-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { remove_tree(path_); }

  const fs::path& path() const { return path_; }
  fs::path operator/(const fs::path& name) const { return path_ / name; }
  /// Writes a file, making its directories.
  std::string file(const fs::path& name, std::string_view content = "") const {
    const fs::path whole = path_ / name;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole, std::ios::binary) << content;
    return whole.string();
  }
  /// An executable shell script.
  std::string script(const fs::path& name, const std::string& body) const {
    const std::string whole = file(name, "#!/bin/sh\n" + body + "\n");
    fs::permissions(whole, fs::perms::owner_all);
    return whole;
  }

 private:
  fs::path path_;
};

inline std::string fixture(const std::string& name) {
  const auto text = read_file(fs::path(CKPT_FIXTURES) / name);
  INFO("fixture " << name);
  REQUIRE(text);
  return *text;
}

/// What `action` throws; the test fails when it throws nothing or something that is no Error.
template <class F>
Error error_of(F&& action) {
  std::optional<Error> thrown;
  try {
    action();
  } catch (const Error& error) {
    thrown = error;
  }
  REQUIRE(thrown);
  return *thrown;
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

/// Polls until `condition` holds; false after ten seconds.
template <class F>
bool eventually(F&& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// Forks; the child leaves with what `body` returns, with 99 when that throws, and is killed when its parent
/// ends. The child's pid.
template <class F>
pid_t fork_with(F&& body) {
  const pid_t parent = ::getpid(), pid = ::fork();
  if (pid != 0) return pid;
  int status = 99;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(status);
  try {
    status = body();
  } catch (...) {
  }
  ::_exit(status);
}

/// The same of a child that `body` prepares before it calls its argument, which stays until it is killed. Not
/// before that is it given back.
template <class F>
pid_t fork_until_ready(F&& body) {
  Pipe ready = make_pipe();
  const pid_t pid = fork_with([&] {
    body([&] {
      write_all(ready.write.get(), "x");
      for (;;) ::pause();
    });
    return 1;
  });
  ready.write.reset();
  char byte = 0;
  REQUIRE(::read(ready.read.get(), &byte, 1) == 1);
  return pid;
}

/// The shell's status of a child.
inline int wait_status(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) return -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Answers from a function and remembers what was asked.
class FakeRunner : public Runner {
 public:
  using Answer = std::function<Result(const Command&)>;
  FakeRunner() : FakeRunner([](const Command&) { return said(0, ""); }) {}
  explicit FakeRunner(Answer answer) : answer_(std::move(answer)) {}
  Result run(const Command& command) override {
    calls.push_back(command.argv());
    return answer_(command);
  }
  static Result said(int status, std::string out) { return said(status, std::move(out), ""); }
  static Result said(int status, std::string out, std::string err) {
    Result result{.outcome = Exited{status}};
    result.out = std::move(out);
    result.err = std::move(err);
    return result;
  }

  std::vector<Argv> calls;

 private:
  Answer answer_;
};

}  // namespace ckpt::test
