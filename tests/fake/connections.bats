#!/usr/bin/env bats
# checkpoint --tcp: what a restore does with connections is settled at the checkpoint.
# shellcheck disable=SC2154  # bats sets status, output and stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

# The flags for connections of the last call of VERB.
flags() { calls | jq -r --arg verb "$1" 'select(index($verb)) | .[] | select(startswith("--tcp"))'; }
restored() { forget_calls && ckpt restore -d --replace "$@" c >/dev/null && flags restore; }

@test "keep is --tcp-established, close closes at each restore that does not say otherwise" {
  runtime=crun run_container c
  ckpt checkpoint --leave-running --tcp keep c
  same --tcp-established "$(flags checkpoint)"
  same --tcp-established "$(restored)"
  forget_calls
  ckpt checkpoint --leave-running --tcp close c
  same --tcp-established "$(flags checkpoint)"
  same --tcp-close "$(restored)"
  same --tcp-established "$(restored --tcp keep)"
  same --tcp-established "$(restored --tcp-established)"
}

@test "auto keeps where nothing is in the way" {
  run_container c
  ckpt checkpoint --leave-running --tcp auto c
  same --tcp-established "$(restored)"
}

@test "two answers, and close for gVisor, are refused" {
  run_container c
  runtime=runsc run_container s
  refuses 2 usage "--tcp excludes --tcp-established" -- checkpoint --tcp keep --tcp-established c
  refuses 2 usage "did you mean" -- checkpoint --tcp clos c
  refuses 3 unsupported "--tcp close is not possible for 's'" "runsc keeps the connections inside" -- checkpoint --tcp close s
  ckpt checkpoint --leave-running --tcp keep s
  same "" "$(flags checkpoint)"
}
