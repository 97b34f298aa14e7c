#!/usr/bin/env bats
# What only runc does.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "connections in a network namespace that runc makes are refused" {
  COUNT=$DATA/count
  bundle bundle /bin/payload tcp /data/count
  launch "$ID"
  await '(($(count) > 5))'
  ends_with 5 ckpt checkpoint --tcp-established "$ID"
  says 'network namespace'
  counts_on
  [[ ! -e $COUNT.reconnects ]]
}

@test "connections in a network namespace that runc makes are closed when that is asked for" {
  COUNT=$DATA/count
  bundle bundle /bin/payload tcp /data/count
  launch "$ID"
  await '(($(count) > 5))'
  ends_with 0 ckpt checkpoint --check --tcp auto "$ID"
  ends_with 0 ckpt checkpoint --tcp auto "$ID"
  says 'will find these connections closed'
  ckpt restore -d "$ID"
  await '[[ -e $COUNT.reconnects ]]'
  is_running "$ID"
}
