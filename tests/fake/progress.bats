#!/usr/bin/env bats
# Progress of long steps: JSON on a descriptor, a line on a terminal, nothing where nobody asked.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

events() { jq -r "$1" "$T/events"; }

@test "events on a descriptor, each step's last says how it ended" {
  run_container c
  ckpt --progress-fd 5 checkpoint --compression zstd c 5>"$T/events" >"$T/out"
  [ "$(wc -l <"$T/out")" -eq 1 ]
  [ "$(events 'select(.state == "done").step' | tr '\n' ' ')" = "dump compression publication " ]
  [ "$(events 'select(.step == "compression" and .state == "done") | .bytes > 0 and .total > 0')" = true ]
  ckpt --progress-fd 5 restore -d c 5>"$T/events" >"$T/out"
  [ "$(events 'select(.state == "done").step' | tr '\n' ' ')" = "restore " ]
  ckpt --progress-fd 5 images verify c@latest 5>"$T/events" >"$T/out"
  [[ "$(events 'select(.state == "done") | "\(.step) \(.name)"')" == "verification c@"* ]]
}
@test "a step that fails ends as failed, and a reader that is gone does no harm" {
  run_container c
  do_at checkpoint before fail no luck
  run ckpt --progress-fd 5 checkpoint c 5>"$T/events"
  [ "$status" -eq 1 ]
  [ "$(events 'select(.state != "running") | "\(.step) \(.state)"')" = "dump failed" ]
  behave
  ckpt --progress-fd 5 checkpoint --leave-running c 5> >(:) >"$T/out"
  [ -s "$T/out" ]
}
@test "a reader that does not read keeps nothing waiting" {
  run_container c
  mkfifo "$T/fifo"
  exec 6<>"$T/fifo"
  # The pipe is full.
  dd if=/dev/zero of="$T/fifo" bs=4096 count=100 oflag=nonblock 2>/dev/null || true
  timeout 60 unshare --cgroup -- "$CKPT" --progress-fd 5 checkpoint --leave-running c 5>"$T/fifo" >"$T/out" </dev/null 3>&-
  exec 6>&-
  [ -s "$T/out" ]
}
@test "a line on a terminal, which is gone at the end" {
  run_container c
  do_at checkpoint before gate
  script -qefc "unshare --cgroup -- $CKPT checkpoint c" "$T/typescript" </dev/null >/dev/null 3>&- &
  BACKGROUND=$!
  await at_gate checkpoint
  await grep -q "dump of 'c': " "$T/typescript"
  open_gate checkpoint
  wait "$BACKGROUND"
  BACKGROUND=
  grep -q "$(printf '\033\\[K')c@" "$T/typescript" || { cat -v "$T/typescript"; return 1; }
}
@test "nothing on a terminal with --no-progress or --quiet" {
  run_container c
  local option
  for option in --no-progress --quiet; do
    do_at checkpoint before gate
    script -qefc "unshare --cgroup -- $CKPT $option checkpoint --leave-running c" "$T/typescript" </dev/null >/dev/null 3>&- &
    BACKGROUND=$!
    await at_gate checkpoint
    open_gate checkpoint
    wait "$BACKGROUND"
    BACKGROUND=
    ! grep -q "dump of" "$T/typescript"
    behave
  done
}
@test "a descriptor that is none" {
  refuses 2 usage "--progress-fd" "'77' is not an open descriptor" -- list --progress-fd 77
  refuses 2 usage "--progress-fd" "'1' is not an open descriptor" -- list --progress-fd 1
  refuses 2 usage "--progress-fd" "'x' is not an open descriptor" -- list --progress-fd x
}
