// Reading the machine's facts.
#include "runtimes/machine.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <sstream>

#include "runtimes/fs.h"

namespace ckpt {
namespace {

/// Names of arch/x86/include/asm/cpufeatures.h that user code can make use of; the families avx* and amx_*
/// besides.
constexpr std::string_view kUserFeatures[] = {
    "3dnow",      "3dnowprefetch", "abm",       "adx",    "aes",       "bmi1",      "bmi2",       "cldemote",
    "clflush",    "clflushopt",    "clwb",      "clzero", "cmov",      "cmpccxadd", "cx16",       "cx8",
    "enqcmd",     "erms",          "f16c",      "fma",    "fma4",      "fsgsbase",  "fsrm",       "fxsr",
    "gfni",       "hle",           "lahf_lm",   "mmx",    "mmxext",    "movbe",     "movdir64b",  "movdiri",
    "ospke",      "pclmulqdq",     "pni",       "popcnt", "prefetchi", "rdpid",     "rdrand",     "rdseed",
    "rdtscp",     "rtm",           "serialize", "sha512", "sha_ni",    "sm3",       "sm4",        "sse",
    "sse2",       "sse4_1",        "sse4_2",    "sse4a",  "ssse3",     "tbm",       "user_shstk", "vaes",
    "vpclmulqdq", "waitpkg",       "xgetbv1",   "xop",    "xsave",     "xsavec",    "xsaveopt"};

bool for_users(std::string_view feature) {
  return feature.starts_with("avx") || feature.starts_with("amx_") ||
         std::find(std::begin(kUserFeatures), std::end(kUserFeatures), feature) != std::end(kUserFeatures);
}

std::uint32_t xsave_bytes() {
#if defined(__x86_64__) || defined(__i386__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx) != 0) return ebx;
#endif
  return 0;
}

std::string cgroup_layout() {
  constexpr long kCgroup2 = 0x63677270;  // CGROUP2_SUPER_MAGIC, linux/magic.h
  struct statfs there = {};
  if (::statfs("/sys/fs/cgroup", &there) == 0 && there.f_type == kCgroup2) return "v2";
  if (::statfs("/sys/fs/cgroup/unified", &there) == 0 && there.f_type == kCgroup2) return "hybrid";
  return "v1";
}

}  // namespace

std::vector<std::string> cpu_features(std::string_view cpuinfo) {
  std::istringstream lines{std::string(cpuinfo)};
  for (std::string line; std::getline(lines, line);) {
    const bool x86 = line.starts_with("flags\t");
    if (!x86 && !line.starts_with("Features\t")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    std::vector<std::string> features;
    for (std::string word; words >> word;)
      if (!x86 || for_users(word)) features.push_back(word);
    std::sort(features.begin(), features.end());
    return features;
  }
  return {};
}

MachineFacts machine_facts() {
  utsname names = {};
  ::uname(&names);
  // One processor's block is 2 kB; the file of a large host takes the kernel milliseconds.
  constexpr std::size_t kFirstBlock = 16U << 10U;
  return {.arch = names.machine,
          .kernel = names.release,
          .cpu = cpu_features(read_file("/proc/cpuinfo", kFirstBlock).value_or("")),
          .xsave_bytes = xsave_bytes(),
          .cgroups = cgroup_layout()};
}

}  // namespace ckpt
