#!/usr/bin/env bats
# A container moves between hosts and pods, where everything that it mounts is elsewhere. Two hosts are two directories
# here; what was left behind is deleted.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 # jq programs; variables of helpers.bash and of each test

load helpers

ACCOUNT=/var/run/secrets/kubernetes.io/serviceaccount

# pod HOST DIGIT: on that "host" the files of a pod, all ids in it made of DIGIT, the names in $POD, $BOX, $SHM
pod() {
  local id=$2$2$2$2
  HOST=$T/$1
  DATA=$HOST/data
  POD=$HOST/kubelet/pods/$id$id-$id-$id-$id-$id$id$id
  BOX_ID=$id$id$id$id$id$id$id$id$id$id$id$id$id$id$id$id
  BOX=$HOST/containerd/io.containerd.grpc.v1.cri/sandboxes/$BOX_ID
  SHM=$HOST/run/io.containerd.grpc.v1.cri/sandboxes/$BOX_ID/shm
  LOG_FILE=$POD/containers/app/$id$id
  VOLUME=$POD/volumes/kubernetes.io~projected/kube-api-access-$id
  mkdir -p "$POD/containers/app" "$VOLUME" "$POD/volumes/kubernetes.io~empty-dir/cache" "$BOX" "$SHM" "$DATA"
  echo "hosts of $1" >"$POD/etc-hosts"
  echo "log of $1" >"$LOG_FILE"
  echo "token of $1" >"$VOLUME/token"
  echo "cache of $1" >"$POD/volumes/kubernetes.io~empty-dir/cache/is"
  echo "name of $1" >"$BOX/hostname"
  echo "resolver of $1" >"$BOX/resolv.conf"
  echo "shm of $1" >"$SHM/is"
}

# of_pod: the mounts of the pod that was made last, as the kubelet and containerd write them, into $BUNDLE
of_pod() {
  edit --arg data "$DATA" --arg pod "$POD" --arg box "$BOX" --arg shm "$SHM" --arg log "$LOG_FILE" \
    --arg volume "$VOLUME" --arg account "$ACCOUNT" --arg id "$BOX_ID" '
    def bind($at; $from): {destination: $at, type: "bind", source: $from, options: ["rbind", "rprivate", "rw"]};
    .annotations = {"io.kubernetes.cri.sandbox-id": $id}
    | [bind("/data"; $data), bind("/etc/hosts"; $pod + "/etc-hosts"), bind("/dev/termination-log"; $log),
      bind($account; $volume), bind("/cache"; $pod + "/volumes/kubernetes.io~empty-dir/cache"),
      bind("/etc/hostname"; $box + "/hostname"), bind("/etc/resolv.conf"; $box + "/resolv.conf"),
      bind("/dev/shm"; $shm)] as $pods
    | .mounts |= map(select(.destination | IN($pods[].destination) | not)) + $pods'
}

without() { edit --argjson those "$(json_list "$@")" '.mounts |= [.[] | select(.destination | IN($those[]) | not)]'; }

# move HOST DIGIT: the data and the root file system go to a new pod there, whose bundle is made, and the old one with
# all that was the old host's is deleted
move() {
  local from=$HOST rootfs=$BUNDLE/rootfs
  pod "$1" "$2"
  mv "$rootfs" "$HOST/rootfs"
  cp -a "$from/data/." "$DATA/"
  cp "$BUNDLE/config.json" "$HOST/"
  BUNDLE=$HOST
  of_pod
  COUNT=$DATA/count
  rm -r "$from"
}

# sees HOST: every mount has what is that host's
sees() {
  diff <(printf '%s\n' "hosts of $1" "log of $1" "token of $1" "cache of $1" "name of $1" "resolver of $1" "shm of $1") \
    <(ckpt exec "$ID" -- /bin/busybox cat /etc/hosts /dev/termination-log $ACCOUNT/token /cache/is /etc/hostname \
      /etc/resolv.conf /dev/shm/is </dev/null)
}

in_a_pod() {
  pod first a
  bundle first/bundle /bin/payload counter /data/count
  mkdir -p "$BUNDLE"/rootfs/{etc,cache,"$ACCOUNT"}
  touch "$BUNDLE"/rootfs/etc/{hosts,hostname,resolv.conf}
  of_pod
  counter
  sees first
}

how() { jq -r --arg item "mount $1" '.items[] | select(.item == $item) | .how' "$T/out"; }

@test "into another pod's specification and back into a third's, the old ones deleted" {
  local at
  in_a_pod
  ckpt checkpoint "$ID"
  at=$(count)
  move second b
  without /dev/termination-log /etc/resolv.conf "$ACCOUNT"
  edit '.process.args += ["more"]'
  [[ ! -e $T/first ]]
  ends_with 0 ckpt --json restore --check --spec "$BUNDLE" "$ID"
  [[ $(how /data) == 'by its destination' && $(how /dev/termination-log) == 'by the new pod uid' ]]
  [[ $(how /etc/resolv.conf) == 'by the new sandbox id' && $(how "$ACCOUNT") == 'by the new pod uid' ]]
  [[ $(jq -r '.items[] | select(.item == "mount /dev/shm") | "\(.image) -> \(.host)"' "$T/out") == \
  "dir $T/first/run/"*"/shm -> dir $SHM" ]]
  [[ $(jq -r '.items[] | select(.item == "arguments") | .result' "$T/out") == differs ]]
  ends_with 0 ckpt restore -d --spec "$BUNDLE" "$ID"
  says 'the image has fixed' 'arguments'
  goes_on_from "$at"
  sees second
  ckpt checkpoint "$ID"
  at=$(count)
  move third c
  mv "$BUNDLE/config.json" "$BUNDLE/pod.json"
  ends_with 0 ckpt restore -d --spec "$BUNDLE/pod.json" "$ID"
  goes_on_from "$at"
  sees third
  ckpt checkpoint "$ID"
  at=$(count)
  ends_with 0 ckpt restore -d "$ID"
  goes_on_from "$at"
  sees third
}

@test "what has no counterpart is told, and nothing is changed" {
  in_a_pod
  ckpt checkpoint "$ID"
  move second b
  without /etc/hosts /etc/resolv.conf
  edit '.annotations = {}'
  rm "$POD/etc-hosts"
  mv "$SHM" "$SHM.away" && : >"$SHM"
  ends_with 11 ckpt restore -d --spec "$BUNDLE" "$ID"
  says "'/etc/hosts'" "there is no file '$POD/etc-hosts'" "--map-mount /etc/hosts=NEW" "'$SHM', is of another kind"
  [[ $errors != *resolv.conf* ]] || fail "$errors"
  [[ -z $(ckpt list -q --root "$ROOT") ]]
  rm "$SHM"
  mv "$SHM.away" "$SHM"
  ends_with 0 ckpt restore -d --spec "$BUNDLE" --map-mount "/etc/hosts=$BOX/hostname" "$ID"
  [[ $(ckpt exec "$ID" -- /bin/busybox cat /etc/hosts </dev/null) == 'name of second' ]]
  counts_on
}

@test "--map-mount by destination and by source, and the next restore knows it" {
  local at
  in_a_pod
  ckpt checkpoint "$ID"
  at=$(count)
  mkdir "$T/elsewhere"
  mv "$T/first/kubelet" "$T/elsewhere/k"
  mv "$DATA" "$T/elsewhere/data"
  COUNT=$T/elsewhere/data/count
  ends_with 2 ckpt restore -d --map-mount "/nowhere=$T" "$ID"
  says "no mount is at '/nowhere'" "'/data' from '$DATA'"
  ends_with 11 ckpt restore -d --map-mount "$T/first/kubelet=$T/elsewhere/k" "$ID"
  says "'$DATA'"
  ends_with 11 ckpt restore -d --map-mount "$T/first/kubelet=$T/elsewhere/k" --map-mount "/data=$COUNT" "$ID"
  says 'is a file, it was a dir'
  ends_with 0 ckpt restore -d --map-mount "$T/first/kubelet=$T/elsewhere/k" --map-mount "/data=$T/elsewhere/data" "$ID"
  goes_on_from "$at"
  sees first
  ckpt checkpoint "$ID"
  at=$(count)
  ends_with 0 ckpt restore -d "$ID"
  goes_on_from "$at"
}

@test "a hostname of its own" {
  local at name
  counter
  ckpt checkpoint "$ID"
  at=$(count)
  if [[ $NAME == runsc-2024 ]]; then
    ends_with 3 ckpt restore -d --hostname other "$ID"
    says 'keeps the name of the image'
    return
  fi
  ends_with 2 ckpt restore -d --hostname no_name "$ID"
  ends_with 0 ckpt restore -d --hostname other "$ID"
  goes_on_from "$at"
  [[ $(ckpt exec "$ID" -- /bin/busybox hostname </dev/null) == other && $(hostname) != other ]]
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  [[ $(ckpt exec "$ID" -- /bin/busybox hostname </dev/null) == other ]]
  ckpt checkpoint "$ID"
  edit '.hostname = "third"'
  ckpt restore -d --spec "$BUNDLE" "$ID"
  [[ $(ckpt exec "$ID" -- /bin/busybox hostname </dev/null) == third ]]
  counts_on
}

# connected [NETNS]: a container with a connection inside, in a network namespace that is there before
connected() {
  COUNT=$DATA/count
  bundle bundle /bin/payload tcp /data/count
  make_netns
  edit --arg path "/run/netns/$NETNS" '(.linux.namespaces[] | select(.type == "network")) |= {type: "network", path: $path}'
  launch "$ID"
  await '(($(count) > 5))'
}

@test "connections are told, kept, and closed; a specification's network namespace is joined" {
  local at
  [[ $KIND != runsc ]] || skip "gVisor restores the connections inside and resets those to other hosts"
  connected
  ckpt checkpoint --tcp-established "$ID"
  at=$(count)
  ends_with 0 ckpt --json restore --check --tcp close "$ID"
  [[ $(jq -r '.items[] | select(.item == "connections") | .host + " " + .reason' "$T/out") == closed*127.0.0.1* ]]
  ends_with 2 ckpt restore -d --tcp keep --tcp-close "$ID"
  ip netns add "$NETNS-2"
  ip -n "$NETNS-2" link set lo up
  join_netns "$NETNS-2"
  ends_with 0 ckpt restore -d --tcp auto --spec "$BUNDLE" "$ID" || { ip netns delete "$NETNS-2" && false; }
  ip netns delete "$NETNS-2"
  goes_on_from "$at"
  counts_on
}

# sandbox: $PAUSE, a process that holds namespaces as a pod's sandbox does
sandbox() {
  unshare --uts --ipc --net sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
  PAUSE=$!
  BACKGROUND+=("$PAUSE")
  await "[[ \$(readlink /proc/$PAUSE/ns/net) != $(readlink /proc/self/ns/net) && \$(cat /proc/$PAUSE/comm) == sleep ]]"
}

# in_sandbox: $BUNDLE's namespaces are those of $PAUSE
in_sandbox() {
  edit --arg proc "/proc/$PAUSE/ns" 'del(.hostname) | .linux.namespaces |= map(
    if .type == "uts" or .type == "ipc" then .path = "\($proc)/\(.type)" elif .type == "network" then .path = $proc + "/net" else . end)'
}

@test "from one sandbox's namespaces into another's" {
  local at
  sandbox
  bundle bundle /bin/payload counter /data/count
  in_sandbox
  counter
  ckpt checkpoint "$ID"
  at=$(count)
  kill "$PAUSE"
  sandbox
  in_sandbox
  ends_with 0 ckpt --json restore --check --spec "$BUNDLE" "$ID"
  [[ $(jq -r '.items[] | select(.item == "namespace network") | .how' "$T/out") == 'by its path in the new specification' ]]
  ends_with 0 ckpt restore -d --spec "$BUNDLE" "$ID"
  goes_on_from "$at"
  [[ $KIND == runsc || /proc/$(ckpt state "$ID" | jq .pid)/ns/net -ef /proc/$PAUSE/ns/net ]]
}

@test "masked directories where crun has a root of its own" {
  [[ $NAME == crun ]] || skip "for the crun that masks them with a directory in its root"
  local at
  bundle bundle /bin/payload counter /data/count
  edit '.linux.maskedPaths += ["/sys/firmware"]'
  counter
  ckpt checkpoint "$ID"
  at=$(count)
  ckpt restore -d "$ID"
  goes_on_from "$at"
  [[ -z $(ckpt exec "$ID" -- /bin/busybox ls /sys/firmware </dev/null) ]]
  ckpt checkpoint "$ID"
  ckpt restore -d "$ID"
  counts_on
}
