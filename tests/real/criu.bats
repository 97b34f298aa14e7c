#!/usr/bin/env bats
# What only runc and crun do, with CRIU.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

@test "stdio that was opened outside is named before the dump" {
  COUNT=$DATA/count
  bundle bundle /bin/payload counter /data/count
  bare run --detach --bundle "$BUNDLE" "$ID" </dev/null >"$T/outside.txt" 2>/dev/null
  await '(($(count) > 5))'
  ends_with 5 ckpt --root "$ROOT" checkpoint "$ID"
  says stdout "$T/outside.txt"
  counts_on
}

@test "pre-copy where the kernel tracks changed memory, else the reason" {
  counter
  environment
  if "${ENVIRONMENT[@]}" criu check --feature mem_dirty_track 2>/dev/null; then
    ckpt --json checkpoint --pre-copy=2 "$ID" >"$T/document"
    [[ $(jq '.pre_dumps | length' "$T/document") -eq 2 ]]
    ckpt restore -d "$ID"
  else
    ends_with 3 ckpt checkpoint --pre-copy "$ID"
    says "does not track changed memory" CONFIG_MEM_SOFT_DIRTY
    [[ ! -e $STORE/checkpoints/$ID ]]
  fi
  counts_on
}

@test "CRIU's ways to lock the network, and which of them the restore is told" {
  local way
  counter
  for way in skip nftables; do
    ckpt checkpoint --network-lock "$way" "$ID"
    [[ $(jq -r .options.network_lock "$STORE/checkpoints/$ID"/*/ckpt.json | tail -n 1) == "$way" ]]
    ckpt restore -d "$ID"
    counts_on
  done
}

@test "processes of exec sessions are warned of" {
  counter
  start_ckpt exec "$ID" -- /bin/sh -c 'echo here >/data/session; exec /bin/busybox sleep 1000'
  await '[[ -s $DATA/session ]]'
  ends_with 0 ckpt checkpoint --leave-running "$ID"
  says exec busybox
  counts_on
}

@test "memory pages cut short, without a manifest" {
  local at
  COUNT=$DATA/digest
  bundle bundle /bin/payload memory 8 /data/digest
  launch "$ID"
  await '(($(count) > 2))'
  ckpt checkpoint --image-path "$T/image" "$ID"
  at=$(count)
  rm "$T/image/ckpt.json"
  cp "$T/image/pages-1.img" "$T/pages"
  truncate -s -4096 "$T/image/pages-1.img"
  run_options
  ends_with 7 ckpt "${RUN[@]}" restore -d --bundle "$BUNDLE" --image-path "$T/image" "$ID"
  says pages-1.img
  cp "$T/pages" "$T/image/pages-1.img"
  ckpt "${RUN[@]}" restore -d --bundle "$BUNDLE" --image-path "$T/image" "$ID"
  goes_on_from "$at"
}

@test "a connection within the container is kept where it can be restored, else it asks for its option" {
  local at
  COUNT=$DATA/count
  bundle bundle /bin/payload tcp /data/count
  launch "$ID"
  await '(($(count) > 5))'
  if [[ $KIND == runc ]]; then
    ends_with 5 ckpt checkpoint "$ID"
    says 127.0.0.1 --tcp-established
  else
    ends_with 0 ckpt checkpoint --explain-flags "$ID"
    says '--tcp-established: both ends' 'stopped when its image is safe'
    at=$(count)
    ckpt restore -d "$ID"
    goes_on_from "$at"
  fi
  counts_on
}

@test "dead processes, deleted files, mounts and watches of its own are no obstacle" {
  ends_with 0 env CKPT="$SUITE/ckpt" "$REPO/tests/corpus/run" --runtime "$NAME" --overlay \
    zombie deleted-large tmpfs-inside bind-inside inotify
  [[ $(grep -c ' predicted ok  *came ok  *right' "$T/out") -eq 5 ]] || fail "$output"
}

@test "a restore that reads cut-short pages for ever is stopped, and nothing is left" {
  COUNT=$DATA/digest
  bundle bundle /bin/payload memory 8 /data/digest
  launch "$ID"
  await '(($(count) > 2))'
  ckpt checkpoint "$ID"
  cat >"$T/cutting" <<EOF
#!/bin/sh
case " \$* " in
*" restore "*) for word; do
    [ "\$before" != --image-path ] || truncate -s 4096 "\$word/pages-1.img"
    before=\$word
  done ;;
esac
exec $PROGRAM "\$@"
EOF
  chmod +x "$T/cutting"
  ends_with 7 ckpt --runtime-path "$T/cutting" restore -d "$ID"
  says 'cut short' "$STATE/failed/$ID.restore.log"
  [[ ! -e $ROOT/$ID ]]
}

@test "the frozen time of a checkpoint that leaves it running is CRIU's own" {
  counter
  ckpt --json checkpoint --leave-running "$ID" >"$T/said.json"
  jq -e '.seconds | .frozen > 0 and .frozen < .runtime' "$T/said.json"
  counts_on
}

# iptables-restore as it is, and then CRIU, which called it, is killed.
deadly_iptables() {
  local real
  real=$(type -P iptables-restore)
  mkdir "$T/wrap"
  printf '#!/bin/sh\n%s "$@"\nkill -KILL $PPID\n' "$real" >"$T/wrap/iptables-restore"
  chmod +x "$T/wrap/iptables-restore"
}

@test "a CRIU that was killed leaves the network open, and the container running" {
  deadly_iptables
  counter
  local pid
  pid=$(bare state "$ID" | jq .pid)
  PATH="$T/wrap:$PATH" ends_with 1 ckpt checkpoint --leave-running "$ID"
  says 'the network works again'
  ! nsenter -t "$pid" -n iptables -S CRIU || fail "still locked"
  counts_on
  PATH="$T/wrap:$PATH" ends_with 1 ckpt checkpoint "$ID"
  ! nsenter -t "$pid" -n iptables -S CRIU || fail "still locked"
  counts_on
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  log_is_whole "$(count)"
}

@test "a CRIU that was killed at the restore leaves nothing, and the network open" {
  deadly_iptables
  make_netns
  COUNT=$DATA/count
  bundle bundle /bin/payload counter /data/count
  edit --arg path "/run/netns/$NETNS" \
    '.linux.namespaces |= map(if .type == "network" then .path = $path else . end)'
  launch "$ID"
  await '(($(count) > 2))'
  ckpt checkpoint "$ID"
  PATH="$T/wrap:$PATH" ends_with 1 ckpt --timeout 30s restore -d "$ID"
  ! ip netns exec "$NETNS" iptables -S CRIU || fail "still locked"
  [[ -z $(processes) ]] || fail "left: $(processes)"
  ckpt restore -d "$ID"
  counts_on
}

@test "a unix socket that is connected outside is so again" {
  local at
  COUNT=$DATA/received
  count() { tail -n 1 "$COUNT" 2>/dev/null || echo 0; }
  socat -u UNIX-RECV:"$DATA/socket" OPEN:"$COUNT",creat,append </dev/null >/dev/null 2>&1 3>&- &
  BACKGROUND+=("$!")
  await '[[ -S $DATA/socket ]]'
  bundle bundle /bin/payload unix "$DATA/socket"
  # CRIU finds the other end only in its own network namespace, and by the path that the other end knows.
  edit --arg data "$DATA" '.linux.namespaces |= map(select(.type != "network"))
    | .mounts += [{destination: $data, type: "bind", source: $data, options: ["rbind", "rw"]}]'
  launch "$ID"
  await '(($(count) > 5))'
  ends_with 5 ckpt checkpoint "$ID"
  says --ext-unix-sk
  counts_on
  ckpt checkpoint --ext-unix-sk "$ID"
  at=$(count)
  ckpt restore -d "$ID"
  goes_on_from "$at"
}

@test "established connections are closed by a restore that is told to" {
  COUNT=$DATA/count
  bundle bundle /bin/payload tcp /data/count
  make_netns
  join_netns "$NETNS"
  launch "$ID"
  await '(($(count) > 5))'
  ckpt checkpoint --tcp-established "$ID"
  ckpt restore -d --tcp-close "$ID" || fail "in its network: $(ip netns exec "$NETNS" cat /proc/net/tcp)"
  await '[[ -e $COUNT.reconnects ]]'
}

# outside_server: an echo in the network namespace, no process of the container's; its port in $PORT
outside_server() {
  make_netns
  ip netns exec "$NETNS" "$SUITE/payload" tcp-server "$T/port" </dev/null >/dev/null 2>&1 3>&- &
  BACKGROUND+=("$!")
  await '[[ -s $T/port ]]'
  PORT=$(count "$T/port")
}

@test "a connection to a process outside goes on, twice: the other end does not learn that the container was stopped" {
  local i at
  COUNT=$DATA/count
  outside_server
  bundle bundle /bin/payload tcp-client "$PORT" /data/count
  join_netns "$NETNS"
  launch "$ID"
  await '(($(count) > 5))'
  for i in 1 2; do
    ckpt checkpoint --tcp-established "$ID"
    at=$(count)
    ckpt restore -d "$ID"
    goes_on_from "$at"
    counts_on
    [[ ! -e $COUNT.reconnects ]] || fail "round $i: the connection was lost"
  done
}

@test "a client outside is not told that its server was stopped, and goes on when that is back" {
  make_netns
  COUNT=$T/count
  bundle bundle /bin/payload tcp-server /data/port
  join_netns "$NETNS"
  launch "$ID"
  await '[[ -s $DATA/port ]]'
  ip netns exec "$NETNS" "$SUITE/payload" tcp-client "$(count "$DATA/port")" "$COUNT" </dev/null >/dev/null 2>&1 3>&- &
  BACKGROUND+=("$!")
  await '(($(count) > 5))'
  ckpt checkpoint --tcp-established "$ID"
  ip netns exec "$NETNS" cat /proc/net/tcp >"$T/tcp"
  [[ $(awk 'NR > 1 { print $4 }' "$T/tcp") == 01 ]] || fail "more or less than one established end: $(<"$T/tcp")"
  ckpt restore -d "$ID"
  counts_on
  [[ ! -e $COUNT.reconnects ]] || fail "the connection was lost"
}

@test "a deleted file that has another name is open again" {
  local at
  COUNT=$DATA/count
  bundle bundle /bin/payload linked /data
  launch "$ID"
  await '(($(count) > 5))'
  ends_with 5 ckpt checkpoint "$ID"
  says --link-remap
  counts_on
  ckpt checkpoint --link-remap "$ID"
  at=$(count)
  ckpt restore -d "$ID"
  goes_on_from "$at"
  counts_on
}

# ---- what could not come back is not stopped

# not_stopped TEXT...: by a checkpoint that is to stop it, for that reason; --check says the same
not_stopped() {
  ends_with 11 ckpt checkpoint --check "$ID"
  ends_with 11 ckpt checkpoint "$ID"
  says "'$ID' is not stopped" '--force' "$@"
  [[ -z $(ls "$STORE/checkpoints/$ID" 2>/dev/null) ]] || fail "an image is left"
  is_running "$ID"
  counts_on
}

@test "a bind-mounted file that was replaced on the host" {
  echo old >"$T/conf"
  bundle bundle /bin/payload counter /data/count
  edit --arg s "$T/conf" '.mounts += [{destination: "/etc/conf", type: "bind", source: $s, options: ["rbind", "ro"]}]'
  counter
  echo new >"$T/conf.new"
  mv "$T/conf.new" "$T/conf"
  not_stopped "'/etc/conf'" 'replaced or removed'
  ends_with 0 ckpt checkpoint --leave-running "$ID"
  says "could not be restored on this host"
  ends_with 0 ckpt checkpoint --force "$ID"
  says "could not be restored on this host"
  [[ -z $(ckpt list -q --root "$ROOT") ]]
}

@test "a bind source that is gone, while the root file system is there" {
  mkdir "$T/more"
  bundle bundle /bin/payload counter /data/count
  edit --arg s "$T/more" '.mounts += [{destination: "/mnt", type: "bind", source: $s, options: ["rbind"]}]'
  counter
  rmdir "$T/more"
  not_stopped "'/mnt'"
  mkdir "$T/more"
  ends_with 11 ckpt checkpoint "$ID" # it is another one: the container has the one that was removed
  counts_on
}

@test "a file that was open and is not what it was" {
  COUNT=$DATA/count.count
  bundle bundle /bin/payload database /data/db /data/count.count
  launch "$ID"
  await '(($(count) > 3))'
  mv "$DATA" "$DATA.away"
  mkdir "$DATA"
  ends_with 11 ckpt checkpoint "$ID"
  says "'/data/db' does not exist" "'$DATA' is another one now than the one mounted at '/data'"
  COUNT=$DATA.away/count.count
  counts_on
  rmdir "$DATA"
  mv "$DATA.away" "$DATA"
  COUNT=$DATA/count.count
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  counts_on
}

@test "a program that runs from memory" {
  COUNT=$DATA/count
  bundle bundle /bin/payload from-memory /data/count
  launch "$ID"
  await '(($(count) > 3))'
  not_stopped memory "payload'"
}

@test "a first process that dies with its parent" {
  COUNT=$DATA/count
  bundle bundle /bin/payload dies-with-parent /data/count
  launch "$ID"
  await '(($(count) > 3))'
  ends_with 11 ckpt checkpoint "$ID"
  says "'$ID' is not stopped" SIGKILL PR_SET_PDEATHSIG
  counts_on
}

@test "bind sources that are links, one to another, come back" {
  echo zone >"$T/zone"
  ln -s zone "$T/first"
  ln -s "$T/first" "$T/second"
  mkdir "$T/real"
  ln -s real "$T/directory"
  bundle bundle /bin/payload counter /data/count
  edit --arg t "$T" '.mounts += [
    {destination: "/etc/localtime", type: "bind", source: ($t + "/second"), options: ["rbind", "ro"]},
    {destination: "/mnt", type: "bind", source: ($t + "/directory"), options: ["rbind", "rw"]}]'
  counter
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  counts_on
  [[ $(ckpt exec "$ID" -- /bin/busybox cat /etc/localtime) == zone ]]
}

@test "a destination below a link of the root file system, and a bundle below one, come back" {
  mkdir -p "$T/real" "$T/secret"
  echo token >"$T/secret/token"
  ln -s real "$T/link"
  bundle real/bundle /bin/payload counter /data/count
  mkdir -p "$BUNDLE/rootfs/run" "$BUNDLE/rootfs/var"
  ln -s /run "$BUNDLE/rootfs/var/run"
  edit --arg s "$T/secret" '.mounts += [{destination: "/var/run/secrets/pod", type: "bind", source: $s, options: ["rbind", "ro"]}]'
  BUNDLE=$T/link/bundle
  counter
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  counts_on
  [[ $(ckpt exec "$ID" -- /bin/busybox cat /var/run/secrets/pod/token) == token ]]
}

@test "a copy beside the holder of a lock, or in its cgroup, is refused at once" {
  local begin
  COUNT=$DATA/locked.count
  CONTAINERS+=("$ID-copy")
  bundle bundle /bin/payload locks /data/locked
  edit --arg path "/$ID-own" '.linux.cgroupsPath = $path'
  launch "$ID"
  await '(($(count) > 2))'
  ckpt checkpoint --leave-running "$ID"
  begin=$SECONDS
  ends_with 11 ckpt restore -d --from "$ID@latest" "$ID-copy"
  ((SECONDS - begin < 5))
  says "a lock on '/data/locked'" "'payload'" "linux.cgroupsPath is '/$ID-own'" '--spec'
  ends_with 11 ckpt restore --check --from "$ID@latest" "$ID-copy"
  counts_on
  ends_with 0 ckpt restore -d --replace "$ID"
  counts_on
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  counts_on
}

# CRIU keeps that no time is left to it, and would stop it with that.
@test "a periodic timer that had expired and was not read goes on, twice" {
  local lines
  bundle bundle /bin/feature timerfd
  gcc -static -O1 -o "$BUNDLE/rootfs/bin/feature" "$BATS_TEST_DIRNAME/../corpus/feature.c"
  launch "$ID"
  for _ in 1 2; do
    await '(($(wc -l <"$LOG") > 3))'
    ckpt checkpoint "$ID"
    ckpt restore -d "$ID"
    lines=$(wc -l <"$LOG")
    await "((\$(wc -l <\"\$LOG\") > $lines + 3))"
  done
}

@test "what CRIU does not save comes back: lo, a renamed socket, a thread's processor and its timers' slack" {
  local at
  COUNT=$DATA/count
  bundle bundle /bin/payload kept /data
  launch "$ID"
  await '(($(count) > 5))'
  for _ in 1 2; do
    ends_with 0 ckpt checkpoint "$ID"
    at=$(count)
    ends_with 0 ckpt restore -d "$ID"
    goes_on_from "$at"
    counts_on
  done
  [[ ! -e $DATA/socket.new ]] || fail "the socket's first name is there again"
}
