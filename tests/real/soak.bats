#!/usr/bin/env bats
# Signals and kills of ckpt, of the runtime and of CRIU at random moments of a checkpoint: five seconds later, without a
# further command, the container runs or its checkpoint is whole. CKPT_TEST_SOAK says how many (scripts/soak: 300).
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

readonly SIGNALS=(INT TERM HUP QUIT 'INT INT' KILL KILL KILL ABRT USR1 ALRM XFSZ PIPE)

# victim WHO: the pid of the ckpt that was started, or of its runtime or CRIU
victim() {
  local pid
  if [[ $1 == ckpt ]]; then
    if is_ours "$started"; then echo "$started"; fi
    return
  fi
  for pid in $(processes); do
    if [[ $(cat "/proc/$pid/comm") == "$1" ]]; then echo "$pid" && return; fi
  done 2>/dev/null
}

# What the runtime says, and what the container does.
runs() { [[ $(bare state "$ID" | jq -r .status) == running ]] && counts_on 1; }

saved() { [[ -z $(bare state "$ID" | jq -r .id) ]] && ckpt images verify "$ID@latest"; }

# mishap N: a checkpoint, live or not, and what becomes of it; the third of three is of CRIU or the runtime
mishap() {
  local who=ckpt what=${SIGNALS[RANDOM % ${#SIGNALS[@]}]} signal deadline status=0 options=(--leave-running)
  if (($1 % 4 == 3)); then options=(); fi
  if (($1 % 3 == 2)); then
    who=$KIND what=KILL
    if [[ $KIND != runsc && $(($1 % 6)) -eq 5 ]]; then who=criu; fi
  fi
  start_ckpt checkpoint "${options[@]}" --keep-last 3 "$ID"
  sleep "0.$(printf %03d $((RANDOM % ${CKPT_TEST_SOAK_SPAN:-500})))"
  for signal in $what; do kill "-$signal" "$(victim "$who")" || true; done 2>/dev/null
  { wait "$started" || status=$?; } 2>/dev/null
  deadline=$((SECONDS + 5))
  until runs; do ((SECONDS < deadline)) || break; done >/dev/null 2>&1
  if runs >/dev/null 2>&1; then
    tally[runs]=$((tally[runs] + 1))
  elif saved >/dev/null 2>&1; then
    tally[saved]=$((tally[saved] + 1))
    ckpt restore -d "$ID" >/dev/null
  elif [[ $who == criu && $(bare state "$ID" | jq -r .status) == stopped ]]; then
    # CRIU was inside of its processes, which die with it; what is left is the checkpoint before.
    tally[ended]=$((tally[ended] + 1))
    ckpt restore -d --replace "$ID" >/dev/null
  else
    fail "mishap $1: $what to $who, ckpt ended with $status: $(bare state "$ID" 2>&1)" "$(cat "$T/started.err")"
  fi
}

@test "whatever dies, the container runs on or is saved" {
  local i
  declare -gA tally=([runs]=0 [saved]=0 [ended]=0)
  counter
  ckpt checkpoint --leave-running "$ID" >/dev/null
  for ((i = 1; i <= ${CKPT_TEST_SOAK:-8}; i++)); do mishap "$i" || return; done
  counts_on
  ckpt checkpoint --leave-running --keep-last 1 "$ID" >/dev/null
  printf '# soak: %s: %d mishaps: runs on %d, saved %d, ended with CRIU %d, frozen 0, lost 0\n' "$NAME" $((i - 1)) \
    "${tally[runs]}" "${tally[saved]}" "${tally[ended]}" >&3
}
