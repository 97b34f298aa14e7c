// A profile of the OCI runtime specification against the filter that a process has.
#include "commands/system_calls.h"

#include <fmt/format.h>
#include <linux/audit.h>

#include <optional>
#include <set>

#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

bool lets_pass(const json& action) {
  return action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_LOG" || action == "SCMP_ACT_TRACE" ||
         action == "SCMP_ACT_NOTIFY";
}

/// The calls that a profile lets pass with some arguments.
class Profile {
 public:
  explicit Profile(const json& seccomp) : by_default_(lets_pass(seccomp.value("defaultAction", json("")))) {
    const json none = json::array();
    for (const json& rule : seccomp.value("syscalls", none)) {
      if (!rule.is_object()) continue;
      const bool pass = lets_pass(rule.value("action", json("")));
      if (!pass && !rule.value("args", none).empty()) continue;
      for (const json& name : rule.value("names", none))
        if (name.is_string()) (pass ? passing_ : blocked_).insert(name.get<std::string>());
    }
    for (const json& one : seccomp.value("architectures", none))
      if (one.is_string()) architectures_.insert(one.get<std::string>());
  }

  bool passes(const std::string& name) const {
    return passing_.contains(name) || (by_default_ && !blocked_.contains(name));
  }
  bool has(const char* architecture) const { return architectures_.contains(architecture); }

 private:
  const bool by_default_;
  std::set<std::string> passing_, blocked_, architectures_;
};

#if defined(__x86_64__)
constexpr std::uint32_t kNative = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kNative = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kNative = 0;
#endif

/// Another set of calls that the kernel has for other programs.
struct OtherCalls {
  const char *architecture, *name;
  std::uint32_t audit, first;
};
constexpr OtherCalls kOthers[] = {
    {"SCMP_ARCH_X86", "32-bit x86", AUDIT_ARCH_I386, 0},
    {"SCMP_ARCH_X32", "x32", AUDIT_ARCH_X86_64, 0x40000000},
    {"SCMP_ARCH_ARM", "32-bit ARM", AUDIT_ARCH_ARM, 0},
};

bool passes(const std::vector<ImageFilter>& filters, std::uint32_t last, std::uint32_t audit,
            std::uint32_t number) {
  for (std::optional<std::uint32_t> one = last; one; one = filters.at(*one).before)
    if (!may_pass(filters.at(*one).program, audit, number)) return false;
  return true;
}

}  // namespace

std::vector<std::string> calls_beyond(const std::vector<ImageFilter>& filters, std::uint32_t last,
                                      const json& seccomp) {
  constexpr std::uint32_t kMostCalls = 512;
  std::vector<std::string> more;
  if (kNative == 0) return more;
  const Profile profile(seccomp);
  for (const SystemCall& call : system_calls())
    if (!profile.passes(call.name) && passes(filters, last, kNative, call.number))
      more.emplace_back(call.name);
  for (const OtherCalls& other : kOthers)
    for (std::uint32_t number = 0; !profile.has(other.architecture) && number < kMostCalls; ++number)
      if (passes(filters, last, other.audit, other.first + number)) {
        more.push_back(fmt::format("those of {}", other.name));
        break;
      }
  return more;
}

}  // namespace ckpt
