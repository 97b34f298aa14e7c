#!/usr/bin/env bats
# How a container's end is told: exit statuses, waiting, following its log.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "wait ends with the container's status" {
  bundle bundle /bin/payload exit 7 500
  launch "$ID"
  ends_with 7 ckpt wait "$ID"
  ends_with 7 ckpt wait "$ID"
  ckpt delete "$ID"
  ends_with 4 ckpt wait "$ID"
}

@test "wait tells the signal that killed it" {
  bundle bundle /bin/payload sleep
  launch "$ID"
  start_ckpt wait "$ID"
  ckpt kill "$ID" KILL
  ends_with 137 wait "$started"
  ends_with 137 ckpt wait "$ID"
}

@test "an attached run has the container's output and status, and leaves nothing" {
  bundle bundle /bin/sh -c 'echo out; echo err >&2; exit 7'
  run_options
  ends_with 7 ckpt "${RUN[@]}" run -b "$BUNDLE" "$ID"
  [[ $output == out && $errors == err ]]
  ends_with 4 ckpt state "$ID"
}

@test "an attached run that cannot start ends with 125" {
  bundle bundle /nosuch
  run_options
  ends_with 125 ckpt "${RUN[@]}" run -b "$BUNDLE" "$ID"
  says nosuch
}

@test "an attached restore has the container's status" {
  counter
  ckpt checkpoint "$ID"
  start_ckpt restore "$ID"
  goes_on_from "$(count)"
  await 'is_running "$ID"'
  ckpt kill "$ID" KILL
  ends_with 137 wait "$started"
}

@test "wait does not take a stopping checkpoint for an end" {
  counter
  start_ckpt wait "$ID"
  ckpt checkpoint "$ID"
  ends_with 5 wait "$started"
  grep -F "@" "$T/started.err"
  ends_with 5 ckpt wait "$ID"
  says checkpoint
}

@test "logs -f ends with the container" {
  counter
  start_ckpt logs -f "$ID"
  ckpt kill "$ID" TERM
  ends_with 0 wait "$started"
  cmp "$T/started.out" "$LOG"
  ends_with 0 ckpt wait "$ID"
}
