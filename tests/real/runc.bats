#!/usr/bin/env bats
# What only runc does.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "connections in a network namespace that runc makes are refused" {
  COUNT=$DATA/count
  bundle bundle /bin/payload tcp /data/count
  launch "$ID"
  await '(($(count) > 5))'
  ends_with 5 ckpt checkpoint --tcp-established "$ID"
  says 'network namespace'
  counts_on
  [[ ! -e $COUNT.reconnects ]]
}

@test "connections in a network namespace that runc makes are closed when that is asked for" {
  COUNT=$DATA/count
  bundle bundle /bin/payload tcp /data/count
  launch "$ID"
  await '(($(count) > 5))'
  ends_with 0 ckpt checkpoint --check --tcp auto "$ID"
  ends_with 0 ckpt checkpoint --tcp auto "$ID"
  says 'will find these connections closed'
  ckpt restore -d "$ID"
  await '[[ -e $COUNT.reconnects ]]'
  is_running "$ID"
}

@test "a container with a user namespace comes back from the store, which stays private" {
  local image
  COUNT=$DATA/count
  bundle bundle /bin/payload counter /data/count
  edit '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
    | .linux.gidMappings = .linux.uidMappings'
  chown -R 100000:100000 "$BUNDLE/rootfs" "$DATA"
  chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR" "$T"
  counter
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  counts_on
  image=$(echo "$STORE/checkpoints/$ID"/*/checkpoint)
  [[ $(stat -c '%a %g' "$image" "$image/core-1.img") == $'750 100000\n640 100000' ]]
  [[ $(stat -c %a "$STORE/checkpoints/$ID") == 700 ]]
  ckpt checkpoint --compression zstd "$ID"
  ckpt restore -d "$ID"
  counts_on
}

@test "a socket's address that another network namespace lacks is named" {
  COUNT=$DATA/count
  make_netns
  ip -n "$NETNS" addr add 10.98.77.2/32 dev lo
  bundle bundle /bin/busybox sh -c '/bin/busybox httpd -f -p 10.98.77.2:4000 & exec /bin/payload counter /data/count'
  join_netns "$NETNS"
  counter
  ckpt checkpoint "$ID"
  ip -n "$NETNS" addr del 10.98.77.2/32 dev lo
  ends_with 11 ckpt restore -d "$ID"
  says 'the address 10.98.77.2' "/run/netns/$NETNS" 'tcp 10.98.77.2:4000'
  ip -n "$NETNS" addr add 10.98.77.2/32 dev lo
  ckpt restore -d "$ID"
  counts_on
}
