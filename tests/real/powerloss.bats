#!/usr/bin/env bats
# The power fails at each step of ckpt: what is on the disk then is looked at. The store is a file system in a file, whose
# copy has what was written through to it and not what only the page cache knows; mounting the copy replays its journal.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

# A store on a disk of its own, which writes nothing by itself.
plug_in_disk() {
  DISK=$T/disk
  mkdir "$T/copies" "$T/look" "$STORE"
  truncate -s 64M "$DISK"
  mkfs.ext4 -q -F -J size=4 "$DISK"
  if ! mount -o loop,commit=600,noauto_da_alloc "$DISK" "$STORE"; then
    DISK=
    [[ ${CI-} != true ]] || fail 'no loop devices in CI'
    skip 'a file system in a file cannot be mounted here'
  fi
}

# A container whose payload counts, and its checkpoint in $OLD, which is on the disk for good.
start_container() {
  use_runtime "$1"
  requires "$1"
  plug_in_disk
  counter
  OLD=$(ckpt checkpoint --leave-running "$ID")
  INIT=$(ckpt state "$ID" | jq .pid)
  sync -f "$STORE"
}

# at_each_step FIRST ARGUMENT...: ckpt, with a copy of the disk and a word on the container before each of its steps, the
# shell command FIRST before each copy
at_each_step() {
  cat >"$T/hook" <<EOF
#!/bin/sh
$1
cp --sparse=always "$DISK" "$T/copies/\$STEP"
case \$(sed -n 's/^State:.//p' /proc/$INIT/status 2>/dev/null) in '' | Z*) echo dead ;; *) echo alive ;; esac >"$T/copies/\$STEP.container"
EOF
  chmod +x "$T/hook"
  rm -f "$T"/copies/*
  leaf
  environment
  timeout 120 "${ENVIRONMENT[@]}" "${LEAF[@]}" "$SUITE/stepper" "$T/trace" each "$T/hook" "$SUITE/ckpt" "${@:2}" \
    </dev/null >"$T/stepped.out" 3>&-
}

# each_disk COMMAND: COMMAND with the store of each copy that is another than the one before in $T/look, its complete
# checkpoints in $names, and the state of the container at that time in $container; counts them in $disks
each_disk() {
  local step steps before=
  disks=0
  steps=$(wc -l <"$T/trace")
  for ((step = 1; step <= steps; ++step)); do
    container=$(<"$T/copies/$step.container")
    if [[ -n $before && $(<"$T/copies/$before.container") == "$container" ]] && cmp -s "$T/copies/"{"$before",$step}; then
      continue
    fi
    before=$step
    # A file of its own each time: another mount namespace may still have the copy before, whose end writes to its file.
    cp --sparse=always "$T/copies/$step" "$T/copy.$step"
    mount -o loop "$T/copy.$step" "$T/look"
    look "$1" || fail "power loss at step $(sed -n "${step}p" "$T/trace")" "$(find "$T/look/checkpoints")" || {
      umount "$T/look"
      return 1
    }
    umount "$T/look"
    rm "$T/copy.$step"
    disks=$((disks + 1))
  done
}

look() {
  ckpt --store "$T/look" --json images list "$ID" >"$T/list"
  # What has its final name is complete; only what is hidden, in the making or half removed, may be otherwise.
  jq -e 'all(.complete or (.path | test("/[.][^/]*$")))' <"$T/list" >/dev/null || fail 'an incomplete checkpoint' || return
  names=$(jq -r '.[] | select(.complete) | .name' <"$T/list")
  # shellcheck disable=SC2086 # words
  ckpt --store "$T/look" images verify $names >/dev/null || return
  "$1"
}

has() { [[ $'\n'$names$'\n' == *$'\n'$1$'\n'* ]] || fail "there is no $1"; }

# The old one always, and the new one when the container's life is over.
old_and_new() {
  has "$OLD" || return
  if [[ $names != "$OLD" ]]; then seen_new=$((seen_new + 1)); fi
  [[ $container == alive || $names != "$OLD" ]] || fail 'the container is dead and has no checkpoint' || return
  if [[ $container == dead ]]; then seen_dead=$((seen_dead + 1)); fi
}

stopping_checkpoint() {
  local seen_new=0 seen_dead=0 first
  start_container "$1"
  for first in : "sync -f '$STORE'"; do
    at_each_step "$first" checkpoint "$ID"
    each_disk old_and_new
    ((seen_new > 0 && seen_dead > 0)) || fail "$disks disks, $seen_new with the new one, $seen_dead without the container"
    printf '# power loss: %s: checkpoint: %d steps, %d disks; 0 lost\n' "$NAME" "$(wc -l <"$T/trace")" "$disks" >&3
    seen_new=0 seen_dead=0
    ckpt restore -d "$ID"
    ckpt images remove "$ID@latest"
    INIT=$(ckpt state "$ID" | jq .pid)
    sync -f "$STORE"
  done
}

@test "checkpoint: the old one and, when the container is gone, the new one: runc" { stopping_checkpoint runc-1.3; }

@test "checkpoint: the old one and, when the container is gone, the new one: runsc" { stopping_checkpoint runsc; }

kept() {
  has "$KEPT" || return
  if [[ $names == "$KEPT" ]]; then seen_removed=$((seen_removed + 1)); fi
}

@test "images prune: what it keeps, and what it removes is gone as a whole" {
  local seen_removed=0 first KEPT
  start_container runc-1.3
  for first in : "sync -f '$STORE'"; do
    KEPT=$(ckpt checkpoint --leave-running "$ID")
    cp -a "$STORE/checkpoints/$ID/${KEPT#*@}" "$STORE/checkpoints/$ID/20010101T000000Z-000000"
    sync -f "$STORE"
    at_each_step "$first" images prune --keep-last 1
    each_disk kept
    ((seen_removed > 0)) || fail 'none is removed'
    printf '# power loss: images prune: %d steps, %d disks; 0 lost\n' "$(wc -l <"$T/trace")" "$disks" >&3
    seen_removed=0
  done
}
