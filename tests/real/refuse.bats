#!/usr/bin/env bats
# Containers in the wrong state, and several commands at one container.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "run on an id that is taken leaves the running one unharmed" {
  local pid
  counter
  pid=$(bare state "$ID" | jq .pid)
  ends_with 5 launch "$ID"
  says "$ID" 'exists already'
  [[ $(bare state "$ID" | jq .pid) == "$pid" ]]
  counts_on
  log_is_whole 5
}

@test "a created and a stopped container have nothing to checkpoint" {
  bundle bundle /bin/payload sleep
  bare create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
  ends_with 5 ckpt --root "$ROOT" checkpoint "$ID"
  says "'$ID' is created"
  bare start "$ID"
  bare kill "$ID" KILL
  await '[[ $(ckpt --root "$ROOT" state "$ID" | jq -r .status) == stopped ]]'
  ends_with 5 ckpt --root "$ROOT" checkpoint "$ID"
  says "'$ID' is stopped"
  [[ ! -d $STORE/checkpoints/$ID || -z $(ls -A "$STORE/checkpoints/$ID") ]]
}

@test "two checkpoints at once: one is made, the other told" {
  slow_runtime checkpoint
  counter --runtime-path "$SLOW"
  start_ckpt checkpoint --leave-running "$ID"
  await '[[ -s $T/reached ]]'
  ends_with 8 ckpt checkpoint "$ID"
  says "$ID"
  ends_with 0 ckpt checkpoint --if-busy skip "$ID"
  rm "$T/hold"
  ends_with 0 wait "$started"
  counts_on
}

@test "what a killed ckpt left paused runs again with no further command" {
  slow_runtime checkpoint
  counter --runtime-path "$SLOW"
  start_ckpt checkpoint "$ID"
  await '[[ -s $T/reached ]]'
  kill -KILL "$started" "$(<"$T/reached")"
  wait "$started" || true
  rm "$T/hold"
  await '[[ $(bare state "$ID" | jq -r .status) == running ]]'
  counts_on
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  log_is_whole "$(count)"
}
