#!/usr/bin/env bats
# ckpt killed with SIGKILL at each step, and what its guard does about it, or else the next one; two ckpts at once.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

# crash VERB WHEN ARGS...: ckpt ARGS is killed while the runtime's VERB stands at a gate.
crash() {
  local verb=$1 when=$2
  shift 2
  behave
  do_at "$verb" "$when" gate
  start "$@"
  await at_gate "$verb"
  kill -KILL "$BACKGROUND"
  finish
  ends 137
  open_gate "$verb"
  await fake_gone "$verb"
  behave
}
# crash_at_gate VERB WHEN ARGS...: the same, and what was done before to the runtime stays.
crash_at_gate() {
  local verb=$1 when=$2
  shift 2
  do_at "$verb" "$when" gate
  start "$@"
  await at_gate "$verb"
  kill -KILL "$BACKGROUND"
  finish
  ends 137
  await fake_gone "$verb"
}
resumes_tried() { [ "$(grep -c resume "$FAKE_RECORD")" -gt 1 ] && ! pgrep -x thaw-guard --env CKPT_STATE_DIR="$CKPT_STATE_DIR" >/dev/null; }
staged() { find "$STORE/checkpoints" -mindepth 2 -maxdepth 2 -name '.*'; }

put_right() { is_now c running && [ -z "$(staged)" ] && [ -z "$(find "$CKPT_STATE_DIR" -name c.lock)" ]; }

@test "checkpoint killed at any step: the container runs again, and what was staged is gone, with no further command" {
  local step
  run_container c
  for step in "pause before" "pause after" "checkpoint before" "checkpoint after"; do
    # shellcheck disable=SC2086  # two words
    crash $step checkpoint c
    await put_right
    nothing_left
  done
  same "" "$(find "$STORE" -name ckpt.json)"
  go checkpoint --leave-running c
  ends 0
  same "" "$stderr"
}
@test "the runtime that goes on without the ckpt that was killed is ended" {
  run_container c
  do_at checkpoint before gate
  start checkpoint --leave-running c
  await at_gate checkpoint
  kill -KILL "$BACKGROUND"
  finish
  ends 137
  await fake_gone checkpoint
  await put_right
}
@test "the next one waits for who puts right what a dead one left" {
  run_container c
  do_at checkpoint before gate
  start checkpoint --leave-running c
  await at_gate checkpoint
  kill -KILL "$BACKGROUND"
  finish
  behave
  go checkpoint --leave-running c
  ends 0
  is_now c running
  await put_right
  nothing_left
}
@test "ckpt and its guard killed: list and state say that the container was left paused, the next one resumes it" {
  run_container c
  do_at checkpoint before gate
  start checkpoint c
  await at_gate checkpoint
  kill -KILL "$(guard)" "$BACKGROUND"
  finish
  ends 137
  kill -KILL "$(cat "$FAKE_DIR/at/checkpoint")"
  behave
  go state c
  ends 0
  same paused,true "$(jq -r '[.status, .left_paused] | map(tostring) | join(",")' <<<"$output")"
  holds "$stderr" "'c' was left paused by a ckpt that died"
  go --json list
  same true "$(jq '.[0].left_paused' <<<"$output")"
  go checkpoint --leave-running c
  ends 0
  holds "$stderr" "ckpt: warning: container 'c' had been left paused by a ckpt that was killed; it runs again"
  holds "$stderr" "an unfinished checkpoint of a ckpt that was killed"
  same 2 "$(wc -l <<<"$stderr")"
  go state c
  same null "$(jq .left_paused <<<"$output")"
  nothing_left
}
guard() { pgrep -P "$BACKGROUND" -x thaw-guard; }
@test "a unit's ExecStopPost does it as well, and nothing where there is nothing to do" {
  run_container c
  do_at checkpoint before gate
  start checkpoint c
  await at_gate checkpoint
  kill -KILL "$(guard)" "$BACKGROUND"
  finish
  behave
  go -q __guard c
  ends 0
  put_right
  go -q __guard c
  ends 0
  nothing_left
}
@test "no guard is left when a checkpoint ends, well or not" {
  run_container c
  go checkpoint --leave-running c
  ends 0
  do_at checkpoint before fail "no room"
  go checkpoint --leave-running c
  ends 1
  same "" "$(pgrep -x thaw-guard --env CKPT_STATE_DIR="$CKPT_STATE_DIR" || true)"
}
@test "checkpoint killed behind its publication: nothing of the image is lost, and the container runs" {
  run_container c
  do_at delete before hang
  start checkpoint c
  await at_gate delete
  kill -KILL "$BACKGROUND" "$(cat "$FAKE_DIR/at/delete")"
  finish
  behave
  await put_right
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
  go checkpoint --leave-running c
  ends 0
  is_now c running
  nothing_left
  same 2 "$(find "$STORE" -name ckpt.json | wc -l)"
}
@test "delete and restore --replace after a crash" {
  run_container c
  take_checkpoint c
  crash checkpoint before checkpoint c
  go restore -d c
  ends 5
  is_now c running
  nothing_left
  crash checkpoint before checkpoint c
  go restore -d --replace c
  ends 0
  is_now c running
  nothing_left
  crash checkpoint before checkpoint c
  go delete --force c
  ends 0
  nothing_left
  no_record
}
@test "the resume after a crash fails: it is told, and the next one tries again" {
  run_container c
  do_at resume before fail "thaw is broken"
  crash_at_gate checkpoint before checkpoint c
  await resumes_tried
  go checkpoint --leave-running c
  ends 1
  says "resume of 'c' failed" "thaw is broken"
  is_now c paused
  behave
  go checkpoint --leave-running c
  ends 0
  is_now c running
  nothing_left
}
@test "a note that is rubbish is ignored" {
  local lock note
  run_container c
  crash checkpoint before checkpoint c
  await put_right
  lock=$(find "$CKPT_STATE_DIR/locks" -mindepth 1 -type d)/c.lock
  for note in rubbish "[]" "{}" '{"verb":7}' '{"verb":"checkpoint","group":"x"}' '{"verb":"checkpoint","group":1}'; do
    echo "$note" >"$lock"
    go checkpoint --leave-running c
    ends 0
  done
}
@test "checkpoint by a dump that stops the container, killed: what it dumped is published, and restored from" {
  run_container c
  take_checkpoint c
  crash checkpoint after checkpoint --link-remap c
  go checkpoint c
  ends 4
  says "container 'c'"
  same 1 "$(staged | wc -l)"
  go restore -d c
  ends 0
  holds "$stderr" "ckpt: warning: published '$(ckpt images list -q c | tail -n 1)': a ckpt that could not had dumped it of 'c'"
  is_now c running
  same 2 "$(ckpt images list -q c | wc -l)"
  same stopped-by-dump "$(jq -r .guarantee "$STORE/checkpoints/c/$(ckpt images list -q c | tail -n 1 | cut -d@ -f2)/ckpt.json")"
  go images verify "$(ckpt images list -q c | tail -n 1)"
  ends 0
  nothing_left
}
@test "a dump that stopped the container and was cut off: it is not published, and nobody removes it" {
  run_container c
  take_checkpoint c
  crash checkpoint after checkpoint --link-remap c
  find "$(staged)" -name inventory.img -delete
  go restore -d c
  ends 0
  holds "$stderr" "'$(staged)' holds what a ckpt that was killed had dumped of 'c'"
  same 1 "$(staged | wc -l)"
}
# untold OPTION: a checkpoint whose process tree cannot be read
untold() {
  run_container c
  do_at checkpoint after gate
  start checkpoint "$1" c
  await at_gate checkpoint
  echo rubbish, which is no image of a process tree >"$(staged)/checkpoint/pstree.img"
  open_gate checkpoint
  finish
}
@test "what cannot be told of a dump that stopped the container does not keep it from the store" {
  untold --link-remap
  ends 0
  holds "$stderr" "is published without its processes and open files: '"
  same "$output" "$(ckpt images list -q c)"
  go images verify "$output"
  ends 0
}
@test "what cannot be told of a dump whose container runs: it fails, and the container goes on" {
  untold --leave-running
  ends 7
  is_now c running
  nothing_left
  no_image
}
@test "run -d killed: the monitor brings the container up, it is listed and can be deleted" {
  crash create before run -d -b "$BUNDLE" c
  await status_is c running
  same c "$(ckpt list -q)"
  go run -d -b "$BUNDLE" c
  ends 5
  go delete --force c
  ends 0
  nothing_left
  no_record
}
status_is() { [ "$(ckpt state "$1" 2>/dev/null | jq -r .status)" = "$2" ]; }
@test "restore -d killed: the same" {
  run_container c
  ckpt checkpoint c
  crash restore before restore -d c
  await status_is c running
  go delete --force c
  ends 0
  nothing_left
}
@test "attached run killed: the container and its record are found and removed" {
  start run -b "$BUNDLE" c
  await status_is c running
  kill -KILL "$BACKGROUND"
  finish
  go delete --force c
  ends 0
  nothing_left
  no_record
}

# ---- two at once

busy_checkpoint() {
  do_at checkpoint before gate
  start checkpoint --leave-running c
  await at_gate checkpoint
}

@test "two checkpoints at once: the second names the first" {
  run_container c
  busy_checkpoint
  refuses 8 busy "container 'c' is busy with ckpt checkpoint (pid $BACKGROUND, since 20" "--if-busy wait" -- checkpoint c
  refuses 8 busy "busy with ckpt checkpoint" -- delete --force c
  refuses 8 busy "busy with ckpt checkpoint" -- checkpoint --if-busy fail c
  open_gate checkpoint
  finish
  ends 0
  nothing_left
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
}
@test "--if-busy skip: 0 and nothing done" {
  run_container c
  busy_checkpoint
  go checkpoint --if-busy skip c
  ends 0
  same "" "$output$stderr"
  go --json checkpoint --if-busy skip c
  ends 0
  same c "$(jq -r .id <<<"$output")"
  holds "$(jq -r .skipped <<<"$output")" "busy with"
  open_gate checkpoint
  finish
  ends 0
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
}
@test "--if-busy wait: goes on when the first has ended" {
  local first
  run_container c
  busy_checkpoint
  first=$BACKGROUND
  start checkpoint --leave-running --if-busy wait c
  open_gate checkpoint
  wait "$first"
  finish
  ends 0
  nothing_left
  same 2 "$(find "$STORE" -name ckpt.json | wc -l)"
}
@test "--if-busy wait: at most --timeout" {
  run_container c
  busy_checkpoint
  go checkpoint --if-busy wait --timeout 300ms c
  ends 8
  says "container 'c' is busy with"
}
@test "two runs of one id at once" {
  do_at create before gate
  start run -d -b "$BUNDLE" c
  await at_gate create
  refuses 8 busy "container 'c' is busy with ckpt run (pid $BACKGROUND" -- run -d -b "$BUNDLE" c
  open_gate create
  finish
  ends 0
  is_now c running
}
@test "two containers of different roots do not hold each other up" {
  run_container c
  runtime=crun run_container c --root "$T/root2"
  busy_checkpoint
  rm "$FAKE_DIR/do/checkpoint"
  go --root "$T/root2" checkpoint --leave-running c
  ends 0
  open_gate checkpoint
  finish
  ends 0
}
