#!/usr/bin/env bats
# Several runtimes and roots at once.
# shellcheck disable=SC2016,SC2034,SC2154 # jq programs; variables of helpers.bash

load helpers

@test "list knows the containers of every root; one id in two roots is ambiguous" {
  local name
  requires runc-1.3 crun-1.21 runsc-2024 criu
  ROOTS=()
  for name in runsc-2024 runc-1.3 crun-1.21; do
    use_runtime "$name"
    ROOT=$T/root-$KIND
    mkdir -p "$ROOT"
    ROOTS+=("$ROOT")
    bundle "$KIND" /bin/payload sleep
    edit --arg path "/$KIND-$ID" '.linux.cgroupsPath = $path'
    launch "$ID"
  done
  BINARIES=$RUNTIMES/runc-1.3/bin:$RUNTIMES/crun-1.21/bin:$RUNTIMES/runsc-2024/bin:$RUNTIMES/criu/bin
  ckpt list --json | jq -e --arg id "$ID" --arg root "$T/root-" '[.[] | select(.id == $id)]
    | length == 3 and all(.status == "running" and .root == $root + .runtime and .pid > 0)'
  [[ $(ckpt list -q | grep -cx "$ID") -eq 3 ]]
  ends_with 5 ckpt state "$ID"
  says "3 containers '$ID'" "$T/root-runc" "$T/root-crun" "$T/root-runsc"
  [[ $(ckpt state --runtime crun "$ID" | jq -r .root) == "$T/root-crun" ]]
  [[ $(ckpt state --root "$T/root-runc" "$ID" | jq -r .runtime) == runc ]]
}
