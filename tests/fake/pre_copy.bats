#!/usr/bin/env bats
# Pre-copy on a runtime that misbehaves: what is asked of it, and that a failed round does no harm.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

unharmed() {
  nothing_left
  no_image
  is_now c running
}

@test "each round has the one before as its parent, the last dump the last of them" {
  run_container c
  forget_calls
  ckpt checkpoint --pre-copy=2 c >/dev/null
  # shellcheck disable=SC2016
  same 'checkpoint S/.STAMP/pre-1 - true
checkpoint S/.STAMP/pre-2 ../pre-1 true
checkpoint S/.STAMP/checkpoint ../pre-2 false' "$(calls | jq -r 'select(index("checkpoint")) | . as $a |
    def value($f): if index($f) then $a[index($f) + 1] else "-" end;
    "checkpoint \(value("--image-path") | sub(".*/c/"; "S/")) \(value("--parent-path")) \(index("--pre-dump") != null)"')"
  same '2' "$(jq '.pre_dumps | length' "$STORE"/checkpoints/c/2*/ckpt.json)"
  go images verify c@latest
  ends 0
  ckpt restore -d c
  is_now c running
}

@test "a dry run shows the rounds that are sure to be" {
  run_container c
  go --json --dry-run checkpoint --leave-running --pre-copy=3 c
  same 4 "$(jq 'map(select(index("checkpoint"))) | length' <<<"$output")"
  go --json --dry-run checkpoint --leave-running --pre-copy c
  same 2 "$(jq 'map(select(index("checkpoint"))) | length' <<<"$output")"
  unharmed
}

@test "with --image-path the rounds lie inside" {
  run_container c
  ckpt checkpoint --leave-running --pre-copy=1 --image-path "$T/image" c
  [ -e "$T/image/pre-1" ]
  same 'pre-1' "$(calls | jq -r 'select(index("--parent-path")) | .[index("--parent-path") + 1]')"
}

@test "a round that fails, at each of them, and the container goes on" {
  local round
  run_container c
  for round in pre-1 pre-2 checkpoint; do
    echo -n "/$round" >"$FAKE_DIR/fail-image"
    go checkpoint --pre-copy=2 c
    ends 1
    says "of 'c' failed" "told to fail"
    grep -q 'told to fail' "$CKPT_STATE_DIR/failed/c.dump.log"
    rm -r "$CKPT_STATE_DIR/failed"
    unharmed
  done
  rm "$FAKE_DIR/fail-image"
  ckpt checkpoint --pre-copy=2 c
}

@test "a signal during a round, and a ckpt that is killed there" {
  local signal
  run_container c
  for signal in INT TERM KILL; do
    behave
    do_at checkpoint before gate
    start checkpoint --pre-copy c
    await at_gate checkpoint
    kill -"$signal" "$BACKGROUND"
    if [ "$signal" != KILL ]; then open_gate checkpoint; fi
    finish
    open_gate checkpoint
    await fake_gone checkpoint
    behave
    if [ "$signal" = KILL ]; then go checkpoint --leave-running --if-busy wait c; fi
    if [ "$signal" = KILL ]; then ends 0; fi
    nothing_left
    is_now c running
  done
}

@test "refused where the kernel, the runtime or the container is not for it" {
  : >"$FAKE_DIR/no-dirty-tracking"
  run_container c
  refuses 3 unsupported "does not track changed memory" "CONFIG_MEM_SOFT_DIRTY" -- checkpoint --pre-copy c
  refuses 3 unsupported "does not track changed memory" -- --dry-run checkpoint --pre-copy c
  ckpt delete --force c
  runtime=runsc run_container s
  refuses 3 unsupported "gVisor saves all of the memory at once" -- checkpoint --pre-copy s
  refuses 2 usage "'0' is neither auto nor a number" -- checkpoint --pre-copy=0 s
}
