#!/usr/bin/env bats
# Checkpoints as archives: exported, imported, and archives that nobody should trust.
# shellcheck disable=SC2030,SC2031,SC2154  # variables of one test; bats sets stderr

load helpers

setup() { make_place; }
teardown() { leave_place; }

# A container c with a checkpoint, whose name is $NAME.
prepare() {
  run_container c
  NAME=$(ckpt checkpoint --leave-running "$@" c)
}
image() { echo "$STORE/checkpoints/c/${NAME#*@}"; }
# The same store on another host: $THERE
go_there() { go --store "$T/there" "$@"; }
imported() { find "$T/there/checkpoints" -mindepth 2 -maxdepth 2; }
content() { (cd "$1" && find . -type f ! -name ckpt.json -exec cksum {} + | sort -k 3); }
nothing_there() { same "" "$(find "$T/there" -mindepth 1 ! -type d)"; same "" "$(find "$T/there/import" -mindepth 1)"; }

@test "there and back: the same name, the same files, the same bytes when exported again" {
  seq 1 100000 >"$FAKE_DIR/pages"
  prepare
  go images export --archive c.tar.zst c@latest
  ends 0
  same "$NAME" "$output"
  same 600 "$(stat -c %a c.tar.zst)"
  same "c.tar.zst" "$(ls -A)"
  go_there images import --trust-spec c.tar.zst
  ends 0
  same "$NAME" "$output"
  same "" "$stderr"
  same "$(content "$(image)" | grep -v spec.dump)" "$(content "$(imported)" | grep -v '\(spec\|config\).dump')"
  same "$T/there/checkpoints/c/${NAME#*@}" "$(imported)"
  same 600 "$(find "$(imported)" -type f -printf '%m\n' | sort -u)"
  same 700 "$(find "$(imported)" -type d -printf '%m\n' | sort -u)"
  go_there images verify c@latest
  ends 0
  go_there images export --archive again.tar.zst c@latest
  ends 0
  cmp c.tar.zst again.tar.zst
  go_there images import again.tar.zst
  ends 5
  says "'$NAME' is in the store already" "--id"
  go_there images import --id d again.tar.zst
  same "d@${NAME#*@}" "$output"
  same "" "$(find "$T/there/import" -mindepth 1)"
}
@test "plain, by name or by option, and through pipes" {
  prepare
  ckpt images export --archive c.tar c@latest
  same "checkpoint/ config.dump spec.dump ckpt.json" "$(tar -tf c.tar | sed -n '1,3p;$p' | paste -sd' ')"
  ckpt images export --archive - --compression none c@latest | cmp - c.tar
  ckpt images export --archive - --compression zstd:1 c@latest | zstd -dcq | cmp - c.tar
  ckpt images export --archive c.img --compression none c@latest
  cmp c.img c.tar
  gzip <c.tar | unshare --cgroup -- "$CKPT" --store "$T/there" images import - >"$T/out" 3>&-
  same "$NAME" "$(cat "$T/out")"
  same "0 0" "$(tar --numeric-owner -tvf c.tar | awk '{ print $2 }' | sort -u | tr / ' ')"
}
@test "one processor writes the bytes that several write" {
  seq 1 3000000 >"$FAKE_DIR/pages" # more than zstd gives to one thread
  prepare
  ckpt images export --archive several.tar.zst c@latest
  taskset --cpu-list "$(taskset --cpu-list --pid $$ | sed 's/.*: \([0-9]*\).*/\1/')" unshare --cgroup -- "$CKPT" images export --archive one.tar.zst c@latest 3>&-
  cmp several.tar.zst one.tar.zst
}
@test "what ckpt compressed is exported as the runtime wrote it" {
  images_say
  seq 1 100000 >"$FAKE_DIR/pages"
  prepare --compression zstd
  [ -e "$(image)/checkpoint/pages-1.img.zst" ]
  ckpt images export --archive c.tar c@latest
  tar -xOf c.tar checkpoint/pages-1.img | cmp - "$FAKE_DIR/pages"
  same "" "$(tar -tf c.tar | grep zst)"
  go_there images import c.tar
  ends 0
  same '[null,[]]' "$(jq -c '[.options.compression, [.files[] | select(.unpacked)]]' "$(imported)/ckpt.json")"
  go_there restore --bundle "$BUNDLE" -d c
  ends 5 # it runs
  go_there restore --bundle "$BUNDLE" -d --replace c
  ends 0
  cmp "$FAKE_DIR/pages" "$FAKE_DIR/restored"
}
@test "pre-dumps, and the links between dumps" {
  prepare --pre-copy=2
  ln -s ../pre-2 "$(image)/checkpoint/parent" # the fake makes none
  ckpt images export --archive c.tar c@latest
  go_there images import c.tar
  ends 0
  same ../pre-2 "$(readlink "$(imported)/checkpoint/parent")"
  ln -sf /etc "$(image)/checkpoint/parent"
  refuses 7 image-invalid "is a link to '/etc'" -- images export --archive d.tar c@latest
}
@test "with --image-path the runtime's files go where other tools look" {
  run_container c
  ckpt checkpoint --leave-running --image-path "$T/image" c
  ckpt images export --archive c.tar "$T/image"
  tar -tf c.tar | grep -x checkpoint/inventory.img
  go_there images import c.tar
  ends 0
  same checkpoint "$(jq -r .images "$(imported)/ckpt.json")"
}
@test "what others read: config.dump, spec.dump, the time" {
  prepare
  ckpt images export --archive c.tar c@latest
  same "c c runc false" "$(tar -xOf c.tar config.dump | jq -r '"\(.id) \(.name) \(.runtime) \(.restored)"')"
  same libpod "$(tar -xOf c.tar spec.dump | jq -r '.annotations["io.container.manager"]')"
  same "$(jq -r .created "$(image)/ckpt.json" | cut -c 1-19)" "$(tar -xOf c.tar config.dump | jq -r .checkpointedTime | cut -c 1-19)"
}
@test "a damaged image is not exported, and what was there stays" {
  prepare
  echo before >c.tar
  printf X | dd of="$(image)/checkpoint/inventory.img" conv=notrunc status=none
  refuses 7 image-invalid "inventory.img' is not what was written at the checkpoint" -- images export --archive c.tar c@latest
  same before "$(cat c.tar)"
  printf X >>"$(image)/checkpoint/inventory.img"
  refuses 7 image-invalid "bytes, " "were written at the checkpoint" -- images export --archive c.tar c@latest
  rm "$(image)/checkpoint/inventory.img"
  refuses 7 image-invalid "lacks the file" -- images export --archive c.tar c@latest
}
@test "wrong use" {
  prepare
  refuses 2 usage "no archive is named" -- images export c@latest
  refuses 2 usage "name one checkpoint" -- images export --archive c.tar c@latest c@latest
  refuses 2 usage "name one archive" -- images import
  refuses 2 usage "--archive goes with 'images export'" -- images import --archive c.tar c.tar
  refuses 2 usage "--trust-spec goes with 'images import'" -- images list --trust-spec
  refuses 2 usage "of the rules only --max-bytes" -- images import --keep-last 1 c.tar
  refuses 2 usage "'lz4' is not one of none, gzip, zstd" -- images export --archive c.tar --compression lz4 c@latest
  refuses 2 usage "would not be what its name says" -- images export --archive c.tar.gz c@latest
  refuses 2 usage "is no directory" -- images export --archive nosuch/c.tar c@latest
  refuses 5 conflict "it is no regular file" -- images export --archive "$T" c@latest
  refuses 2 usage "container id '../x' is not valid" -- images import --id ../x c.tar
  refuses 4 not-found "cannot read 'c.tar': no such file" -- images import c.tar
  go --json images export --archive - c@latest
  ends 2
  script -qefc "unshare --cgroup -- $CKPT images export --archive - c@latest" "$T/typescript" </dev/null >/dev/null 3>&- || true
  grep -q "ckpt: stdout is a terminal; send it to a file or a program" "$T/typescript"
  go images export --dry-run --archive c.tar c@latest
  ends 0
  same "" "$(ls -A)"
}
@test "nothing that an archive says of this host is used, but with --trust-spec" {
  images_say
  prepare
  ckpt kill c KILL
  ckpt delete --force c
  ckpt images export --archive c.tar c@latest
  go_there images import c.tar
  same '{"args":[],"bundle":"","log":"","path":"","root":"/run/runc"}' \
    "$(jq -cS '{bundle, log: .log_path, path: .runtime.path, args: .runtime.args, root: .runtime.root}' "$(imported)/ckpt.json")"
  same "ckpt false" "$(jq -r '.imported | "\(.by) \(.spec_trusted)"' "$(imported)/ckpt.json")"
  go_there restore -d c
  ends 2
  says "was imported, and does not say which bundle is its container's" "--bundle"
  jq '.hooks = {"prestart": [{"path": "/bin/false"}]} | .mounts = [{"destination": "/x", "type": "tmpfs", "source": "evil"}]' \
    "$(imported)/spec.dump" >"$T/spec"
  cp "$T/spec" "$(imported)/spec.dump"
  jq --argjson size "$(stat -c %s "$T/spec")" '(.files[] | select(.path == "spec.dump")) |= {path, size: $size}' \
    "$(imported)/ckpt.json" >"$T/manifest"
  cp "$T/manifest" "$(imported)/ckpt.json"
  go_there restore -d --bundle "$BUNDLE" c
  ends 0
  same null "$(jq -c .mounts "$CKPT_STATE_DIR"/containers/*/c/bundle/config.json)"
  ckpt kill c KILL
  ckpt delete --force c
  jq '.imported.spec_trusted = true' "$T/manifest" >"$(imported)/ckpt.json"
  go_there restore -d --bundle "$BUNDLE" c
  ends 0
  same evil "$(jq -r '.mounts[0].source' "$CKPT_STATE_DIR"/containers/*/c/bundle/config.json)"
  go_there images import --id d --trust-spec c.tar
  same "$BUNDLE" "$(jq -r .bundle "$T"/there/checkpoints/d/*/ckpt.json)"
}
@test "an archive of podman's: its name, its runtime, its time, and what is not known" {
  "$BATS_TEST_DIRNAME/hostile-archives.py" . "$T/outside"
  go_there images import good.tar
  ends 0
  same "guest@20261120T091112Z-800000" "$output"
  same "runc podman 2026-11-20T09:11:12Z  false" \
    "$(jq -r '"\(.runtime.name) \(.imported.by) \(.created) \(.config_digest) \(.layer)"' "$(imported)/ckpt.json")"
  go_there --json images list guest
  same "true runc" "$(jq -r '.[0] | "\(.complete) \(.runtime)"' <<<"$output")"
  go_there --runtime crun images import --id other good.tar
  same crun "$(jq -r .runtime.name "$T"/there/checkpoints/other/*/ckpt.json)"
  go_there restore -d --bundle "$BUNDLE" guest
  ends 0
  is_now guest running
  go_there restore --check --bundle "$BUNDLE" --from guest@latest x
  ends 0
}
@test "archives that are packed in another way are called by their names" {
  local name
  for name in xz bzip2 lz4; do
    command -v $name >/dev/null || continue
    run_container $name
    take_checkpoint $name
    ckpt images export --archive c.tar $name@latest
    $name -c <c.tar >c.$name
    refuses 7 image-invalid "'c.$name' is a" "$name archive; unpack it first: '$name -dc <FILE | ckpt images import -'" -- images import c.$name
    $name -dc <c.$name | unshare --cgroup -- "$CKPT" --store "$T/there-$name" images import - 3>&-
  done
}
@test "an archive of containerd's: its layer, with gzip and OCI's whiteouts, over the bundle's root file system" {
  local root
  mkdir -p "$BUNDLE/rootfs/kept" archive/checkpoint diff/kept
  chmod 1777 "$BUNDLE/rootfs/kept"
  echo old | tee "$BUNDLE/rootfs/gone" >"$BUNDLE/rootfs/kept/old"
  echo new >diff/kept/new
  : >diff/.wh.gone
  tar -C diff -czf archive/rootfs-diff.tar .wh.gone kept/new
  "$BATS_TEST_DIRNAME/criu_images.py" archive/checkpoint
  echo '{"name": "guest", "runtime": "io.containerd.runc.v2"}' >archive/config.dump
  echo '{"annotations": {"io.kubernetes.cri.container-name": "guest"}}' >archive/spec.dump
  tar -C archive -cf c.tar checkpoint config.dump spec.dump rootfs-diff.tar
  go images import c.tar
  ends 0
  same containerd "$(jq -r .imported.by "$STORE"/checkpoints/guest/*/ckpt.json)"
  go restore -d --bundle "$BUNDLE" guest
  ends 0
  root=$(jq -r .root.path "$CKPT_STATE_DIR"/containers/*/guest/bundle/config.json)
  output="$(cd "$root" && { echo *; ls kept; stat -c %a kept; } | xargs)"
  ckpt delete --force guest
  same "kept new old 1777" "$output"
  same "gone kept" "$(cd "$BUNDLE/rootfs" && echo *)"
}
@test "an image from elsewhere that asks for more than the bundle gives is not restored, but with --force or trust" {
  local asks
  jq '.linux.namespaces = [("pid", "network", "mount") | {type: .}] | .linux.seccomp = {"defaultAction": "SCMP_ACT_ERRNO"} |
    .process.noNewPrivileges = true | .process.capabilities.bounding = ["CAP_CHOWN"] | .process.user = {"uid": 33, "gid": 33}' \
    "$BUNDLE/config.json" >"$T/spec"
  cp "$T/spec" "$BUNDLE/config.json"
  local right=(bounding=1 seccomp=2 no_new_privs=1 uid=33)
  for asks in bounding=3 seccomp=0 no_new_privs=0 uid=0 host=network host=pid,mount; do
    images_say "${right[@]}" "$asks"
    prepare
    ckpt images export --archive "$asks.tar" c@latest
    ckpt kill c KILL
    ckpt delete --force c
    go_there images import --id "x${asks//[=,]/}" "$asks.tar"
    ends 0
    jq '.namespaces = {} | .config_digest = ""' "$(find "$T/there/checkpoints/x${asks//[=,]/}" -name ckpt.json)" >"$T/m"
    cp "$T/m" "$(find "$T/there/checkpoints/x${asks//[=,]/}" -name ckpt.json)"
    go_there restore -d --bundle "$BUNDLE" --from "x${asks//[=,]/}" c
    ends 11
    holds "$stderr" "--force restores it with what it asks for"
    go_there restore --check --bundle "$BUNDLE" --from "x${asks//[=,]/}" c
    ends 11
    holds "$output" "fails: "
    no_record
  done
  go_there restore -d --force --bundle "$BUNDLE" --from xno_new_privs0 c
  ends 10 # the fake makes no namespaces; whoever says --force has it left as it is
  is_now c running
  ckpt delete --force c
  go_there images import --id trusted --trust-spec "host=pid,mount.tar"
  go_there restore -d --no-verify --bundle "$BUNDLE" --from trusted c
  ends 0
  ckpt delete --force c
  images_say "${right[@]}"
  prepare
  ckpt images export --archive right.tar c@latest
  ckpt kill c KILL
  ckpt delete --force c
  go_there images import --id right right.tar
  go_there restore --check --bundle "$BUNDLE" --from right c
  ends 0
  go_there restore -d --no-verify --bundle "$BUNDLE" --from right c
  ends 10
  holds "$stderr" "the container was ended, its image came from elsewhere"
  no_record
  same "" "$(ckpt list -q)"
  rm "$(find "$T/there/checkpoints/right" -name core-1.img)"
  jq 'del(.files[] | select(.path == "checkpoint/core-1.img"))' "$(find "$T/there/checkpoints/right" -name ckpt.json)" >"$T/m"
  cp "$T/m" "$(find "$T/there/checkpoints/right" -name ckpt.json)"
  go_there restore -d --bundle "$BUNDLE" --from right c
  ends 7
  says "core-1.img' is not there"
}
@test "a container of which the store has checkpoints gets none from elsewhere unasked" {
  prepare
  ckpt images export --archive c.tar "$NAME"
  ckpt images remove "$NAME"
  take_checkpoint c
  refuses 5 conflict "the store has checkpoints of 'c' already" "--id NAME of" -- images import c.tar
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
  same "" "$(find "$STORE/import" -mindepth 1)"
  go images import --id d c.tar
  same "d@${NAME#*@}" "$output"
  go images import --id c c.tar
  same "$NAME" "$output"
}
@test "what is hostile or damaged is refused, and nothing of it is left" {
  local file
  mkdir "$T/outside" "$T/corpus"
  echo secret >"$T/outside/secret"
  "$BATS_TEST_DIRNAME/hostile-archives.py" "$T/corpus" "$T/outside"
  go_there images import "$T/corpus/good.tar"
  cp "$(imported)/ckpt.json" "$T/corpus/ckpt.json"
  "$BATS_TEST_DIRNAME/hostile-archives.py" "$T/corpus" "$T/outside"
  go_there images import --id honest "$T/corpus/good-manifest.tar"
  ends 0
  for file in "$T"/corpus/*; do
    case $file in */good.tar | */good-manifest.tar | */ckpt.json) continue ;; esac
    go images import "$file"
    echo "$file: $stderr" >&2
    ends 7
    says "$file"
    same "" "$(find "$STORE" -mindepth 2)"
  done
  refuses 7 image-invalid "leads outside" -- images import "$T/corpus/dots.tar"
  same secret "$(cd "$T/outside" && ls -A)"
  [ "$(find "$T/corpus" -type f | wc -l)" -gt 45 ]
}
@test "bounds: --max-bytes, a full disk" {
  seq 1 100000 >"$FAKE_DIR/pages"
  prepare
  ckpt images export --archive c.tar.zst c@latest
  refuses 7 image-invalid "unpacks to more than 102400 bytes" "--max-bytes allows more" -- images import --max-bytes 100k c.tar.zst
  mount_small 256k "$T/there"
  go_there images import c.tar.zst
  ends 7
  says "unpacks to more than"
  go_there images import --max-bytes 1G c.tar.zst
  ends 1
  says "o space left on device"
  nothing_there
  mount_small 64k "$T/small"
  go images export --archive "$T/small/c.tar" c@latest
  ends 1
  says "'$T/small/c.tar'" "o space left on device"
  same "" "$(ls -A "$T/small")"
}
@test "ended in the middle: nothing is listed, and what was left is removed" {
  local archive=$T/fifo
  prepare
  ckpt images export --archive c.tar c@latest
  mkfifo "$archive"
  for signal in TERM KILL; do
    exec 6<>"$archive"
    head -c 2048 c.tar >&6
    start --store "$T/there" images import "$archive"
    await test -e "$T/there/import"
    await sh -c "ls '$T/there/import/'*"
    kill "-$signal" "$BACKGROUND"
    finish
    exec 6>&-
    same "" "$(ckpt --store "$T/there" -q images list)"
    if [ "$signal" = TERM ]; then ends 143 && nothing_there; fi
  done
  ends 137
  [ -n "$(ls -A "$T/there/import")" ]
  ckpt --store "$T/there" images prune --keep-last 9
  nothing_there
  mkdir -p "$T/there/import/0123456789abcdef"
  go_there images import c.tar
  ends 0
  same "" "$(ls -A "$T/there/import")"
}
@test "two at once do not remove each other's" {
  prepare
  ckpt images export --archive c.tar c@latest
  mkfifo "$T/fifo"
  exec 6<>"$T/fifo"
  head -c 2048 c.tar >&6
  start --store "$T/there" images import --id slow "$T/fifo"
  await sh -c "ls '$T/there/import/'*"
  go_there images import c.tar
  ends 0
  ckpt --store "$T/there" images prune --keep-last 9
  tail -c +2049 c.tar >&6
  exec 6>&-
  finish
  ends 0
  same "c slow" "$(ckpt --store "$T/there" --json images list | jq -r '.[].id' | paste -sd' ')"
}
@test "an interrupted export leaves nothing" {
  seq 1 1000000 >"$FAKE_DIR/pages"
  prepare
  mkfifo "$T/fifo"
  exec 6<>"$T/fifo"
  unshare --cgroup -- "$CKPT" images export --archive - --compression none c@latest </dev/null >"$T/fifo" 2>"$T/err" 3>&- 6>&- &
  BACKGROUND=$!
  : >"$T/out"
  await sh -c "dd if='$T/fifo' iflag=nonblock bs=4096 count=1 status=none | grep -q checkpoint"
  kill -TERM "$BACKGROUND"
  finish
  exec 6>&-
  ends 143
  unshare --cgroup -- "$CKPT" images export --archive - c@latest 3>&- 2>"$T/err" | true
  same 1 "${PIPESTATUS[0]}"
}
@test "events, and JSON" {
  prepare
  unshare --cgroup -- "$CKPT" --json --progress-fd 5 images export --archive c.tar c@latest 5>"$T/events" >"$T/out" 3>&-
  same "export done" "$(jq -r 'select(.state == "done") | "\(.step) \(.state)"' "$T/events")"
  same "$NAME $T/away/c.tar $(stat -c %s c.tar)" "$(jq -r '"\(.name) \(.archive) \(.bytes)"' "$T/out")"
  unshare --cgroup -- "$CKPT" --store "$T/there" --json --progress-fd 5 images import c.tar 5>"$T/events" >"$T/out" 3>&-
  same "import done" "$(jq -r 'select(.state == "done") | "\(.step) \(.state)"' "$T/events")"
  same "$NAME c runc ckpt" "$(jq -r '"\(.name) \(.id) \(.runtime) \(.by)"' "$T/out")"
}
