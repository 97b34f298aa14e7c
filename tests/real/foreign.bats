#!/usr/bin/env bats
# Containers that the bare runtime started.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "a container of the bare runtime is listed, checkpointed and restored" {
  local at
  COUNT=$DATA/count
  bundle bundle /bin/payload counter /data/count
  run_options
  bare run --detach --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
  await '(($(count) > 5))'
  ckpt list --root "$ROOT" --json | jq -e --arg id "$ID" --arg kind "$KIND" --arg root "$ROOT" \
    'length == 1 and .[0].id == $id and .[0].runtime == $kind and .[0].root == $root and .[0].status == "running"'
  ckpt "${RUN[@]}" checkpoint --leave-running "$ID"
  counts_on
  ckpt "${RUN[@]}" checkpoint "$ID"
  at=$(count)
  ckpt "${RUN[@]}" restore -d "$ID"
  goes_on_from "$at"
  counts_on
  is_running "$ID"
}

@test "one of its own goes on under the bare runtime's eyes" {
  counter
  bare list | grep -F "$ID" | grep -F running
  [[ $(bare state "$ID" | jq -r .status) == running ]]
  bare kill "$ID" TERM
  ends_with 0 ckpt wait "$ID"
}
