#!/usr/bin/env bats
# Containers with CUDA processes on machines without a GPU: the device is a null device of that name and
# cuda-checkpoint a stateful fake; runtimes, dumps and restores are real.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

CUDA_PROCESSES=2
# The current runsc would do it itself, but only for processes that use its nvproxy, which needs a driver.
MANUAL=(--cuda manual)

# cuda_container: CUDA_PROCESSES counters, each with /dev/nvidia0 open; process N counts in $DATA/N and has the pid in
# $DATA/pid.N inside.
cuda_container() {
  bundle bundle /bin/sh -c 'exec 3</dev/nvidia0; i=2; while [ $i -le "$0" ]; do /bin/payload counter /data/$i 100 & echo $! >/data/pid.$i; i=$((i + 1)); done; echo $$ >/data/pid.1; exec /bin/payload counter /data/1 100' "$CUDA_PROCESSES"
  export FAKE_CUDA_DIR=$T/cuda
  mkdir -p "$FAKE_CUDA_DIR"
  edit --arg cuda "$FAKE_CUDA_DIR" '
    .linux.devices += [{path: "/dev/nvidia0", type: "c", major: 1, minor: 3, fileMode: 438, uid: 0, gid: 0}]
    | .mounts += [{destination: "/cuda", type: "bind", source: $cuda, options: ["rbind", "rw"]}]'
  if [[ $KIND == runsc ]]; then GLOBAL+=(--nvproxy=false); fi
  COUNT=$DATA/1
  launch "$ID"
  await '(($(count "$DATA/$CUDA_PROCESSES") > 3 && $(count) > 3))' || { ckpt logs "$ID"; ckpt list; return 1; }
}

setup_file() {
  export FAKE_TOOL=$BATS_FILE_TMPDIR/cuda-checkpoint
  gcc -static -O2 -Wall -Wextra -Werror -o "$FAKE_TOOL" "$BATS_TEST_DIRNAME/../gpu/fake-cuda-checkpoint.c"
  export CKPT_CUDA_CHECKPOINT=$FAKE_TOOL
}

# The states of all, each once: "running" when all run.
states() {
  local n
  for ((n = 1; n <= CUDA_PROCESSES; n++)); do cat "$(of "$n" state)" 2>/dev/null || echo running; done | sort -u | paste -sd' '
}
# of N WHAT: the fake's file for process N
of() { printf '%s/%s.%s\n' "$FAKE_CUDA_DIR" "$(<"$DATA/pid.$1")" "$2"; }
# how HOW ACTION N: the fake's file that makes the action on process N fail or hang
how() { printf '%s/%s-%s-%s\n' "$FAKE_CUDA_DIR" "$1" "$2" "$(<"$DATA/pid.$3")"; }
all_count_on() {
  local n
  for ((n = 1; n <= CUDA_PROCESSES; n++)); do
    COUNT=$DATA/$n
    counts_on
  done
}
in_calls() { grep -c "^begin $1 " "$FAKE_CUDA_DIR/calls" || true; }

gpu_cycle() {
  local at result
  cuda_container
  result=$(ckpt --json checkpoint --leave-running "${MANUAL[@]}" "$ID")
  [[ $(jq -r .gpu.strategy <<<"$result") == manual ]]
  [[ $(jq '.gpu.pids | length' <<<"$result") == "$CUDA_PROCESSES" ]]
  [[ $(jq '[.gpu.steps[].action] | unique | join(" ")' <<<"$result") == '"checkpoint lock restore unlock"' ]]
  [[ $(states) == running ]]
  all_count_on
  for _ in 1 2; do
    COUNT=$DATA/1
    ckpt checkpoint "${MANUAL[@]}" "$ID"
    [[ $(states) == checkpointed ]]
    at=$(count)
    result=$(ckpt --json restore -d "$ID")
    [[ $(jq -r .gpu.strategy <<<"$result") == manual ]]
    [[ $(states) == running ]]
    goes_on_from "$at"
    all_count_on
  done
}

@test "one CUDA process is frozen, saved and thawed" { CUDA_PROCESSES=1 && gpu_cycle; }
@test "two CUDA processes" { CUDA_PROCESSES=2 && gpu_cycle; }
@test "four CUDA processes" { CUDA_PROCESSES=4 && gpu_cycle; }

@test "they are frozen at the same time" {
  CUDA_PROCESSES=4
  cuda_container
  echo 300 >"$FAKE_CUDA_DIR/delay"
  : >"$FAKE_CUDA_DIR/calls"
  ckpt checkpoint --leave-running "${MANUAL[@]}" "$ID"
  [[ $(grep -m 5 -E ' (lock) ' "$FAKE_CUDA_DIR/calls" | cut -d ' ' -f 1 | sort | uniq -c | xargs) == '4 begin 1 end' ]]
}

@test "one that fails to lock or to checkpoint: all run on, and it is told" {
  local action
  CUDA_PROCESSES=3
  cuda_container
  for action in lock checkpoint; do
    echo 'no such luck' >"$(how fail "$action" 2)"
    ends_with 6 ckpt checkpoint "${MANUAL[@]}" "$ID"
    says "$action of pid" "no such luck" "all 3 processes run on"
    [[ $(states) == running ]]
    rm "$(how fail "$action" 2)"
    all_count_on
  done
  [[ -z $(find "$STORE" -name ckpt.json) ]]
}

@test "one that hangs is given up, and the others are brought back" {
  cuda_container
  : >"$(how hang checkpoint 2)"
  ends_with 6 ckpt checkpoint --timeout 1s --cuda-timeout 1s "${MANUAL[@]}" "$ID"
  says "did not finish within"
  rm "$(how hang checkpoint 2)"
  [[ $(states) == running ]]
  all_count_on
}

@test "a dump that fails thaws the GPU" {
  cuda_container
  cat >"$T/$KIND" <<EOS
#!/bin/sh
case " \$* " in *" checkpoint --image-path "*) echo 'dump refused' >&2; exit 1 ;; esac
exec $PROGRAM "\$@"
EOS
  chmod +x "$T/$KIND"
  ends_with 1 ckpt --runtime-path "$T/$KIND" checkpoint "${MANUAL[@]}" "$ID"
  [[ $(states) == running ]]
  is_running "$ID"
  all_count_on
}

@test "a GPU that does not come back at a restore is a failure; the image is as good as before" {
  cuda_container
  ckpt checkpoint "${MANUAL[@]}" "$ID"
  echo 'out of memory' >"$(how fail restore 2)"
  ends_with 6 ckpt restore -d "$ID"
  says "out of memory" "the container was removed again"
  [[ $(ckpt list -q --root "$ROOT") == '' ]]
  rm "$(how fail restore 2)"
  printf 'checkpointed\n' | tee "$(of 1 state)" >"$(of 2 state)"
  ckpt restore -d "$ID"
  [[ $(states) == running ]]
  all_count_on
}

@test "a holder of the device that is no CUDA process is left out and named" {
  cuda_container
  : >"$(of 2 none)"
  ends_with 0 ckpt --json checkpoint --leave-running "${MANUAL[@]}" "$ID"
  says "are no CUDA processes" payload
  [[ $(jq '.gpu.pids | length' <<<"$output") == 1 ]]
}

@test "one that cannot be frozen is refused before the runtime is called" {
  cuda_container
  echo broken >"$FAKE_CUDA_DIR/help"
  ends_with 3 ckpt checkpoint "${MANUAL[@]}" "$ID"
  says "cannot be frozen" "Insufficient driver" gpu-detect
  is_running "$ID"
  rm "$FAKE_CUDA_DIR/help"
  echo locked >"$(of 1 state)"
  ends_with 5 ckpt checkpoint "${MANUAL[@]}" "$ID"
  says "locked already" gpu-thaw
  all_count_on
}

@test "gpu-thaw brings back what somebody left frozen" {
  cuda_container
  echo locked >"$(of 1 state)"
  echo checkpointed >"$(of 2 state)"
  [[ $(ckpt gpu-thaw --dry-run "$ID" | wc -l) -gt 0 && $(states) == 'checkpointed locked' ]]
  [[ $(ckpt gpu-thaw "$ID" | wc -l) == 2 ]]
  [[ $(states) == running ]]
  [[ $(ckpt gpu-thaw "$ID" | wc -l) == 0 ]]
}

@test "ckpt killed while the GPU is frozen: its guard thaws it, with no further command" {
  cuda_container
  slow_runtime 'checkpoint --image-path'
  start_ckpt --runtime-path "$SLOW" checkpoint "${MANUAL[@]}" "$ID"
  await '[[ -s $T/reached ]]'
  [[ $(states) == checkpointed ]]
  kill -KILL "$started"
  rm "$T/hold"
  await '[[ $(states) == running ]]'
  all_count_on
  ends_with 0 ckpt checkpoint --leave-running "${MANUAL[@]}" "$ID"
  [[ $(states) == running ]]
  all_count_on
}

@test "a container that cannot be thawed can still be deleted by force" {
  cuda_container
  slow_runtime 'checkpoint --image-path'
  start_ckpt --runtime-path "$SLOW" checkpoint "${MANUAL[@]}" "$ID"
  await '[[ -s $T/reached ]]'
  kill -KILL "$(pgrep -P "$started" -x thaw-guard)" "$started"
  rm "$T/hold"
  await '! kill -0 "$(<"$T/reached")"'
  echo 'no such luck' >"$(how fail restore 1)"
  ends_with 6 ckpt checkpoint "$ID"
  ends_with 0 ckpt delete --force "$ID"
  says "no such luck"
  [[ -z $(find "$STORE" -mindepth 3) && $(ckpt list -q --root "$ROOT") == '' ]]
}

@test "a driver that only toggles (550)" {
  cuda_container
  echo '--toggle --pid PID' >"$FAKE_CUDA_DIR/help"
  ckpt checkpoint --leave-running "${MANUAL[@]}" "$ID"
  [[ $(states) == running && $(in_calls toggle) == 4 && $(in_calls lock) == 0 ]]
  ckpt checkpoint "${MANUAL[@]}" "$ID"
  [[ $(states) == checkpointed ]]
  ckpt restore -d "$ID"
  [[ $(states) == running ]]
  all_count_on
}

@test "--cuda: what is not there is refused, off leaves the GPU alone" {
  cuda_container
  case $KIND in
    runsc) ends_with 3 ckpt checkpoint --cuda plugin "$ID" && says "does not use CRIU" ;;
    *) ends_with 3 ckpt checkpoint --cuda native "$ID" && says "does not call cuda-checkpoint itself" ;;
  esac
  : >"$FAKE_CUDA_DIR/calls"
  ckpt checkpoint --cuda off --leave-running "$ID"
  [[ ! -s $FAKE_CUDA_DIR/calls ]]
}

@test "auto takes the first way that the installed programs have, and its options" {
  local plan
  cuda_container
  plan=$(ckpt checkpoint --dry-run --leave-running "$ID")
  case $NAME in
    runsc)
      [[ $plan == *" --cuda-checkpoint-path /usr/local/bin/cuda-checkpoint "* ]]
      [[ $(wc -l <<<"$plan") == 1 ]]
      ;;
    runsc-2024) [[ $(grep -c "exec $ID /usr/local/bin/cuda-checkpoint --action" <<<"$plan") == 8 ]] ;;
    *) [[ $(grep -c "^$FAKE_TOOL --action" <<<"$plan") == 8 ]] ;;
  esac
  [[ $(states) == running ]]
}

@test "a container of somebody else's: the device's holders are found without ckpt's finder" {
  cuda_container
  ckpt delete --force "$ID"
  rm "$BUNDLE"/rootfs/usr/local/bin/* # the places of ckpt's mounts
  if [[ $KIND == runsc ]]; then cp "$FAKE_TOOL" "$BUNDLE/rootfs/bin/cuda-checkpoint"; fi
  bare run --detach --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
  await '(($(count "$DATA/$CUDA_PROCESSES") > 3))'
  result=$(ckpt --json --root "$ROOT" checkpoint "${MANUAL[@]}" --leave-running "$ID")
  [[ $(jq '.gpu.pids | length' <<<"$result") == "$CUDA_PROCESSES" ]]
  [[ $(states) == running && $(in_calls lock) == "$CUDA_PROCESSES" ]]
}

@test "ckpt's own cuda-checkpoint, over a fake libcuda: one call acts on all processes" {
  unset CKPT_CUDA_CHECKPOINT
  CUDA_PROCESSES=3
  cuda_container
  export LD_LIBRARY_PATH=$SUITE/fake-cuda/new
  echo running >"$FAKE_CUDA_DIR/state"
  if [[ $KIND == runsc ]]; then # it needs a libc, which this container has not
    ends_with 3 ckpt checkpoint "${MANUAL[@]}" --leave-running "$ID"
    says "cannot be frozen"
  else
    result=$(ckpt --json checkpoint "${MANUAL[@]}" --leave-running "$ID")
    [[ $(jq -c '[.gpu.steps[].action] | group_by(.) | map([.[0], length])' <<<"$result") == \
      '[["checkpoint",3],["lock",3],["restore",3],["unlock",3]]' ]]
    [[ $(ckpt checkpoint --dry-run "$ID" | grep -c -- "--action lock --pid [0-9]*,[0-9]*,[0-9]* --timeout 10000") == 1 ]]
  fi
  all_count_on
}
