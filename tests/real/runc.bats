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

# killed_at_once: restores, and kills the first process as soon as it has its name, which CRIU gives it late
killed_at_once() {
  local killer
  while ! pkill -KILL -x "$ID"; do :; done 3>&- &
  killer=$!
  ckpt restore -d "$ID" 2>"$T/err" && return 1
  kill "$killer" 2>/dev/null
  grep -q "the container's first process died before CRIU was done" "$T/err"
}

# Neither runc nor CRIU looks whether it lives: both would wait for ever.
@test "a restore whose first process is killed before CRIU is done ends at once, and the next one is whole" {
  local try begin=$SECONDS
  bundle bundle "/bin/$ID" counter /data/count
  cp "$SUITE/payload" "$BUNDLE/rootfs/bin/$ID"
  counter
  ckpt checkpoint "$ID"
  for try in {1..20}; do
    killed_at_once && break
    ((try < 20))
    ckpt delete --force "$ID"
  done
  ((SECONDS - begin < 5 * try))
  ends_with 4 ckpt state "$ID"
  ckpt restore -d "$ID"
  counts_on
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

@test "a log takes no more than --log-max: the newest is there, what is gone is told, and logs -f goes on" {
  local script='i=0; lines() { n=$((i + $1)); while [ $i -lt $n ]; do i=$((i+1)); echo line $i; done; }; while :; do lines 1; '
  script+='/bin/busybox sleep 0.05; if [ -e /data/many ]; then /bin/busybox rm /data/many; lines 2500; : >/data/written; fi; done'
  bundle bundle /bin/sh -c "$script"
  run_options
  ckpt "${RUN[@]}" run -d -b "$BUNDLE" --log-max 64K "$ID"
  start_ckpt logs -f "$ID"
  await '[[ -s $T/started.out ]]'
  for _ in 1 2 3 4 5; do
    : >"$DATA/many"
    await '[[ -e $DATA/written ]]'
    rm "$DATA/written"
  done
  await '(($(tail -n 1 "$T/started.out" | cut -d " " -f 2) > 12500))'
  ends_with 0 ckpt logs "$ID"
  says "the beginning of the output of '$ID' is gone"
  (($(find "$STORE/logs" -name "$ID.log*" -printf '%s\n' | paste -sd+) <= 65536)) || fail "$(ls -l "$STORE/logs")"
  (($(tail -n 1 "$T/out" | cut -d ' ' -f 2) > 12500)) || fail "$(tail -n 1 "$T/out")"
  # the first one may be cut; all others follow one another, and for who has followed all are there
  awk 'NR > 2 && $2 != last + 1 { exit 1 } { last = $2 }' "$T/out" || fail "logs has a gap"
  ckpt kill "$ID" KILL
  wait "$started"
  awk '$2 != NR { exit 1 }' "$T/started.out" || fail "logs -f has a gap"
}
