#!/usr/bin/env bats
# checkpoint --check: what would fail is said, all of it at once, and nothing is changed.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

# checked STATUS ARGUMENT...: the document is in $T/checked
checked() {
  ends_with "$1" ckpt --json checkpoint --check "${@:2}"
  cp "$T/out" "$T/checked"
}

names() { jq -r --arg status "$1" '[.checks[] | select(.status == $status).name] | join(" ")' "$T/checked"; }

unharmed() {
  counts_on
  [[ ! -d $STORE/checkpoints ]]
}

@test "a container with nothing in the way" {
  counter
  checked 0 "$ID"
  [[ -z $(names fails) ]] || fail "$(<"$T/checked")"
  [[ " $(names ok) " == ' exec-sessions '*'space gpu runtime ' ]] || fail "$(<"$T/checked")"
  unharmed
  ckpt checkpoint "$ID"
}

@test "io_uring, sockets to the outside, a namespace and a watch are told at once" {
  [[ $KIND != runsc ]] || skip "gVisor saves what CRIU refuses"
  COUNT=$DATA/count
  socat -u UNIX-LISTEN:"$DATA/stream" - </dev/null >/dev/null 2>&1 3>&- &
  BACKGROUND+=("$!")
  socat -u UNIX-RECV:"$DATA/datagram" - </dev/null >/dev/null 2>&1 3>&- &
  BACKGROUND+=("$!")
  await '[[ -S $DATA/stream && -S $DATA/datagram ]]'
  bundle bundle /bin/payload obstacles /data
  launch "$ID"
  await '(($(count) > 2))'
  local wanted='unix-streams namespaces unix-datagrams'
  [[ $(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null) != 2 ]] || fail "no io_uring on this kernel"
  checked 5 "$ID"
  [[ $(names fails) == "io-uring $wanted" ]] || fail "$(<"$T/checked")"
  [[ $(names warning) == inotify ]] || fail "$(<"$T/checked")"
  jq -e --arg path /data/stream '.checks[] | select(.name == "unix-streams") | .found | contains($path)' "$T/checked"
  says 'cannot be checkpointed: 4 of '
  checked 5 --ext-unix-sk "$ID"
  # CRIU takes it along in the host's network namespace only, and this one has its own.
  [[ $(names fails) == "io-uring $wanted" ]] || fail "$(<"$T/checked")"
  unharmed
}

@test "what ckpt chose by itself is told with the reason" {
  [[ $KIND != runsc ]] || skip "gVisor saves locks by itself"
  COUNT=$DATA/locked.count
  bundle bundle /bin/payload locks /data/locked
  launch "$ID"
  await '(($(count) > 2))'
  checked 0 --explain-flags "$ID"
  jq -e '[.options[].option] | contains(["--file-locks"])' "$T/checked" || fail "$(<"$T/checked")"
  unharmed
  ends_with 0 ckpt checkpoint --explain-flags --leave-running "$ID"
  says "--file-locks: held by 'payload'"
  counts_on
}
