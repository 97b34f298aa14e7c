#!/usr/bin/env bats
# SIGINT, SIGTERM and their like at each step: 128 and their number, and everything as it was before.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

# interrupt SIGNAL VERB WHEN GATE ARGS...: ckpt ARGS gets SIGNAL while the runtime's VERB stands at a GATE before or
# after its effect; then the gate is opened.
interrupt() {
  local signal=$1 verb=$2 when=$3 gate=$4
  shift 4
  behave
  do_at "$verb" "$when" "$gate"
  start "$@"
  await at_gate "$verb"
  kill -"$signal" "$BACKGROUND"
  await sleeping "$BACKGROUND"
  open_gate "$verb"
  finish
  await fake_gone "$verb"
  behave
}
# The signal has been taken: ckpt waits again.
sleeping() { gone "$1" || [[ $(cat "/proc/$1/stat" 2>/dev/null) == *") S "* ]]; }

interrupted_by() {
  case $1 in
    INT) ends 130 ;;
    TERM) ends 143 ;;
    HUP) ends 129 ;;
    QUIT) ends 131 ;;
  esac
  says "interrupted by SIG$1"
  same "ckpt: interrupted by SIG$1" "$stderr"
}
unharmed() {
  nothing_left
  no_image
  is_now c running
  same "" "$(find "$CKPT_STATE_DIR" -name stopping.json)"
}
no_container() {
  local pid
  nothing_left
  no_record
  same "" "$(find "$ROOT" -mindepth 1)"
  same "" "$(find "$STORE" -type f ! -name c.log)"
  if [ -e "$FAKE_DIR/pids" ]; then
    while read -r pid; do gone "$pid"; done <"$FAKE_DIR/pids"
  fi
}

@test "checkpoint: during the pause, before and after it took effect" {
  local signal when
  run_container c
  for signal in INT TERM; do
    for when in before after; do
      interrupt "$signal" pause "$when" gate checkpoint c
      interrupted_by "$signal"
      unharmed
    done
  done
}
@test "checkpoint: during the dump, which is let end" {
  local signal when
  run_container c
  for signal in INT TERM; do
    for when in before after; do
      interrupt "$signal" checkpoint "$when" gate checkpoint c
      interrupted_by "$signal"
      unharmed
      interrupt "$signal" checkpoint "$when" gate checkpoint --leave-running c
      interrupted_by "$signal"
      unharmed
    done
  done
}
@test "checkpoint: the terminal goes away, and Ctrl-backslash" {
  local signal
  run_container c
  for signal in HUP QUIT; do
    interrupt "$signal" checkpoint after gate checkpoint c
    interrupted_by "$signal"
    unharmed
  done
}
@test "checkpoint: SIGHUP below nohup is ignored" {
  run_container c
  do_at checkpoint after gate
  trap '' HUP
  start checkpoint --leave-running c
  trap - HUP
  await at_gate checkpoint
  kill -HUP "$BACKGROUND"
  open_gate checkpoint
  finish
  ends 0
}
@test "checkpoint: a file size limit is an error, not an end" {
  run_container c
  run --separate-stderr bash -c 'ulimit -f 0; exec "$@"' _ "$CKPT" checkpoint --leave-running c
  ends 1
  is_now c running
  no_image
}
@test "checkpoint: one signal, and a dump that does not end" {
  local begin=$SECONDS
  run_container c
  do_at checkpoint before hang
  start checkpoint c
  await at_gate checkpoint
  kill -TERM "$BACKGROUND"
  finish
  interrupted_by TERM
  ((SECONDS - begin <= 10))
  behave
  unharmed
}
@test "checkpoint: gVisor's" {
  runtime=runsc run_container c
  interrupt TERM checkpoint after gate checkpoint c
  interrupted_by TERM
  unharmed
  interrupt INT pause after gate checkpoint c
  interrupted_by INT
  unharmed
}
@test "checkpoint: --json" {
  run_container c
  interrupt TERM checkpoint before gate --json checkpoint c
  ends 143
  says_json interrupted
  unharmed
}
@test "checkpoint: into a directory of the user's" {
  run_container c
  mkdir "$T/mine"
  interrupt TERM checkpoint after gate checkpoint --image-path "$T/mine" --work-path "$T/work" c
  interrupted_by TERM
  unharmed
  same "" "$(find "$T/mine" -mindepth 1)"
  interrupt TERM checkpoint after gate checkpoint --image-path "$T/fresh" c
  interrupted_by TERM
  [ ! -e "$T/fresh" ]
}
@test "checkpoint: a second signal ends the dump" {
  run_container c
  do_at checkpoint before hang
  start checkpoint c
  await at_gate checkpoint
  kill -INT "$BACKGROUND"
  await sleeping "$BACKGROUND"
  kill -TERM "$BACKGROUND"
  finish
  interrupted_by INT
  behave
  unharmed
}
@test "checkpoint: when it is published the rest is done: the image is there, the container is gone" {
  run_container c
  interrupt TERM delete before gate checkpoint c
  ends 0
  same "" "$stderr"
  nothing_left
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
  same "" "$(find "$ROOT" -mindepth 1)"
  go restore -d c
  ends 0
}
@test "checkpoint: a dump that stops the container is published" {
  run_container c
  interrupt TERM checkpoint before gate checkpoint --link-remap c
  ends 0
  nothing_left
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
}
@test "checkpoint: while it waits for another one" {
  local first
  run_container c
  do_at checkpoint before gate
  start checkpoint --leave-running c
  await at_gate checkpoint
  first=$BACKGROUND
  start checkpoint --if-busy wait c
  await busy_waiting "$BACKGROUND"
  kill -INT "$BACKGROUND"
  finish
  interrupted_by INT
  open_gate checkpoint
  wait "$first"
  is_now c running
}
# It sleeps in the lock's loop: it has the state directory's lock file open again and again.
busy_waiting() { [ "$(tr '\0' ' ' <"/proc/$1/cmdline")" = "$CKPT checkpoint --if-busy wait c " ] && sleeping "$1"; }
@test "checkpoint: several containers: those not begun are left alone" {
  run_container c
  run_container d
  interrupt TERM checkpoint before gate checkpoint c d
  interrupted_by TERM
  unharmed
  is_now d running
}

@test "run -d: during create and start" {
  local signal verb when
  for signal in INT TERM; do
    for verb in create start; do
      for when in before after; do
        interrupt "$signal" "$verb" "$when" gate run -d -b "$BUNDLE" c
        interrupted_by "$signal"
        no_container
      done
    done
  done
}
@test "run: during create and start" {
  local verb when
  for verb in create start; do
    for when in before after; do
      interrupt TERM "$verb" "$when" gate run -b "$BUNDLE" c
      interrupted_by TERM
      no_container
    done
  done
}
@test "run: signals to the attached ckpt go to the container, whose status it ends with" {
  start run -b "$BUNDLE" c
  await greeting
  kill -TERM "$BACKGROUND"
  finish
  ends 143
  same "hello from the container" "$output"
  same "" "$stderr"
  no_container
}
greeting() { grep -q hello "$T/out"; }

@test "restore -d: before and after it took effect" {
  local signal when
  run_container c
  ckpt checkpoint c
  for signal in INT TERM; do
    for when in before after; do
      interrupt "$signal" restore "$when" gate restore -d c
      interrupted_by "$signal"
      nothing_left
      same "" "$(find "$ROOT" -mindepth 1)"
      same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
    done
  done
  go restore -d c
  ends 0
  is_now c running
}
@test "restore: attached" {
  run_container c
  ckpt checkpoint c
  interrupt INT restore after gate restore c
  interrupted_by INT
  nothing_left
  same "" "$(find "$ROOT" -mindepth 1)"
}
@test "wait and logs -f" {
  run_container c
  start wait c
  await sleeping_in_poll
  kill -TERM "$BACKGROUND"
  finish
  ends 143
  start logs -f c
  await greeting
  kill -INT "$BACKGROUND"
  finish
  ends 130
  is_now c running
}
sleeping_in_poll() { [[ $(cat "/proc/$BACKGROUND/wchan") == *poll* ]]; }
