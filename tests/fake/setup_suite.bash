# shellcheck shell=bash
# Once for all tests: the fake runtime is compiled, and what they stand on is looked for.

setup_suite() {
  bats_require_minimum_version 1.7.0
  local here ckpt
  here=$(cd -- "$BATS_TEST_DIRNAME" && pwd)
  ckpt=${CKPT:-$here/../../build/dev/ckpt}
  if [ "$(id -u)" -ne 0 ]; then
    echo "these tests need root: they make pid and mount namespaces" >&2
    return 1
  fi
  if [ ! -x "$ckpt" ]; then
    echo "there is no '$ckpt'; build it, or name it with CKPT" >&2
    return 1
  fi
  CKPT=$(realpath -- "$ckpt")
  FAKE_RUNTIME=$BATS_SUITE_TMPDIR/fake-runtime
  export CKPT FAKE_RUNTIME
  "${CC:-cc}" -std=c17 -O1 -Wall -Wextra -Werror -o "$FAKE_RUNTIME" "$here/fake-runtime.c"
}
