#!/usr/bin/env bats
# The life of one container: it runs, a checkpoint leaves it running, two stop it, and after each it goes on.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions and jq programs for later; variables of helpers.bash

load helpers

# cycle MODE ARGUMENT...: the payload's mode, with $COUNT the file where its number stands
cycle() {
  [[ -n ${BUNDLE-} ]] || bundle bundle /bin/payload "$@"
  launch "$ID"
  await '(($(count) > 5))'
  before_checkpoint
  ckpt checkpoint --leave-running "${OPTIONS[@]}" "$ID"
  counts_on
  stop_and_restore
  stop_and_restore
}

OPTIONS=()
before_checkpoint() { :; }

# The checkpoint's one line names it, the container is gone, and restore -d continues it.
stop_and_restore() {
  local name at
  name=$(ckpt checkpoint "${OPTIONS[@]}" "$ID")
  [[ $name == "$ID"@2* && -d $STORE/checkpoints/$ID/${name#*@} ]]
  [[ -z $(ckpt list -q --root "$ROOT") ]]
  [[ $(status_of "$ID") == checkpointed ]]
  at=$(count)
  [[ $(ckpt restore -d "$ID") == "$ID" ]]
  goes_on_from "$at"
  is_running "$ID"
  counts_on
}

@test "a counter goes on, and its log with it" {
  COUNT=$DATA/count
  cycle counter /data/count
  log_is_whole "$(count)"
}

@test "256 MB of memory keep their content" {
  local digest
  COUNT=$DATA/digest
  before_checkpoint() { digest=$(cut -d ' ' -f 1 "$COUNT"); }
  cycle memory 256 /data/digest
  [[ $(cut -d ' ' -f 1 "$COUNT") == "$digest" ]]
}

@test "a tree of threaded processes goes on" {
  local file
  COUNT=$DATA/0.0
  cycle threads 3 /data
  for file in "$DATA"/{0,1}.{0,1,2}; do
    COUNT=$file
    counts_on
  done
}

@test "an established TCP connection is kept" {
  COUNT=$DATA/count
  OPTIONS=(--tcp-established)
  bundle bundle /bin/payload tcp /data/count
  if [[ $KIND == runc ]]; then
    make_netns
    join_netns "$NETNS"
  fi
  cycle
  [[ ! -e $COUNT.reconnects ]]
}

@test "file locks are kept" {
  COUNT=$DATA/lock.count
  cycle locks /data/lock
}

@test "a deleted file of 3 MB stays open" {
  [[ $WANTED != runsc-2024 ]] || skip "gVisor of 2024 cannot save a deleted file of the host"
  COUNT=$DATA/count
  cycle deleted /data 3
}

@test "a terminal goes on, and its log with it" {
  COUNT=$DATA/count
  bundle bundle /bin/payload pty /data/count
  edit '.process.terminal = true'
  cycle
  log_is_whole "$(count)"
}
