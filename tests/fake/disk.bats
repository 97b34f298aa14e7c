#!/usr/bin/env bats
# Disks that are read-only or full.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

unharmed() {
  nothing_left
  no_image
  is_now c running
}

@test "a read-only store" {
  run_container c
  mount_read_only "$STORE"
  refuses 1 runtime-failed "cannot make directory '$STORE/checkpoints'" "read-only file system" -- checkpoint c
  refuses 1 runtime-failed "read-only file system" -- checkpoint --leave-running c
  unharmed
  same "" "$(verbs | tr ' ' '\n' | grep -E 'pause|checkpoint')"
}
@test "a read-only store: run cannot log there, and leaves nothing" {
  mount_read_only "$STORE"
  refuses 1 runtime-failed "read-only file system" -- run -d -b "$BUNDLE" c
  no_record
  same "" "$(find "$ROOT" -mindepth 1)"
}
@test "a store that is full before the dump, during it, and behind it" {
  local size
  run_container c
  for size in 4k 8k 12k 16k; do
    mount_small "$size" "$T/small$size"
    go --store "$T/small$size" checkpoint c
    ends 1
    says "o space left on device"
    same "" "$(find "$T/small$size" -type f)"
    unharmed
    go --json --store "$T/small$size" checkpoint --leave-running c
    ends 1
    says_json runtime-failed
    same "" "$(find "$T/small$size" -type f)"
    unharmed
  done
}
@test "a read-only state directory: what reads works, what changes says why" {
  run_container c
  mount_read_only "$CKPT_STATE_DIR"
  is_now c running
  same c "$(ckpt list -q)"
  refuses 1 runtime-failed "read-only file system" -- checkpoint c
  refuses 1 runtime-failed "read-only file system" -- run -d -b "$BUNDLE" d
  refuses 1 runtime-failed "read-only file system" -- delete --force c
  go checkpoint --dry-run c
  ends 0
  go kill c
  ends 0
}
@test "a full state directory" {
  mount_small 4k "$T/small"
  echo full >"$T/small/full"
  CKPT_STATE_DIR=$T/small refuses 1 runtime-failed "no space left on device" -- run -d -b "$BUNDLE" d
  same full "$(find "$T/small" -type f -printf '%f')"
  same "" "$(find "$ROOT" -mindepth 1 -name 'd*')"
}
@test "a state directory with room for little" {
  local size
  for size in 8k 12k 16k 20k; do
    mount_small "$size" "$T/small$size"
    echo x >"$T/small$size/full"
    CKPT_STATE_DIR=$T/small$size go run -d -b "$BUNDLE" d
    ends 1
    says "o space left on device"
    same full "$(find "$T/small$size" -type f ! -path '*/probe/*' -printf '%P')"
    same "" "$(find "$ROOT" -mindepth 1)"
  done
}
@test "files where directories should be" {
  run_container c
  echo x >"$STORE/checkpoints"
  refuses 1 runtime-failed "cannot make directory '$STORE/checkpoints" -- checkpoint c
  echo x >"$T/file"
  refuses 1 runtime-failed "cannot make directory '$T/file" "not a directory" -- --store "$T/file/store" checkpoint c
  nothing_left
  is_now c running
}
@test "a stdout that is full or closed" {
  to_full() { ckpt "$@" >/dev/full; }
  run --separate-stderr to_full list
  ends 1
  says "cannot write to standard output" "no space left on device"
  run_container c
  await test -s "$STORE/logs/c.log"
  run --separate-stderr to_full logs c
  ends 1
  says "cannot write to standard output" "no space left on device"
  run --separate-stderr to_full --version
  [ "$status" -lt 2 ]
  to_closed() { ckpt "$@" >&-; }
  run --separate-stderr to_closed list
  ends 0
}
@test "a disk that fills up behind a dump that stopped the container: what was dumped is kept and named" {
  mount_small 256k "$T/small"
  run_container c
  do_at checkpoint after gate
  start --store "$T/small" checkpoint --link-remap c
  await at_gate checkpoint
  head -c 1M /dev/zero >"$T/small/fill" 2>/dev/null || true
  open_gate checkpoint
  finish
  ends 1
  says "o space left on device" "what was dumped is kept in '$T/small/checkpoints/c/." "'ckpt restore c' publishes it"
  same 1 "$(find "$T/small/checkpoints/c" -name inventory.img | wc -l)"
  rm "$T/small/fill"
  go --store "$T/small" restore -d c
  ends 0
  holds "$stderr" "published 'c@"
  is_now c running
  same 1 "$(find "$T/small/checkpoints/c" -name ckpt.json | wc -l)"
  nothing_left
}
@test "a log that cannot be written: the container runs on, and logs tells of the gap" {
  mount_small 4k "$T/small"
  head -c 1M /dev/zero >"$T/small/fill" 2>/dev/null || true
  go run -d --log-path "$T/small/c.log" -b "$BUNDLE" c
  ends 0
  is_now c running
  await lost_output
  go logs c
  ends 0
  says "part of the output of 'c' could not be written to '$T/small/c.log' since 20" "no space left on device"
}
lost_output() { [ -n "$(find "$CKPT_STATE_DIR/containers" -name lost-output)" ]; }
