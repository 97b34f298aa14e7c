#!/usr/bin/env bats
# Checkpoints in a real registry and on a real S3 server, both on loopback: pushed, pulled, cut off in the middle.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # conditions for later; variables of helpers.bash

load helpers

needs_tools() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null && continue
    [[ ${CI-} != true ]] || fail "missing in CI: $tool"
    skip "missing: $tool"
  done
}

# serve_registry: $REGISTRY, its pid in $SERVER; what it has stays in $T/registry.
serve_registry() {
  printf '%s\n' 'version: 0.1' 'log: {level: info}' "storage: {filesystem: {rootdirectory: $T/registry}}" \
    "http: {addr: 127.0.0.1:${1:-0}}" >"$T/registry.yml"
  rm -f "$T/registry.log" # an earlier one's port is there until the new one's shell has emptied it
  docker-registry serve "$T/registry.yml" >"$T/registry.log" 2>&1 3>&- &
  SERVER=$!
  BACKGROUND+=("$SERVER")
  await "grep -q 'listening on' '$T/registry.log'"
  REGISTRY=$(sed -n 's/.*listening on \(127.0.0.1:[0-9]*\).*/\1/p' "$T/registry.log")
}

# serve_s3: the remote far: of $T/rclone.conf; its pid in $SERVER.
serve_s3() {
  local port
  mkdir -p "$T/s3"
  "$(program gofakes3)" -backend fs -fs.path "$T/s3" -fs.create -initialbucket ckpt -host 127.0.0.1:0 >"$T/s3.log" 2>&1 3>&- &
  SERVER=$!
  BACKGROUND+=("$SERVER")
  await "grep -q 'using port' '$T/s3.log'"
  port=$(sed -n 's/.*using port: \([0-9]*\).*/\1/p' "$T/s3.log")
  printf '%s\n' '[far]' 'type = s3' 'provider = Other' 'access_key_id = key' 'secret_access_key = secret' \
    "endpoint = http://127.0.0.1:$port" 'force_path_style = true' >"$T/rclone.conf"
  unset "${!AWS_@}" # of the host's user
  export RCLONE_RETRIES=1 RCLONE_LOW_LEVEL_RETRIES=1
}

# A stopped counter with a checkpoint, whose name is in $name, and the number it is at in $at.
checkpointed_counter() {
  counter --overlay
  name=$(ckpt checkpoint "$@" "$ID")
  at=$(count)
  cp -a "$BUNDLE" "$T/copy"
}

elsewhere() { STORE=$T/elsewhere; }

@test "through a registry to another store, where the counter goes on" {
  local name at output
  needs_tools skopeo docker-registry
  serve_registry
  checkpointed_counter --compression zstd
  [[ $(ckpt images push --tls-verify=false "$name" "docker://$REGISTRY/{id}:{time}") == "docker://$REGISTRY/$ID:${name#*@}" ]]
  output=$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/$ID:${name#*@}")
  [[ $(jq -r '.annotations["org.criu.checkpoint.container.name"]' <<<"$output") == "$ID" ]] || fail "$output"
  [[ $(jq -r '.annotations["io.kubernetes.cri-o.annotations.checkpoint.name"]' <<<"$output") == "$ID" ]] || fail "$output"
  [[ $(jq -r '.layers[0].mediaType' <<<"$output") == application/vnd.oci.image.layer.v1.tar+zstd ]] || fail "$output"
  ckpt images remove "$name"
  ends_with 0 ckpt images pull --tls-verify=false "docker://$REGISTRY/$ID:${name#*@}"
  [[ $output == "$name" ]] || fail "$output"
  ckpt images verify "$name"
  ckpt images remove "$name"
  elsewhere
  ckpt "${RUN[@]}" restore -d --tls-verify=false --bundle "$T/copy" --from "docker://$REGISTRY/$ID:${name#*@}" "$ID"
  goes_on_from "$at"
  counts_on
  [[ $(ckpt images list -q) == "$name" ]]
}

@test "a layout of any compression holds what its digests say, and the layer unpacks to what is restored" {
  local name at method digest output
  needs_tools skopeo
  checkpointed_counter
  for method in none gzip zstd:1; do
    ckpt images push --compression "$method" "$name" "oci:$T/layout:${method%:*}"
  done
  for method in none gzip zstd; do
    output=$(skopeo inspect --config --raw "oci:$T/layout:$method" | jq -r '.rootfs.diff_ids[0]')
    digest=$(skopeo inspect --raw "oci:$T/layout:$method" | jq -r '.layers[0].digest')
    case $method in
      none) [[ $digest == "$output" ]] ;;
      gzip) [[ $output == "sha256:$(gzip -dc <"$T/layout/blobs/${digest/://}" | sha256sum | cut -d ' ' -f 1)" ]] ;;
      zstd) [[ $output == "sha256:$(zstd -dcq <"$T/layout/blobs/${digest/://}" | sha256sum | cut -d ' ' -f 1)" ]] ;;
    esac || fail "$method: $digest unpacks to $output"
  done
  elsewhere
  [[ $(ckpt images pull --id other "oci:$T/layout:gzip") == "other@${name#*@}" ]]
  ckpt images verify "other@${name#*@}"
  ckpt images pull --id plain "oci:$T/layout:none"
  ckpt images verify "plain@${name#*@}"
  ends_with 4 ckpt images pull "oci:$T/layout:none-such"
  [[ -z $(ls -A "$STORE/pull") ]]
}

@test "a push is cut off by kill -9 of ckpt and of skopeo, and by the end of the registry; the next one is whole" {
  local name at sent
  needs_tools skopeo docker-registry
  serve_registry
  checkpointed_counter
  slow_program skopeo
  PATH=$T/slow:$PATH start_ckpt images push --tls-verify=false "$name" "docker://$REGISTRY/c:1"
  await "[[ -s $T/reached ]]"
  kill -KILL "$started"
  ends_with 8 ckpt images push --tls-verify=false "$name" "docker://$REGISTRY/c:1" # its skopeo is still there
  says "another ckpt, or a program that it began"
  kill -KILL "$(<"$T/reached")"
  rm "$T/reached"
  PATH=$T/slow:$PATH start_ckpt images push --tls-verify=false "$name" "docker://$REGISTRY/c:1"
  await "[[ -s $T/reached ]]"
  kill -KILL "$(<"$T/reached")"
  ended_with 1 "was killed by SIGKILL"
  ends_with 4 ckpt images pull --tls-verify=false "docker://$REGISTRY/c:1"
  kill -KILL "$SERVER"
  ends_with 1 ckpt images push --tls-verify=false "$name" "docker://$REGISTRY/c:1"
  says "connection refused"
  [[ -z $(ls -A "$STORE/push") ]]
  serve_registry "${REGISTRY#*:}"
  ckpt images push --tls-verify=false "$name" "docker://$REGISTRY/c:1"
  sent=$(grep -c 'http.request.method=PATCH' "$T/registry.log") || true
  ckpt images push --tls-verify=false "$name" "docker://$REGISTRY/c:2"
  [[ $(grep -c 'http.request.method=PATCH' "$T/registry.log") == "$sent" ]] || fail "the layer was sent again"
  elsewhere
  [[ $(ckpt images pull --tls-verify=false "docker://$REGISTRY/c:2") == "$name" ]]
}

# slow_program NAME: $T/slow/NAME writes its pid to $T/reached at a copy and waits as long as $T/hold is there.
slow_program() {
  mkdir -p "$T/slow"
  : >"$T/hold"
  printf '%s\n' '#!/bin/sh' "case \$1 in copy) echo \$\$ >$T/reached.new; mv $T/reached.new $T/reached; while [ -e $T/hold ]; do sleep 0.05 </dev/null; done ;; esac" \
    "exec $(command -v "$1") \"\$@\"" >"$T/slow/$1"
  chmod +x "$T/slow/$1"
}

# ended_with STATUS TEXT: the one that start_ckpt began
ended_with() {
  local status=0
  wait "$started" || status=$?
  [[ $status -eq $1 && $(<"$T/started.err") == *"$2"* ]] || fail "status $status: $(<"$T/started.err")"
}

@test "through S3 to another store: cut off it is refused, resumed it is whole, and what was changed there is found" {
  local name at file output
  needs_tools rclone
  requires gofakes3
  serve_s3
  checkpointed_counter --compression zstd
  slow_program rclone
  PATH=$T/slow:$PATH start_ckpt images push --rclone-config "$T/rclone.conf" "$name" rclone:far:ckpt/web
  await "[[ -s $T/reached ]]"
  kill -KILL "$started" "$(<"$T/reached")"
  ends_with 4 ckpt images pull --rclone-config "$T/rclone.conf" rclone:far:ckpt/web
  file=$(find "$STORE/checkpoints/$ID" -name 'core-*' -printf '%P\n' -quit)
  rclone --config "$T/rclone.conf" copyto "$STORE/checkpoints/$ID/$file" "far:ckpt/web/${file#*/}"
  ends_with 7 ckpt images pull --rclone-config "$T/rclone.conf" rclone:far:ckpt/web
  says "holds no complete checkpoint: it has no ckpt.json"
  [[ $(ckpt images push --rclone-config "$T/rclone.conf" "$name" rclone:far:ckpt/web) == rclone:far:ckpt/web ]]
  elsewhere
  slow_program rclone
  rm "$T/reached"
  PATH=$T/slow:$PATH start_ckpt images pull --rclone-config "$T/rclone.conf" rclone:far:ckpt/web
  await "[[ -s $T/reached ]]"
  kill -KILL "$started" "$(<"$T/reached")"
  [[ $(ckpt images pull --rclone-config "$T/rclone.conf" rclone:far:ckpt/web) == "$name" ]]
  ckpt images verify "$name"
  ckpt images remove "$name"
  ckpt "${RUN[@]}" restore -d --rclone-config "$T/rclone.conf" --bundle "$T/copy" --from rclone:far:ckpt/web "$ID"
  goes_on_from "$at"
  ckpt images remove "$name"
  tr '\000' '\001' <"$T/store/checkpoints/$ID/$file" >"$T/changed"
  rclone --config "$T/rclone.conf" copyto "$T/changed" "far:ckpt/web/${file#*/}"
  ends_with 7 ckpt images pull --rclone-config "$T/rclone.conf" rclone:far:ckpt/web
  says "is damaged: '${file#*/}' is not what its ckpt.json says"
  [[ -z $(find "$STORE/pull" "$STORE/import" -mindepth 1) && -z $(ckpt images list -q) ]]
  kill -KILL "$SERVER"
  ends_with 1 ckpt images pull --rclone-config "$T/rclone.conf" rclone:far:ckpt/web
  says "pull of 'rclone:far:ckpt/web': rclone exited with status"
}

@test "checkpoint --push sends it after it is published; what cannot be sent is in the store" {
  local output name
  needs_tools skopeo docker-registry
  serve_registry
  counter
  ends_with 0 ckpt --json checkpoint --leave-running --tls-verify=false --push "docker://$REGISTRY/{id}:{time}" "$ID"
  name=$(jq -r .name <<<"$output")
  [[ $(jq -r .pushed <<<"$output") == "docker://$REGISTRY/$ID:${name#*@}" ]] || fail "$output"
  kill -KILL "$SERVER"
  ends_with 1 ckpt checkpoint --tls-verify=false --push "docker://$REGISTRY/{id}:{time}" "$ID"
  says "is in the store, but was not pushed" "connection refused" "ckpt images push $ID@2"
  [[ $(status_of "$ID") == checkpointed ]]
  ckpt restore -d "$ID"
  counts_on
}
