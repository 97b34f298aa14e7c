// What a filter can let pass, and which of that a profile does not.
#include "images/seccomp_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <nlohmann/json.hpp>

#include "commands/system_calls.h"
#include "support.h"

using namespace ckpt;
using nlohmann::json;

namespace {

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS, kEqual = BPF_JMP | BPF_JEQ | BPF_K,
                        kReturn = BPF_RET | BPF_K;
constexpr std::uint32_t kErrno = SECCOMP_RET_ERRNO | 1U;
constexpr BpfInstruction kAllow{kReturn, 0, 0, SECCOMP_RET_ALLOW}, kDeny{kReturn, 0, 0, kErrno};

/// As libseccomp makes them: another architecture is killed, then one call after the other.
SeccompFilter filter_of(const SeccompFilter& body) {
  SeccompFilter filter = {{kLoad, 0, 0, 4},
                          {kEqual, 1, 0, AUDIT_ARCH_X86_64},
                          {kReturn, 0, 0, SECCOMP_RET_KILL_PROCESS},
                          {kLoad, 0, 0, 0},
                          {BPF_JMP | BPF_JGE | BPF_K, 0, 1, 0x40000000},
                          {kReturn, 0, 0, SECCOMP_RET_KILL_PROCESS}};
  filter.insert(filter.end(), body.begin(), body.end());
  return filter;
}

bool may(const SeccompFilter& filter, std::uint32_t number) {
  return may_pass(filter, AUDIT_ARCH_X86_64, number);
}

json profile(const char* by_default, const std::vector<json>& rules) {
  return {{"defaultAction", by_default}, {"architectures", {"SCMP_ARCH_X86_64"}}, {"syscalls", rules}};
}
json rule(const char* action, std::vector<std::string> names, const std::vector<json>& args = {}) {
  return {{"names", std::move(names)}, {"action", action}, {"args", args}};
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("seccomp: a call passes or not, and with some arguments counts as passing") {
  CHECK(may({kAllow}, 1));
  CHECK_FALSE(may({kDeny}, 1));
  for (const std::uint32_t result : {SECCOMP_RET_LOG, SECCOMP_RET_TRACE})
    CHECK(may({{kReturn, 0, 0, result}}, 1));
  for (const std::uint32_t result : {SECCOMP_RET_TRAP, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_USER_NOTIF, 1U})
    CHECK_FALSE(may({{kReturn, 0, 0, result}}, 1));
  const SeccompFilter one = filter_of({{kEqual, 0, 1, 7}, kAllow, kDeny});
  CHECK(may(one, 7));
  CHECK_FALSE(may(one, 8));
  CHECK_FALSE(may(one, 0x40000007));
  CHECK_FALSE(may_pass(one, AUDIT_ARCH_I386, 7));
  // Only when the first argument is 5, or when its lowest bit is set.
  const SeccompFilter argument = {{kLoad, 0, 0, 16}, {kEqual, 0, 1, 5}, kAllow, kDeny};
  CHECK(may(argument, 1));
  const SeccompFilter never = {
      {kLoad, 0, 0, 16}, {BPF_ALU | BPF_AND | BPF_K, 0, 0, 1}, {kEqual, 0, 1, 5}, kDeny, kDeny};
  CHECK_FALSE(may(never, 1));
  const SeccompFilter computed = {{kLoad, 0, 0, 0},
                                  {BPF_ALU | BPF_ADD | BPF_K, 0, 0, 1},
                                  {BPF_MISC | BPF_TAX, 0, 0, 0},
                                  {BPF_LD | BPF_IMM, 0, 0, 8},
                                  {BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0},
                                  kAllow,
                                  kDeny};
  CHECK(may(computed, 7));
  CHECK_FALSE(may(computed, 8));
  const SeccompFilter stored = {{kLoad, 0, 0, 0},
                                {BPF_ST, 0, 0, 3},
                                {BPF_LD | BPF_IMM, 0, 0, 0},
                                {BPF_LD | BPF_MEM, 0, 0, 3},
                                {BPF_RET | BPF_A, 0, 0, 0}};
  CHECK(may(stored, SECCOMP_RET_ALLOW));
  CHECK_FALSE(may(stored, 7));
}

TEST_CASE("seccomp: what is no filter, or cannot be followed, passes") {
  CHECK(may({}, 1));
  CHECK(may({{kLoad, 0, 0, 0}}, 1));  // runs off its end
  CHECK(may({{BPF_JMP | BPF_JA, 0, 0, 9}, kDeny}, 1));
  CHECK(may({{BPF_ST, 0, 0, 99}, kDeny}, 1));
  CHECK(may({{BPF_LD | BPF_MSH, 0, 0, 0}, kDeny}, 1));
  SeccompFilter maze;  // 2^60 ways
  for (int i = 0; i < 60; ++i) {
    maze.push_back({kLoad, 0, 0, 16});
    maze.push_back({kEqual, 0, 0, 5});
  }
  maze.push_back(kDeny);
  CHECK(may(maze, 1));
  CHECK(seccomp_filter_of(std::string(8 * 4097, 'x')).empty());
  CHECK(seccomp_filter_of("123").empty());
}

#if defined(__x86_64__)
TEST_CASE("seccomp: calls that an image's filter lets pass and a profile does not") {
  CHECK(system_calls().size() > 300);
  const SeccompFilter no_keyctl = filter_of({{kEqual, 0, 1, SYS_keyctl}, kDeny, kAllow});
  const SeccompFilter only_read = filter_of({{kEqual, 0, 1, SYS_read}, kAllow, kDeny});
  const auto beyond = [](const std::vector<ImageFilter>& filters, const json& seccomp) {
    return calls_beyond(filters, static_cast<std::uint32_t>(filters.size()) - 1, seccomp);
  };
  const json without_keyctl = profile("SCMP_ACT_ALLOW", {rule("SCMP_ACT_ERRNO", {"keyctl"})});
  CHECK(beyond({{no_keyctl, {}}}, without_keyctl).empty());
  CHECK(beyond({{only_read, {}}}, without_keyctl).empty());
  CHECK(beyond({{no_keyctl, {}}},
               profile("SCMP_ACT_ALLOW", {rule("SCMP_ACT_ERRNO", {"keyctl", "bpf", "no_such_call"})})) ==
        Names{"bpf"});
  CHECK(beyond({{only_read, {}}}, profile("SCMP_ACT_ERRNO", {rule("SCMP_ACT_ALLOW", {"write"})})) ==
        Names{"read"});
  CHECK(beyond({{only_read, {}}},
               profile("SCMP_ACT_ERRNO", {rule("SCMP_ACT_ALLOW", {"read"}, {json{{"index", 0}}})}))
            .empty());
  CHECK(beyond({{no_keyctl, {}}},
               profile("SCMP_ACT_ALLOW", {rule("SCMP_ACT_ERRNO", {"keyctl"}),
                                          rule("SCMP_ACT_ERRNO", {"bpf"}, {json{{"index", 0}}})}))
            .empty());
  // Both have to let it pass.
  CHECK(beyond({{no_keyctl, {}}, {{kAllow}, 0}}, without_keyctl).empty());
  CHECK_FALSE(beyond({{no_keyctl, {}}, {{kAllow}, {}}}, without_keyctl).empty());
  CHECK(beyond({{{kAllow}, {}}}, without_keyctl) ==
        Names{"keyctl", "those of 32-bit x86", "those of x32", "those of 32-bit ARM"});
}
#endif
