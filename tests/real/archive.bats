#!/usr/bin/env bats
# Checkpoints as archives: restored from another store, read by checkpointctl, and podman's restored by ckpt.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions and jq programs for later; variables of helpers.bash

load helpers
load podman

stop_engines() { stop_podman; }

@test "an archive is restored from another store onto a copy of the bundle, memory and files" {
  local name at
  COUNT=$DATA/count
  if [[ $KIND == runsc ]]; then GLOBAL=(--network=none); fi
  bundle bundle /bin/payload database /db /data/count
  launch --overlay "$ID"
  await '(($(count) > 5))'
  name=$(ckpt checkpoint --compression zstd "$ID")
  at=$(count)
  ckpt images export --archive "$T/there.tar.zst" "$name"
  STORE=$T/there
  [[ $(ckpt images import "$T/there.tar.zst") == "$name" ]]
  ckpt images verify "$name"
  cp -a "$BUNDLE" "$T/copy"
  ckpt "${RUN[@]}" restore -d --bundle "$T/copy" "$ID"
  goes_on_from "$at"
  counts_on
  is_running "$ID"
}

@test "an archive of a privileged container is refused by the bundle of one that is not, and taken by its own" {
  local name
  [[ $KIND != runsc ]] || skip "gVisor's images are its own"
  COUNT=$DATA/count
  bundle safe /bin/payload counter /data/count
  edit '.process.capabilities |= map_values(["CAP_KILL", "CAP_CHOWN"]) | .process.noNewPrivileges = true
    | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [{names: ["keyctl"], action: "SCMP_ACT_ERRNO"}]}'
  bundle bundle /bin/payload counter /data/count
  edit '.process.capabilities |= map_values(["CAP_KILL", "CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_NET_ADMIN"]) | .process.noNewPrivileges = false
    | del(.hostname, .linux.maskedPaths, .linux.readonlyPaths) | .linux.namespaces |= map(select(.type | IN("uts", "ipc") | not))'
  counter
  name=$(ckpt checkpoint "$ID")
  ckpt images export --archive "$T/evil.tar" "$name"
  STORE=$T/there
  ckpt images import "$T/evil.tar"
  # whoever makes an archive writes its manifest
  jq '.config_digest = "" | .namespaces = {}' "$STORE/checkpoints/$ID"/*/ckpt.json >"$T/manifest"
  cp "$T/manifest" "$STORE/checkpoints/$ID/${name#*@}/ckpt.json"
  ends_with 11 ckpt "${RUN[@]}" restore -d --bundle "$T/safe" "$ID"
  says CAP_SYS_ADMIN 'in the host'"'"'s ipc namespace' 'in the host'"'"'s uts namespace' 'can gain privileges' 'no seccomp filter' \
    "see '/proc/keys'" "write to '/proc/sys'"
  [[ -z $(ckpt list -q) ]]
  ends_with 11 ckpt "${RUN[@]}" restore --check --bundle "$T/safe" "$ID"
  [[ $output == *capabilities*'namespace uts'*'masked /proc/keys'* ]] || fail "$output"
  ckpt "${RUN[@]}" restore -d --bundle "$T/bundle" "$ID"
  counts_on
}

# their_bundle ARCHIVE: $BUNDLE is what a user makes of its spec.dump: the root file system, and for each file that podman
# mounts from its own storage, which is gone, another.
their_bundle() {
  local source place
  mkdir -p "$T/theirs"
  tar -xOf "$1" spec.dump |
    jq --arg root "$BUNDLE/rootfs" 'del(.hooks, .linux.cgroupsPath) | .root.path = $root
      | .linux.namespaces |= map(del(.path))' >"$T/theirs/config.json"
  BUNDLE=$T/theirs
  while read -r source; do
    place=$T/theirs/mounts/${source##*/}
    mkdir -p "$T/theirs/mounts"
    if [[ $source == */shm ]]; then mkdir -p "$place"; else : >"$place"; fi
    edit --arg from "$source" --arg to "$place" '.mounts |= map(if .source == $from then .source = $to else . end)'
  done < <(jq -r --arg own "$T/podman" '.mounts[] | select(.type == "bind" and (.source | startswith($own))) | .source' "$T/theirs/config.json")
}

@test "a checkpoint of podman's goes on under ckpt, with the same memory and the files that it changed" {
  local digest name at
  [[ $KIND != runsc ]] || skip "podman checkpoints with runc and crun"
  COUNT=$DATA/digest
  bundle bundle /bin/payload
  configure_podman vfs
  echo old >"$BUNDLE/rootfs/tmp/old"
  chmod 1777 "$BUNDLE/rootfs/tmp"
  tar -C "$BUNDLE/rootfs" -cf "$T/image.tar" .
  podman import "$T/image.tar" localhost/payload:1
  podman run -d --name "$ID" --cgroup-parent "/podman-$ID" --network none --security-opt seccomp=unconfined -v "$DATA:/data" \
    --env CKPT_STATE_DIR="$STATE" localhost/payload:1 /bin/payload memory 64 /data/digest
  await '(($(count) > 2))'
  podman exec "$ID" /bin/busybox sh -c 'echo new >/tmp/new; /bin/busybox rm /tmp/old'
  podman container checkpoint --export "$T/podman.tar.zst" "$ID"
  podman rm --force "$ID"
  digest=$(cut -d ' ' -f 1 "$COUNT")
  at=$(count)
  name=$(ckpt images import "$T/podman.tar.zst")
  [[ $name == "$ID"@2* ]]
  ckpt images verify "$name"
  [[ $(jq -r '.imported.by + " " + .runtime.name' "$STORE/checkpoints/$ID"/*/ckpt.json) == "podman $KIND" ]]
  their_bundle "$T/podman.tar.zst"
  run_options
  ckpt "${RUN[@]}" restore -d --bundle "$BUNDLE" --from "$name" "$ID"
  goes_on_from "$at"
  [[ $(cut -d ' ' -f 1 "$COUNT") == "$digest" ]]
  is_running "$ID"
  [[ $(ckpt exec "$ID" -- /bin/busybox sh -c 'echo /tmp/*; /bin/busybox cat /tmp/new; /bin/busybox stat -c %a /tmp' | xargs) == "/tmp/new new 1777" ]]
  [[ $(ls "$T/bundle/rootfs/tmp") == old ]] # the user's stays as it was
}

@test "checkpointctl reads what is exported" {
  [[ $KIND != runsc ]] || skip "gVisor's images are its own"
  requires checkpointctl
  local output
  counter --overlay
  ckpt checkpoint "$ID"
  ckpt images export --archive "$T/c.tar.zst" "$ID@latest"
  output=$(checkpointctl show "$T/c.tar.zst")
  [[ $output == *"$ID"*"$KIND"*Podman* ]] || fail "$output"
  output=$(checkpointctl inspect --stats --ps-tree --files --mounts "$T/c.tar.zst")
  [[ $output == *"CRIU dump statistics"*"[1]  payload"*"[cwd]  /"*"Destination: /data"* ]] || fail "$output"
  output=$(checkpointctl memparse "$T/c.tar.zst")
  [[ $output == *payload* ]] || fail "$output"
}
checkpointctl() { "$(program checkpointctl)" "$@" </dev/null 3>&-; }
