#!/usr/bin/env bats
# doctor tells each real program's version as the program itself does, and that the host of the other tests is good.
# shellcheck disable=SC2154 # variables of helpers.bash

load helpers

found() { jq -r --arg area "$1" --arg name "$2" '.checks[] | select(.area == $area and .name == $name) | .found' <<<"$report"; }

@test "the versions that the programs tell" {
  local version
  report=$(ckpt --json --runtime "$KIND" doctor) || true
  version=$("${ENVIRONMENT[@]}" "$PROGRAM" --version 2>&1 | sed -n '1s/^[a-z]* version //p')
  [[ $(found runtime "$KIND") == "$version ('$PROGRAM')" ]] || fail "not $version: $(found runtime "$KIND")"
  if [[ $KIND != runsc ]]; then
    version=$("$(program criu)" --version | sed -n 's/^Version: //p')
    [[ $(found criu version) == "$version ('$(program criu)')" ]] || fail "not $version: $(found criu version)"
    [[ $(found criu check) == "the kernel has what it needs" ]] || fail "$(found criu check)"
  fi
}

@test "nothing fails where the other tests pass" {
  report=$(ckpt --json --runtime "$KIND" doctor) || fail "$(jq -r '.checks[] | select(.status == "fails")' <<<"$report")"
}
