#!/usr/bin/env bats
# Containers of engines that run: containerd's and podman's, in place and as ckpt's own, and NVIDIA's wrapper.
# shellcheck disable=SC2016,SC2153,SC2030,SC2031,SC2034,SC2154 # conditions and jq programs for later; variables of helpers.bash

load helpers
load podman

# payload_image: $T/image.tar, as `docker save` writes it: busybox and the payload.
payload_image() {
  local digest
  bundle bundle /bin/payload
  mkdir -p "$T/image"
  tar -C "$BUNDLE/rootfs" -cf "$T/image/layer.tar" .
  digest=$(sha256sum <"$T/image/layer.tar" | cut -d ' ' -f 1)
  jq -n --arg id "sha256:$digest" '{architecture: "amd64", os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [$id]}}' \
    >"$T/image/config.json"
  jq -n '[{Config: "config.json", RepoTags: ["localhost/payload:1"], Layers: ["layer.tar"]}]' >"$T/image/manifest.json"
  tar -C "$T/image" -cf "$T/image.tar" config.json layer.tar manifest.json
}

# ---- containerd

ctr() { "$RUNTIMES/containerd/tree/usr/bin/ctr" --address "$T/c.sock" "$@" </dev/null 3>&-; }

# Only the shims' sockets are where containerd itself wants them.
start_containerd() {
  requires containerd
  cat >"$T/containerd.toml" <<CONF
version = 3
root = "$T/containerd.root"
state = "$T/containerd"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri",
  "io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt"]
[grpc]
address = "$T/c.sock"
[ttrpc]
address = "$T/c.sock.ttrpc"
CONF
  leaf
  environment
  "${ENVIRONMENT[@]}" CKPT_STATE_DIR="$STATE" PATH="$RUNTIMES/containerd/tree/usr/bin:$BINARIES:$PATH" "${LEAF[@]}" \
    "$(program containerd)" --config "$T/containerd.toml" </dev/null >"$T/containerd.log" 2>&1 3>&- &
  CONTAINERD=$!
  BACKGROUND+=("$CONTAINERD")
  await 'ctr version >/dev/null' || fail "$(tail -n 5 "$T/containerd.log")"
}

# ctr_run OPTION... -- ARGUMENT...: detached, as $ID. What is counted is read from its output, which no copy shares with
# it; /dev is a file system of its own in each container.
ctr_run() {
  local options=()
  while [[ $1 != -- ]]; do options+=("$1") && shift; done
  shift
  COUNT=$T/theirs.log
  ctr run --detach --runc-binary "$PROGRAM" --runc-root "$ROOT" --log-uri "file://$COUNT" "${options[@]}" "$@"
  await '(($(count) > 5))' || fail "$(cat "$COUNT")"
  ROOT_OF_ENGINE=$ROOT/default
  ROOTS+=("$ROOT_OF_ENGINE")
}

ctr_counter() {
  ctr images import "$T/image.tar" >/dev/null
  ctr_run --cgroup "/$ID" --env CKPT_STATE_DIR="$STATE" -- localhost/payload:1 "$ID" /bin/payload counter /dev/count
}

# ---- both

stop_engines() {
  local id
  stop_podman
  if [[ -n ${CONTAINERD-} ]]; then
    for id in $(ctr containers ls -q); do
      ctr tasks rm --force "$id"
      ctr containers rm "$id"
    done
    kill "$CONTAINERD"
    await '! kill -0 "$CONTAINERD"' 5
    rmdir /run/containerd/{s,fifo,} || true
  fi
}

# saved IN [OPTION...]: a checkpoint of $1, in $name; the counter was between $from and $to when it was taken
saved() {
  from=$(count)
  name=$(ckpt --root "$ROOT_OF_ENGINE" checkpoint "${@:2}" "$1")
  to=$(count)
}

# goes_on_as COPY: its first line is the one after the checkpoint's last, and more follow.
goes_on_as() {
  local first
  CONTAINERS+=("$1")
  ckpt --root "$OURS" restore -d --from "$name" "$1"
  await "(( \$(ckpt logs $1 | wc -l) > 3 ))" || fail "$1 says nothing"
  first=$(ckpt logs "$1" | head -n 1)
  first=${first#line }
  ((first > from && first <= to + 1)) || fail "$1 begins with $first; the checkpoint is of $from to $to"
  [[ $(ckpt --root "$OURS" state "$1" | jq -r .status) == running ]]
}

# once_more COPY: a checkpoint of the copy, and that restored
once_more() {
  local line
  name=$(ckpt --root "$OURS" checkpoint "$1")
  line=$(ckpt logs "$1" | tail -n 1)
  ckpt --root "$OURS" restore -d "$1"
  await "[[ \$(ckpt logs $1 | tail -n 1) != '$line' ]]"
  log_lines_follow "$1"
}

log_lines_follow() { ckpt logs "$1" | awk '{ if (NR > 1 && $2 != last + 1) exit 1; last = $2 }'; }

# saved_in_place_twice: $ID, by its name; it goes on, and so does a copy each time
saved_in_place_twice() {
  local copy
  for copy in "$ID-1" "$ID-2"; do
    saved "$ID" --leave-running
    counts_on
    goes_on_as "$copy"
    once_more "$copy"
    ckpt --root "$OURS" delete --force "$copy"
    counts_on
  done
}

engine_roots() {
  OURS=$T/ours
  mkdir -p "$OURS"
  ROOTS+=("$OURS")
}

@test "containerd: ctr's container is listed, saved in place and goes on as ckpt's own, twice" {
  local from to name
  use_runtime runc-1.3
  payload_image
  engine_roots
  start_containerd
  ctr_counter
  ckpt --root "$ROOT_OF_ENGINE" list --json | jq -e --arg id "$ID" 'length == 1 and .[0].status == "running"
    and .[0].engine == {name: "containerd", namespace: "default", pod: null, container: $id}'
  [[ $(ckpt --root "$ROOT_OF_ENGINE" list) == *ENGINE*NAME*"$ID"*"containerd  default/$ID"* ]]
  saved_in_place_twice
  [[ $(ctr tasks ls) == *"$ID"*RUNNING* ]]
}

@test "containerd: a checkpoint that stops says what becomes of it, and one whose root is gone is refused" {
  local from to name
  use_runtime runc-1.3
  payload_image
  engine_roots
  start_containerd
  ctr_counter
  saved "$ID" 2>"$T/err"
  errors=$(<"$T/err")
  says "a container of containerd" "keep its root file system until the task is removed"
  await '[[ $(ctr tasks ls) == *"$ID"*STOPPED* ]]'
  goes_on_as "$ID-1" 2>"$T/err"
  errors=$(<"$T/err")
  says "in a cgroup of its own, not in '/$ID'" "its root file system stays containerd's"
  ctr tasks rm "$ID" 2>/dev/null || true # tells the status of the task as its own
  ends_with 11 ckpt --root "$OURS" restore -d --from "$name" "$ID-2"
  says "containerd/io.containerd.runtime.v2.task/default/$ID/rootfs' is gone: containerd has unmounted or removed it"
}

@test "containerd with crun: saved in place, and goes on as ckpt's own" {
  local from to name
  use_runtime crun
  bundle bundle /bin/payload counter /dev/count
  edit --arg root "$BUNDLE/rootfs" --arg cgroup "/$ID" '.root.path = $root | .linux.cgroupsPath = $cgroup'
  engine_roots
  start_containerd
  ctr_run --config "$BUNDLE/config.json" -- "$ID"
  saved "$ID" --leave-running
  counts_on
  goes_on_as "$ID-1"
  counts_on
}

@test "podman: its container is known by its name, saved in place, stopped, and goes on as ckpt's own, twice" {
  local from to name id
  use_runtime runc-1.3
  payload_image
  engine_roots
  configure_podman overlay
  COUNT=$T/theirs.log
  ROOT_OF_ENGINE=$ROOT
  podman load -q -i "$T/image.tar" >/dev/null
  id=$(podman run -d --name "$ID" --cgroup-parent "/podman-$ID" --network none --security-opt seccomp=unconfined --log-driver k8s-file \
    --log-opt path="$COUNT" --env CKPT_STATE_DIR="$STATE" localhost/payload:1 /bin/payload counter /dev/count)
  await '(($(count) > 5))'
  ckpt --root "$ROOT" list --json | jq -e --arg id "$id" --arg name "$ID" 'length == 1 and .[0].id == $id
    and .[0].engine == {name: "podman", namespace: null, pod: null, container: $name}'
  saved_in_place_twice
  saved "$id" 2>"$T/err"
  errors=$(<"$T/err")
  says "podman will see it exit, and unmount its root file system"
  await '[[ $(podman inspect -f "{{.State.Status}} {{.State.ExitCode}}" "$ID") == "exited 137" ]]'
  ends_with 11 ckpt --root "$OURS" restore -d --from "$name" "$ID-3"
  says "is empty: podman has unmounted or removed it" "podman mount $id"
  podman mount "$ID" >/dev/null
  goes_on_as "$ID-3"
  ckpt --root "$OURS" delete --force "$ID-3"
  podman umount "$ID"
}

@test "nvidia-container-runtime: the runtime behind it is called" {
  use_runtime runc-1.3
  mkdir -p "$T/wrapper/bin" "$T/config/nvidia-container-runtime"
  cat >"$T/wrapper/bin/nvidia-container-runtime" <<SCRIPT
#!/bin/sh
echo "\$*" >>$T/wrapper/called
for word; do [ "\$word" = restore ] && { echo 'unknown command' >&2; exit 1; }; done
exec $PROGRAM "\$@"
SCRIPT
  chmod +x "$T/wrapper/bin/nvidia-container-runtime"
  printf '[nvidia-container-runtime]\nruntimes = ["/nowhere/runc", "runc"]\n' \
    >"$T/config/nvidia-container-runtime/config.toml"
  export XDG_CONFIG_HOME=$T/config
  BINARIES=$T/wrapper/bin:$BINARIES
  COUNT=$DATA/count
  bundle bundle /bin/payload counter /data/count
  "$T/wrapper/bin/nvidia-container-runtime" --root "$ROOT" run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
  await '(($(count) > 5))'
  : >"$T/wrapper/called"
  local at wrapped=(--runtime nvidia-container-runtime --root "$ROOT")
  ckpt "${wrapped[@]}" checkpoint "$ID"
  at=$(count)
  ckpt "${wrapped[@]}" restore -d "$ID"
  goes_on_from "$at"
  ckpt --runtime-path nvidia-container-runtime --root "$ROOT" checkpoint "$ID"
  at=$(count)
  ckpt --runtime-path nvidia-container-runtime --root "$ROOT" restore -d "$ID"
  goes_on_from "$at"
  [[ ! -s $T/wrapper/called ]] || fail "the wrapper was called: $(cat "$T/wrapper/called")"
}
