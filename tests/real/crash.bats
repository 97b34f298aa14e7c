#!/usr/bin/env bats
# ckpt killed, interrupted, and failed by the disk, at each of its steps (tests/payload/stepper.c): nothing of the
# container is lost, and the next ckpt leaves nothing behind. A step is a call of ckpt's main thread that changes
# something, or that it is waiting for the runtime; the monitor of a detached container is not stepped.
#
# Each runtime tries its share of the steps, another one for each; CKPT_TEST_EVERY_STEP=1 tries all.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions for later; variables of helpers.bash and of each test

load helpers

# every WHAT STRIDE COMMAND...: COMMAND N WHAT for N = a first one of this runtime's, and each STRIDE-th behind it, until
# there are no more steps; the six runtimes together try all of them for 6, half of them for 12
every() {
  local what=$1 stride=$2 n
  local -a order=(runc-1.1 runc-1.3 crun-1.21 crun runsc-2024 runsc)
  shift 2
  for n in "${!order[@]}"; do [[ ${order[n]} == "$NAME" ]] && break; done
  if [[ -n ${CKPT_TEST_EVERY_STEP-} ]]; then n=0 stride=1; fi
  for ((n = n + 1; ; n += stride)); do
    "$@" "$n" "$what" || fail "at step $n, $what: $(sed -n "$(selector "$n" "$what")p" "$T/trace")" "ckpt: $(cat "$T/stepped.err")" || return
    reached "$n" "$what" || break
    counted[$what]=$((counted[$what] + 1))
  done
}

# A line of the trace: of steps, or of those that a disk can refuse.
selector() { case $2 in kill | term) echo "/^$1 /" ;; *) echo "/^[0-9]* $1 /" ;; esac; }
reached() { grep -q "$(selector "$@" | tr -d /)" "$T/trace"; }

# tally OPERATION: what was tried, as a comment of the test's
tally() {
  printf '# crash: %s: %s: kill %d, term %d, enospc %d, eio %d of %d steps; 0 lost, 0 left\n' "$NAME" "$1" \
    "${counted[kill]}" "${counted[term]}" "${counted[enospc]}" "${counted[eio]}" "$(wc -l <"$T/trace")" >&3
  ((counted[kill] > 0 && counted[term] > 0 && counted[enospc] > 0 && counted[eio] > 0)) || fail "not all were tried"
}

# stepped N WHAT ARGUMENT...: ckpt, and WHAT at its step N; its status is in $status.
stepped() {
  leaf
  environment
  status=0
  timeout 120 "${ENVIRONMENT[@]}" "${LEAF[@]}" "$SUITE/stepper" "$T/trace" "$1" "$2" "$SUITE/ckpt" "${@:3}" \
    </dev/null >"$T/stepped.out" 2>"$T/stepped.err" 3>&- || status=$?
  case $2 in
    kill) if reached "$1" "$2"; then [[ $status -eq 137 ]]; else [[ $status -eq 0 ]]; fi ;;
    term) [[ $status -eq 0 || $status -eq 143 ]] && told ;;
    *) [[ $status -eq 0 || $status -eq 1 ]] && told ;;
  esac || fail "status $status"
}

# One line of error when it failed, none else.
told() {
  local lines
  lines=$(grep -vc '^ckpt: warning: ' "$T/stepped.err") || true
  [[ $lines -eq $((status != 0)) ]] || fail "$lines lines of error and status $status"
}

# The container whose bundle it is, 100 times a second where nothing has to agree with a file.
start_container() {
  declare -gA counted=([kill]=0 [term]=0 [enospc]=0 [eio]=0)
  COUNT=$DATA/count
  OVERLAY=
  if [[ ${1-} == --overlay ]]; then
    OVERLAY=1
    if [[ $KIND == runsc ]]; then GLOBAL=(--network=none); fi
    bundle bundle /bin/payload database /db /data/count
  else
    bundle bundle /bin/payload counter /data/count 10
  fi
  launch "$@" "$ID"
  await '(($(count) > 2))'
  ckpt checkpoint --leave-running "$ID"
}

# Everything that is listed is whole, and there is nothing else. Old ones are removed to keep the test short.
nothing_is_left() {
  local -a names
  local left
  ckpt --json images list "$ID" >"$T/list"
  jq -e 'length > 0 and all(.complete)' <"$T/list" >/dev/null || fail 'an incomplete checkpoint' || return
  mapfile -t names < <(jq -r '.[].name' <"$T/list")
  ckpt images verify "${names[@]}" >/dev/null || return
  ckpt images prune --keep-last 1 "$ID" >/dev/null || return
  left=$(debris)
  [[ -z $left ]] || fail "left: $left"
}

debris() {
  local layers=0
  find "$STORE" "$STATE" -mindepth 1 -name '.*' ! -path "$STATE/probe/*"
  find "$STATE"/tmp "$STATE"/locks "$STORE/checkpoints" -mindepth 1 -maxdepth 2 ! -path "$STATE/locks/*-*" ! -path "$STORE/*/$ID*"
  find "$STATE/locks" -name '*.lock'
  [[ ! -e $ROOT/$ID ]] || find "$STATE/containers" -name stopping.json
  if [[ -n $OVERLAY && $KIND != runsc && -e $ROOT/$ID ]]; then layers=1; fi
  [[ $(find "$STORE/layers" -mindepth 2 -maxdepth 2 2>/dev/null | wc -l) -eq $layers ]] || find "$STORE/layers" -maxdepth 2
  [[ $(cut -d ' ' -f 5 /proc/self/mountinfo | grep -cF "$STORE/") -eq $layers ]] || grep -F "$STORE/" /proc/self/mountinfo
}

# Whatever happened, and with no further command.
runs_or_is_gone() {
  local from
  from=$(count)
  await "[[ ! -e \$ROOT/\$ID ]] || ((\$(count) > $from))" 5
}

leave_and_again() {
  stepped "$1" "$2" checkpoint --leave-running "$ID" && runs_or_is_gone || return
  ckpt checkpoint --leave-running "$ID" >/dev/null || return
  nothing_is_left && counts_on 0
}

@test "checkpoint --leave-running: it runs on" {
  local what
  start_container
  every kill 6 leave_and_again
  for what in term enospc eio; do every "$what" 12 leave_and_again; done
  tally 'checkpoint --leave-running'
}

# It runs, or its newest checkpoint is where it ended.
stop_and_go_on() {
  local from next=0
  stepped "$1" "$2" checkpoint "$ID" && runs_or_is_gone || return
  ckpt checkpoint --leave-running "$ID" >/dev/null 2>"$T/next.err" || next=$?
  if [[ $next -eq 4 ]]; then
    from=$(count)
    ckpt restore -d "$ID" >/dev/null && goes_on_from "$from" || return
  elif [[ $next -ne 0 ]]; then
    fail "the next one: status $next: $(cat "$T/next.err")" || return
  fi
  nothing_is_left && counts_on 0
}

@test "checkpoint: it runs on, or its newest checkpoint does" {
  local what
  start_container
  every kill 6 stop_and_go_on
  for what in term enospc eio; do every "$what" 12 stop_and_go_on; done
  tally checkpoint
}

@test "checkpoint with a layer: it runs on, or its newest checkpoint does" {
  local what
  start_container --overlay
  every kill 6 stop_and_go_on
  for what in term enospc eio; do every "$what" 12 stop_and_go_on; done
  tally 'checkpoint, --overlay'
}

# What it was killed at ends, or is removed by the next one; what failed has left nothing.
restore_and_again() {
  local next=0
  printf '%s\n' "$FROM" | tee "$COUNT.tmp" >"$COUNT"
  stepped "$1" "$2" restore -d "$ID" || return
  if [[ $status -eq 0 ]]; then
    goes_on_from "$FROM" && is_running "$ID" || return
  elif [[ $2 == kill ]]; then
    ckpt restore -d --replace "$ID" >/dev/null && counts_on 0 && is_running "$ID" || return
  elif [[ -e $ROOT/$ID || -n $(find "$STATE/containers" -mindepth 2) ]]; then
    ckpt state "$ID" | jq -e '.status == "running"' >/dev/null || fail "it failed, and left the container" || return
  fi
  nothing_is_left || return
  ckpt delete --force "$ID" && nothing_is_left
}

@test "restore: it runs, or nothing of it is there" {
  local what FROM
  start_container
  ckpt checkpoint "$ID" >/dev/null
  FROM=$(count)
  every kill 6 restore_and_again
  for what in term enospc eio; do every "$what" 12 restore_and_again; done
  tally restore
}

@test "restore with a layer: it runs, or nothing of it is there" {
  local what FROM
  start_container --overlay
  ckpt checkpoint "$ID" >/dev/null
  FROM=$(count)
  every kill 6 restore_and_again
  for what in term enospc eio; do every "$what" 12 restore_and_again; done
  tally 'restore, --overlay'
}

# $home has a checkpoint, $newest.
prune_and_again() {
  cp -a "$home/$newest" "$home/20010101T000000Z-000000"
  stepped "$1" "$2" images prune --keep-last 1 || return
  [[ -e $home/$newest/ckpt.json ]] || fail 'the newest is gone' || return
  ckpt images verify "$ID@latest" >/dev/null && ckpt images prune --keep-last 1 >/dev/null || return
  [[ $(ls -A "$home") == "$newest" ]] || fail "left: $(ls -A "$home")" || return
  # A lock is left to the next one that works on the container.
  [[ -z $(find "$STATE/locks" -name '*.lock') ]] || ckpt checkpoint --leave-running "$ID" >/dev/null || return
  nothing_is_left || return
  newest=$(ls "$home")
}

@test "images prune: what it keeps is whole, what it removes is gone after the next one" {
  local what home newest
  start_container
  home=$STORE/checkpoints/$ID
  newest=$(ls "$home")
  every kill 6 prune_and_again
  for what in term enospc eio; do every "$what" 12 prune_and_again; done
  tally 'images prune'
}

@test "images prune: a layer that a killed restore left goes, not that of a container that runs" {
  local step=12
  [[ $KIND != runsc ]] || skip "gVisor's own overlay, inside its image"
  start_container --overlay
  ckpt checkpoint "$ID" >/dev/null
  ckpt restore -d "$ID"
  # A record that is lost, as by another state directory.
  mv "$STATE/containers" "$T/aside"
  ckpt images prune --keep-last 1
  mv "$T/aside" "$STATE/containers"
  counts_on
  is_running "$ID"
  [[ -d $(layer)/merged ]] || fail 'the layer of a container that runs is gone'
  ckpt delete --force "$ID"
  # What overlayfs makes when it is mounted; the mount of crun's is in the namespace that its tests need.
  until [[ -d $(layer)/work/work ]]; do stepped $((++step)) kill restore -d "$ID"; done
  [[ $status -eq 137 ]] || fail 'it was not killed'
  ckpt images prune --dry-run --keep-last 1 >"$T/plan"
  grep -qxF "rm -r $(layer)" "$T/plan"
  ckpt images prune --keep-last 1
  [[ -z $(layer) ]] || fail "left: $(layer)"
  [[ -z $(mounts) ]] || fail "left: $(mounts)"
  # The rest is the next one's.
  ckpt restore -d "$ID"
}

layer() { find "$STORE/layers" -mindepth 2 -maxdepth 2; }
