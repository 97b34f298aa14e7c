#!/usr/bin/env bats
# What only gVisor's runsc does.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "an exec session makes the checkpoint impossible" {
  counter
  start_ckpt exec "$ID" -- /bin/sh -c 'echo here >/data/session; exec /bin/busybox sleep 1000'
  await '[[ -s $DATA/session ]]'
  ends_with 5 ckpt checkpoint --leave-running "$ID"
  says 'exec sessions' busybox
  counts_on
}

@test "a container with a deleted file of the host survives that gVisor of 2024 cannot save it" {
  [[ $WANTED == runsc-2024 ]] || skip "newer gVisor saves it"
  COUNT=$DATA/count
  bundle bundle /bin/payload deleted /data 3
  launch "$ID"
  await '(($(count) > 5))'
  ends_with 1 ckpt checkpoint "$ID"
  says deleted
  counts_on
}

@test "options of CRIU are refused with what gVisor does instead" {
  local option word
  counter
  while read -r option word; do
    ends_with 3 ckpt checkpoint "$option" "$ID"
    says "$option" "$word"
  done <<'END'
--ext-unix-sk --host-uds
--link-remap CRIU
--pre-copy gVisor
END
  counts_on
  ckpt checkpoint "$ID"
  ends_with 3 ckpt restore -d --tcp-close "$ID"
  says --tcp-close gVisor
}

# runsc takes an id that it does not have for an abbreviation, and would delete the other container.
@test "an id that is the beginning of another's is refused, and the other goes on" {
  local short=${ID%?}
  CONTAINERS+=("$short" "$ID-2")
  counter
  ends_with 5 launch "$short"
  says "'$short'" "'$ID'" abbreviation
  ends_with 5 launch "$ID-2"
  says "'$ID-2'" "'$ID'" abbreviation
  ends_with 4 ckpt state "$short"
  ends_with 0 ckpt delete --force "$short"
  is_running "$ID"
  counts_on
}
