# The names and numbers of the system calls that the compiler's kernel headers know, as OUT.
execute_process(COMMAND ${COMPILER} -E -dM -x c++ -include sys/syscall.h /dev/null
                OUTPUT_VARIABLE macros COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "#define __NR_[a-z0-9_]+ [0-9]+" lines "${macros}")
set(rows "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE "#define __NR_([a-z0-9_]+) ([0-9]+)" "    {\"\\1\", \\2},\n" row "${line}")
  string(APPEND rows "${row}")
endforeach()
set(text "// Made by scripts/syscalls.cmake.
#include \"images/seccomp_filter.h\"
namespace ckpt {
const std::vector<SystemCall>& system_calls() {
  static const std::vector<SystemCall> calls = {
${rows}  };
  return calls;
}
}  // namespace ckpt
")
file(CONFIGURE OUTPUT ${OUT} CONTENT "${text}" @ONLY)
