#!/usr/bin/env bats
# Restoring into a new container's specification, and with other sources: what the runtime is given.
# shellcheck disable=SC2154  # bats sets status, output and stderr

load helpers

setup() {
  make_place
  mkdir -p "$T/data" "$T/new/rootfs" "$T/new/data"
  mount_data "$BUNDLE" "$T/data"
  run_container c
  ckpt checkpoint c
  mount_data "$T/new" "$T/new/data"
}
teardown() { leave_place; }

# mount_data BUNDLE SOURCE: its configuration with one bind mount
mount_data() {
  jq --arg source "$2" '.mounts = [{destination: "/data", type: "bind", source: $source, options: ["rbind"]}]' \
    "$BUNDLE/config.json" >"$T/config"
  mv "$T/config" "$1/config.json"
}
given() { jq -r "$1" "$CKPT_STATE_DIR"/containers/*/c/bundle/config.json; }

@test "wrong use is told before anything is done" {
  refuses 2 usage "exclude each other" -- restore -d --spec "$T/new" --bundle "$BUNDLE" c
  refuses 2 usage "'/data' is not OLD=NEW" -- restore -d --map-mount /data c
  refuses 2 usage "names '/data' twice" -- restore -d --map-mount "/data=$T" --map-mount "/data/=$T" c
  refuses 2 usage "no mount is at '/nowhere'" "'/data' from '$T/data'" -- restore -d --map-mount "/nowhere=$T" c
  refuses 2 usage "--tcp excludes" -- restore -d --tcp keep --tcp-close c
  refuses 2 usage "not a host's name" -- restore -d --hostname a_b c
  refuses 4 not-found "$T/none/config.json" -- restore -d --spec "$T/none" c
  refuses 11 host-incompatible "is a file, it was a dir" -- restore -d --map-mount "/data=$BUNDLE/config.json" c
}

@test "a new specification gives sources and root file system, and the bundle of the next restore" {
  mv "$T/new/config.json" "$T/new/pod.json"
  jq '.process.args = ["other"]' "$T/new/pod.json" >"$T/pod" && mv "$T/pod" "$T/new/pod.json"
  go restore -d --spec "$T/new/pod.json" c
  ends 0
  holds "$stderr" "the image has fixed what '$T/new/pod.json' has otherwise: arguments"
  same "$T/new/data $T/new/rootfs sleep" "$(given '"\(.mounts[0].source) \(.root.path) \(.process.args[0])"')"
  ckpt checkpoint c
  go restore -d c
  ends 0
  same "$T/new/data $T/new/rootfs sleep" "$(given '"\(.mounts[0].source) \(.root.path) \(.process.args[0])"')"
}

@test "--map-mount changes our copy only" {
  local before
  before=$(cat "$BUNDLE/config.json")
  go restore -d --map-mount "$T/data=$T/new/data" c
  ends 0
  same "$T/new/data" "$(given '.mounts[0].source')"
  same "$before" "$(cat "$BUNDLE/config.json")"
}

@test "--tcp is the option that does it" {
  go restore -d --tcp close c
  ends 0
  same "tcp-close" "$(cat "$FAKE_DIR/criu.conf")"
  ckpt checkpoint c && forget_calls
  go restore -d --tcp keep c
  ends 0
  holds "$(calls)" '"--tcp-established"'
}
