#!/usr/bin/env bats
# What only gVisor's runsc does.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "an exec session makes the checkpoint impossible" {
  counter
  start_ckpt exec "$ID" -- /bin/sh -c 'echo here >/data/session; exec /bin/busybox sleep 1000'
  await '[[ -s $DATA/session ]]'
  ends_with 5 ckpt checkpoint --leave-running "$ID"
  says 'exec sessions' sleep
  counts_on
}
