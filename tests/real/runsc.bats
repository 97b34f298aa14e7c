#!/usr/bin/env bats
# What only gVisor's runsc does.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions for later; variables of helpers.bash and of each test

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
    says "${option%=*}" "$word"
  done <<'END'
--ext-unix-sk --host-uds
--link-remap CRIU
--pre-copy gVisor
--network-lock=skip nobody
--empty-ns=network whole
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

@test "a container of a sandbox with others is refused, and all of them go on" {
  local other=pod-$ID
  # shellcheck disable=SC2031 # of each test its own
  CONTAINERS+=("$other")
  bundle first /bin/payload sleep
  edit '.annotations = {"io.kubernetes.cri.container-type": "sandbox"}'
  launch "$ID"
  bundle second /bin/payload counter /data/count
  edit --arg id "$ID" '.annotations = {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": $id}'
  COUNT=$DATA/count
  launch "$other"
  await '(($(count) > 5))'
  ends_with 11 ckpt checkpoint "$ID"
  says "$other"
  ends_with 11 ckpt checkpoint "$other"
  is_running "$ID"
  counts_on
}

# gVisor does not save what an exec session has left behind.
@test "a process that an exec session has left behind is told when it is lost, one that a loop has replaced is not" {
  bundle bundle /bin/sh -c 'i=0; while :; do i=$((i+1)); echo $i >/data/count.new; mv /data/count.new /data/count; sleep 0.2; done'
  counter
  ends_with 0 ckpt checkpoint "$ID"
  ends_with 0 ckpt restore -d "$ID"
  [[ $errors != *'not there'* ]] || fail "said of a process that a loop has replaced: $errors"
  counts_on
  ends_with 0 ckpt exec "$ID" -- /bin/sh -c '/bin/busybox sleep 7777 >/dev/null 2>&1 </dev/null & echo begun >/data/session'
  await '[[ -s $DATA/session ]]'
  ends_with 0 ckpt checkpoint "$ID"
  ends_with 0 ckpt restore -d "$ID"
  says 'these processes of the checkpoint are not there' exec
  counts_on
}

@test "addresses that runsc has taken from a network namespace are there again" {
  [[ $WANTED != runsc-2024 ]] || skip "gVisor of 2024 does not start in one here"
  make_netns
  ip -n "$NETNS" link add eth0 type veth peer name eth1
  ip -n "$NETNS" addr add 10.98.77.2/24 dev eth0
  ip -n "$NETNS" link set eth0 up
  ip -n "$NETNS" link set eth1 up
  ip -n "$NETNS" route add 10.99.0.0/16 via 10.98.77.1
  GLOBAL=(--network=sandbox --overlay2=none)
  bundle bundle /bin/payload counter /data/count
  join_netns "$NETNS"
  counter
  addresses() { ckpt exec "$ID" -- /bin/busybox ip -o addr; ckpt exec "$ID" -- /bin/busybox ip route; }
  addresses | grep -q 10.98.77.2
  for _ in 1 2; do
    ckpt checkpoint "$ID"
    ckpt restore -d "$ID"
    counts_on
    addresses | grep -q 10.98.77.2
    addresses | grep -q 10.99.0.0
  done
}
