#!/usr/bin/env bats
# Containers of engines, by fake state directories laid out as docker, containerd for Kubernetes, podman and CRI-O do;
# and NVIDIA's wrapper, a fake too.
# shellcheck disable=SC2154  # bats sets stderr

load helpers

setup() { make_place; }
teardown() { leave_place; }

# theirs BUNDLE ID [JQ]: a running container of the fake runtime, whose configuration JQ makes.
theirs() {
  mkdir -p "$1"
  jq --arg root "$BUNDLE/rootfs" '.root.path = $root | .linux.cgroupsPath = "/theirs"'" | ${3-.}" \
    "$BUNDLE/config.json" >"$1/config.json"
  "${runtime:-runc}" --root "$ROOT" create --bundle "$1" --pid-file "$T/pid" "$2" </dev/null >/dev/null 3>&-
  "${runtime:-runc}" --root "$ROOT" start "$2" </dev/null >/dev/null 3>&-
}

# docker_container ID NAME POLICY
docker_container() {
  local home=$T/docker/containers/$1
  mkdir -p "$home"
  : >"$home/hostname"
  echo "{\"Name\": \"/$2\"}" >"$home/config.v2.json"
  echo "{\"RestartPolicy\": {\"Name\": \"$3\"}, \"AutoRemove\": false}" >"$home/hostconfig.json"
  touch "$BUNDLE/rootfs/there"
  TASK=$T/run/io.containerd.runtime.v2.task/moby/$1
  theirs "$TASK" "$1" ".mounts = [{destination: \"/etc/hostname\", type: \"bind\", source: \"$home/hostname\", options: [\"bind\"]}]
    | .hooks.prestart = [{path: \"/proc/7/exe\", args: [\"libnetwork-setkey\"]}]"
}

@test "list: engines and the names that people know" {
  docker_container d1 web always
  theirs "$T/k3s/io.containerd.runtime.v2.task/k8s.io/k1" k1 '.annotations = {"io.kubernetes.cri.sandbox-name": "web-0",
    "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.container-name": "nginx"}'
  runtime=crun theirs "$T/storage/overlay-containers/p1/userdata" p1 '.annotations = {"io.container.manager": "libpod"}'
  echo '[{"id": "p1", "names": ["db"]}]' >"$T/storage/overlay-containers/containers.json"
  theirs "$T/storage/overlay-containers/o1/userdata" o1 '.annotations = {"io.container.manager": "cri-o",
    "io.kubernetes.pod.name": "api-0", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.container.name": "app"}'
  run_container mine
  go list
  ends 0
  same "ID,ENGINE,NAME d1,docker,web k1,containerd,shop/web-0/nginx mine,-,- o1,cri-o,shop/api-0/app p1,podman,db" \
    "$(awk '{ print $1 "," $(NF - 1) "," $NF }' <<<"$output" | xargs)"
  go checkpoint --leave-running db
  ends 0
  holds "$output" "p1@"
  go list --json
  same '[{"container":"web","name":"docker","namespace":null,"pod":null},{"container":"nginx","name":"containerd","namespace":"shop","pod":"web-0"},null]' \
    "$(jq -cS 'map(select(.id | IN("d1", "k1", "mine")) | .engine)' <<<"$output")"
}

@test "every name that list prints is accepted, and a full name goes before the end of another" {
  local id name
  docker_container d1 web always
  theirs "$T/ctr/io.containerd.runtime.v2.task/default/n1" n1 '.annotations = {"nerdctl/name": "web"}'
  theirs "$T/ctr/io.containerd.runtime.v2.task/default/n2" n2 '.annotations = {"nerdctl/name": "db"}'
  theirs "$T/ctr/io.containerd.runtime.v2.task/other/n3" n3 '.annotations = {"nerdctl/name": "db"}'
  theirs "$T/k3s/io.containerd.runtime.v2.task/k8s.io/k1" k1 '.annotations = {"io.kubernetes.cri.sandbox-name": "web-0",
    "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.container-name": "nginx"}'
  runtime=runsc theirs "$T/s/io.containerd.runtime.v2.task/k8s.io/s1" s1 '.annotations = {"io.kubernetes.cri.sandbox-name": "web-1",
    "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.container-name": "nginx"}'
  go list
  while read -r id name; do
    same "$id" "$(ckpt state "$name" | jq -r .id)"
  done < <(awk 'NR > 1 { print $1, $NF }' <<<"$output")
  same d1 "$(ckpt state web | jq -r .id)"
  refuses 5 conflict "2 containers that their engines call 'db': n2, n3" -- state db
  refuses 4 not-found "there is no container 'nginx'" -- state nginx
  refuses 2 usage "'shop/web-9/nginx' is not valid" "no engine has a container of that name" -- state shop/web-9/nginx
}
@test "a pod's container by its name: every verb, also when only its checkpoint is left" {
  local name=shop/web-0/nginx
  touch "$BUNDLE/rootfs/there"
  theirs "$T/k3s/io.containerd.runtime.v2.task/k8s.io/k1" k1 '.annotations = {"io.kubernetes.cri.sandbox-name": "web-0",
    "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.container-name": "nginx"}'
  go exec "$name" -- true
  ends 0
  go gpu-detect --container "$name"
  ends 4
  says "k1/config.json' gives its container no GPU"
  go pause "$name"
  ends 0
  go resume "$name"
  ends 0
  go logs "$name"
  ends 4
  says "no log of 'k1'"
  holds "$(ckpt __complete containers)" "$name"
  ckpt -q checkpoint "$name"
  holds "$(ckpt images list -q "$name")" "k1@"
  go -q restore -d "$name"
  ends 0
  same k1 "$output"
  go kill k1
  ends 0
  go delete -f k1
  ends 0
}

@test "list: without a container of an engine the table has no columns for them" {
  run_container mine
  go list
  same "ID RUNTIME STATUS PID ROOT LAST CHECKPOINT" "$(head -n 1 <<<"$output" | xargs)"
}

@test "checkpoint: what the engine does then is told when it stops the container, and only then" {
  docker_container d1 web always
  go checkpoint --leave-running d1
  ends 0
  same "" "$stderr"
  go checkpoint --check d1
  holds "$output" "a container of docker: docker will see it exit, and start it anew"
  go checkpoint d1
  ends 0
  holds "$stderr" "container 'd1': a container of docker: docker will see it exit, and start it anew, from its beginning: its restart policy is 'always'"
}

@test "restore: in a root of its own, with the kept configuration, without hooks and cgroup of the engine" {
  docker_container d1 web no
  take_checkpoint d1
  rm -r "$TASK"
  CKPT_ROOT='' go restore --dry-run -d --from d1@latest web
  ends 0
  holds "$output" "--root /run/runc "
  go restore --check --from d1@latest web
  ends 0
  holds "$output" "not in '/theirs'"
  go restore -d --from d1@latest web
  ends 0
  holds "$stderr" "container 'web': its hooks are not run: '/proc/7/exe' (prestart); it is in a cgroup of its own, not in '/theirs'; its root file system stays docker's"
  same "null null" "$(jq -r '"\(.hooks) \(.linux.cgroupsPath)"' "$CKPT_STATE_DIR"/containers/*/web/bundle/config.json)"
  go checkpoint web
  ends 0
  same "" "$stderr"
  go restore -d web
  ends 0
  same "" "$stderr"
  is_now web running
}

@test "restore: a root file system that was unmounted, and a namespace that is gone, are told before anything is done" {
  docker_container d1 web no
  theirs "$T/storage/overlay-containers/p1/userdata" p1 \
    ".linux.namespaces = [{type: \"network\", path: \"$T/netns/netns-7\"}]"
  mkdir "$T/netns"
  : >"$T/netns/netns-7"
  take_checkpoint d1
  take_checkpoint p1
  rm "$T/netns/netns-7"
  refuses 11 host-incompatible "the network namespace '$T/netns/netns-7' is gone: podman has removed it" \
    "'ip netns add netns-7'" -- restore -d --from p1@latest db
  rm "$BUNDLE/rootfs/there"
  refuses 11 host-incompatible "the root file system '$BUNDLE/rootfs' is empty: docker has unmounted or removed it" \
    "'docker export d1'" -- restore -d --from d1@latest web
}

# wrapper RUNTIME...: a fake of NVIDIA's that is configured to call these.
wrapper() {
  printf '#!/bin/sh\necho "the wrapper was called: $*" >&2\nexit 1\n' >"$T/bin/nvidia-container-runtime"
  chmod +x "$T/bin/nvidia-container-runtime"
  export XDG_CONFIG_HOME=$T/config
  mkdir -p "$T/config/nvidia-container-runtime"
  jq -nr '"[nvidia-container-runtime]\nruntimes = \($ARGS.positional)"' --args "$@" \
    >"$T/config/nvidia-container-runtime/config.toml"
}

@test "nvidia-container-runtime: as --runtime and as --runtime-path it stands for what is behind it" {
  wrapper /nowhere/runc crun
  go --runtime nvidia-container-runtime run -d -b "$BUNDLE" c
  ends 0
  same crun "$(ckpt list --json | jq -r '.[0].runtime')"
  go --runtime-path "$T/bin/nvidia-container-runtime" checkpoint --dry-run c
  ends 0
  holds "$output" "$T/bin/crun --root"
  go --runtime nvidia-container-runtime list -q
  same c "$output"
}

@test "nvidia-container-runtime: not there, nothing behind it, a configuration that cannot be read" {
  refuses 3 unsupported "nvidia-container-runtime is not installed" -- --runtime nvidia-container-runtime list
  wrapper /nowhere/runc
  refuses 3 unsupported "none of the runtimes behind '$T/bin/nvidia-container-runtime' is installed: /nowhere/runc" \
    -- --runtime nvidia-container-runtime list
  echo '[' >"$T/config/nvidia-container-runtime/config.toml"
  refuses 2 invalid-config "nvidia-container-runtime/config.toml' line 1" -- --runtime nvidia-container-runtime list
}
