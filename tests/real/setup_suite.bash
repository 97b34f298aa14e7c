# Once for all files: copies of the ckpt and the payload to test, so that a build meanwhile changes nothing.

setup_suite() {
  bats_require_minimum_version 1.8.0
  local repo beside
  repo=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  export SUITE=$BATS_SUITE_TMPDIR
  [[ $(id -u) -eq 0 ]] || { echo "these tests start containers: run them as root" >&2; return 1; }
  cp "$(newest "${CKPT-}" "$repo"/build/{release,dev}/ckpt)" "$SUITE/ckpt" || return
  for beside in helpers fake-cuda; do
    beside=$(dirname "$(newest "${CKPT-}" "$repo"/build/{release,dev}/ckpt)")/$beside
    if [[ -d $beside ]]; then cp -r "$beside" "$SUITE/"; fi
  done
  gcc -static -O2 -pthread -o "$SUITE/payload" "$repo/tests/payload/payload.c" &&
    gcc -static -O2 -o "$SUITE/stepper" "$repo/tests/payload/stepper.c"
}

# newest CHOSEN FILE...: CHOSEN if there is one, else the file that was made last.
newest() {
  [[ -z $1 ]] || { printf '%s\n' "$1"; return; }
  shift
  # shellcheck disable=SC2012 # names of our own making
  ls -t -- "$@" 2>/dev/null | head -n 1
}
