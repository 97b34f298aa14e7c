# Writes OUT, the source of version(): 0.2.0 at the tag v0.2.0 and 0.2.0+3.g1a2b3c4 three commits behind it, VERSION+g1a2b3c4
# where there is no tag, VERSION where SOURCE is no checkout. Run at each build; a file that says the same is left alone.
if(EXISTS ${SOURCE}/.git)
  execute_process(COMMAND git -C ${SOURCE} describe --tags --match v[0-9]* --always
                  OUTPUT_VARIABLE DESCRIBED OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(DESCRIBED MATCHES "^v(.+)-([0-9]+)-(g[0-9a-f]+)$")
  set(VERSION "${CMAKE_MATCH_1}+${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
elseif(DESCRIBED MATCHES "^v(.+)$")
  set(VERSION "${CMAKE_MATCH_1}")
elseif(DESCRIBED)
  set(VERSION "${VERSION}+g${DESCRIBED}")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT [[#include "cli/version.h"

const char* ckpt::version() { return "@VERSION@"; }
]] @ONLY)
