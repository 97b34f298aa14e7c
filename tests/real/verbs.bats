#!/usr/bin/env bats
# What people type every day, by its effect.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "paused it stands still, and goes on when it is resumed" {
  counter
  ckpt pause "$ID"
  [[ $(status_of "$ID") == paused ]]
  ends_with 5 ckpt pause "$ID"
  ends_with 5 ckpt exec "$ID" -- /bin/sh -c true
  ckpt resume "$ID"
  [[ $(status_of "$ID") == running ]]
  counts_on
  ends_with 5 ckpt resume "$ID"
}

@test "exec: directory, user, environment, status; detached it outlives its caller" {
  counter
  [[ $(ckpt exec --cwd /data -u 65534:65534 -e A=1 -e B='2 3' "$ID" -- /bin/sh -c \
    'echo $PWD $(/bin/busybox id -u):$(/bin/busybox id -g) $A $B') == "/data 65534:65534 1 2 3" ]]
  ends_with 7 ckpt exec -u 0 "$ID" -- /bin/sh -c 'exit 7'
  ckpt exec -d --pid-file "$T/pid" "$ID" -- /bin/sh -c 'echo lost; echo here >/data/other; exec /bin/busybox sleep 1000'
  await '[[ -s $DATA/other && -s $T/pid ]]'
  kill -0 "$(<"$T/pid")"
  kill "$(<"$T/pid")"
  ends_with 1 ckpt exec -d "$ID" -- /nosuch
}

@test "checkpoint --all and restore --all: two containers" {
  CONTAINERS+=("two-$ID")
  counter
  mkdir "$DATA/2"
  bundle second /bin/payload counter /data/2/count
  launch "two-$ID"
  await '[[ -s $DATA/2/count ]]'
  ckpt checkpoint --all --root "$ROOT"
  [[ -z $(ckpt list -q --root "$ROOT") ]]
  ckpt restore -d --all --root "$ROOT"
  is_running "$ID"
  is_running "two-$ID"
  counts_on
}

@test "run -d --stdio inherit: the caller's own streams, and no log" {
  bundle bundle /bin/sh -c 'echo out; echo err >&2; exec /bin/busybox sleep 1000'
  run_options
  ckpt "${RUN[@]}" run -d --stdio inherit -b "$BUNDLE" "$ID" >>"$T/mine.out" 2>>"$T/mine.err"
  await 'grep -q out "$T/mine.out" && grep -q err "$T/mine.err"'
  ends_with 4 ckpt logs "$ID"
  [[ ! -e $LOG ]]
}
