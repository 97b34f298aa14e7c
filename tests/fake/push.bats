#!/usr/bin/env bats
# Far stores over a skopeo and an rclone that are fakes: what they are told, and what they do wrong.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # scripts and variables of one test; bats sets stderr

load helpers

setup() { make_place; }
teardown() { leave_place; }

# fake PROGRAM SCRIPT: writes its arguments, one call a line, to $T/called, then does what SCRIPT says.
fake() {
  printf '%s\n' '#!/bin/sh' "echo \"$1 \$*\" | sed 's|$T/|T/|g' >>$T/called" "$2" >"$T/bin/$1"
  chmod +x "$T/bin/$1"
}
called() { sed -E -e 's/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}/STAMP/g' -e 's|/pull/[0-9a-f]{32}|/pull/HASH|g' "$T/called"; }

prepare() {
  run_container c
  NAME=$(take_checkpoint c)
  STAMP=${NAME#*@}
}
nothing_staged() { same "" "$(find "$STORE/push" "$STORE/pull" "$STORE/import" -mindepth 1 2>/dev/null)"; }
# A remote that is a directory: what rclone is told of far:X is done in $T/far/X.
fake_remote() {
  mkdir -p "$T/far"
  fake rclone '
    verb=$1 list=
    shift
    while [ $# -gt 0 ]; do
      case $1 in
        --files-from-raw) list=$2; shift 2 ;;
        --stats | --stats-log-level | --config | --max-depth) shift 2 ;;
        -*) shift ;;
        *) break ;;
      esac
    done
    near() { case $1 in far:*) echo "$T/far/${1#far:}" ;; *) echo "$1" ;; esac; }
    from=$(near "$1") to=$(near "${2-}")
    if [ -e "$T/do-$verb" ]; then . "$T/do-$verb"; fi
    [ -e "$from" ] || { echo "{\"level\":\"error\",\"msg\":\"directory not found\"}" >&2; exit 3; }
    case $verb in
      cat) cat "$from" ;;
      lsf) ls "$from" ;;
      copyto) mkdir -p "${to%/*}"; cp "$from" "$to" ;;
      copy) while read -r file; do mkdir -p "$to/$(dirname "$file")"; cp "$from/$file" "$to/$file"; done <"$list" ;;
    esac'
}

@test "how far a push is, is what skopeo has read; at its end it is all" {
  prepare
  fake skopeo "for i in \$(seq 400); do
      ! grep -q '\"bytes\":[1-9].*\"state\":\"running\",\"step\":\"push\"' '$T/events' || exit 0
      sleep 0.05
    done
    echo 'nobody said how far it is' >&2; exit 1"
  unshare --cgroup -- "$CKPT" --progress-fd 5 images push "$NAME" "oci:$T/there" 5>"$T/events" >"$T/out" 3>&-
  jq -se 'map(select(.step == "push")) | .[-1] | .state == "done" and .bytes == .total and .total > 0' "$T/events"
}
@test "skopeo is told to copy a layout with one image, and the layout is gone afterwards" {
  prepare
  fake skopeo "cp -r ${STORE@Q}/push/*/layout ${T@Q}/layout"
  go images push --authfile a.json --tls-verify=false "$NAME" "docker://r:5000/{id}:{time}"
  ends 0
  same "docker://r:5000/c:$STAMP" "$output"
  same "skopeo copy --preserve-digests --authfile a.json --dest-tls-verify=false oci:T/store/push/c@STAMP.zstd3/layout docker://r:5000/c:STAMP" "$(called)"
  nothing_staged
  same 1 "$(jq '.manifests | length' "$T/layout/index.json")"
  local blob digest
  for blob in "$T"/layout/blobs/sha256/*; do
    same "${blob##*/}" "$(sha256sum <"$blob" | cut -d ' ' -f 1)"
  done
  same 3 "$(find "$T/layout/blobs" -type f | wc -l)"
  digest=$(jq -r '.manifests[0].digest' "$T/layout/index.json")
  same "c application/vnd.oci.image.layer.v1.tar+zstd" \
    "$(jq -r '.annotations["io.podman.annotations.checkpoint.name"] + " " + .layers[0].mediaType' "$T/layout/blobs/${digest/://}")"
  go --json images push --compression gzip "$NAME" oci:x
  same "$NAME oci:$T/away/x" "$(jq -r '.name + " " + .to' <<<"$output")"
}

@test "a dry run says what would be called, and calls nothing" {
  prepare
  fake skopeo 'exit 1'
  fake rclone 'exit 1'
  local before
  before=$(tree)
  go --dry-run images push "$NAME" oci:/x:y
  same "$T/bin/skopeo copy --preserve-digests oci:$STORE/push/$NAME.zstd3/layout oci:/x:y" "$output"
  go --dry-run images push "$NAME" rclone:far:b
  same 3 "$(wc -l <<<"$output")"
  go --dry-run images pull docker://r/c:1
  holds "$output" "skopeo copy --dest-oci-accept-uncompressed-layers docker://r/c:1 oci:$STORE/pull/"
  go --dry-run restore -d --from docker://r/c:1 d
  holds "$output" "skopeo copy --dest-oci-accept-uncompressed-layers docker://r/c:1 oci:$STORE/pull/"
  go --dry-run checkpoint --push oci:/x c
  holds "$output" "ckpt images push c@latest oci:/x"
  [ ! -e "$T/called" ]
  same "$before" "$(tree)"
}

@test "what is not installed, and what is no place" {
  prepare
  fake skopeo 'exit 1'
  fake rclone 'exit 1'
  refuses 2 usage "'docker:r/c' is no place" "docker://REGISTRY" -- images push "$NAME" docker:r/c
  refuses 2 usage "'rclone:/srv' names no remote" -- images pull rclone:/srv
  refuses 2 usage "name one checkpoint and a place" -- images push "$NAME"
  refuses 2 usage "--compression is for oci: and docker://" -- images push --compression none "$NAME" rclone:far:b
  refuses 2 usage "--authfile, --rclone-config and --tls-verify go with" -- images list --authfile a
  refuses 2 usage "go with --push" -- checkpoint --tls-verify=false c
  refuses 2 usage "--image-path is outside" -- checkpoint --push oci:/x --image-path "$T/i" c
  refuses 2 usage "is one place for several containers" -- checkpoint --push oci:/x c d
  refuses 2 usage "'ckpt images pull' first" -- restore -d --check --from oci:/x c
  refuses 2 usage "go with --from of a far store" -- restore -d --trust-spec --from c@latest c
  rm "$T/bin/skopeo" "$T/bin/rclone"
  local words
  for words in "skopeo oci:/x" "skopeo docker://r/c:1" "rclone rclone:far:b"; do
    run --separate-stderr without skopeo rclone -- "$CKPT" images pull "${words#* }"
    ends 3
    says "${words% *} is not installed" "install the package ${words% *}"
    run --separate-stderr without skopeo rclone -- "$CKPT" checkpoint --leave-running --push "${words#* }" c
    ends 3
  done
  same "$NAME" "$(ckpt images list -q)"
}

@test "a skopeo that fails, is killed, prints rubbish, or never ends" {
  prepare
  fake skopeo 'echo "time=\"2026\" level=fatal msg=\"writing blob: quota \\\"full\\\"\"" >&2; exit 1'
  go images push "$NAME" docker://r/c:1
  ends 1
  says "push of '$NAME' to 'docker://r/c:1': skopeo exited with status 1: writing blob: quota \"full\""
  nothing_staged
  fake skopeo 'kill -9 $$'
  go images push "$NAME" docker://r/c:1
  ends 1
  says "skopeo was killed by SIGKILL"
  fake skopeo 'head -c 3000000 /dev/urandom >&2; exit 7'
  go images push "$NAME" docker://r/c:1
  ends 1
  says "skopeo exited with status 7"
  fake skopeo 'exec sleep 1000'
  go images push --timeout 300ms "$NAME" docker://r/c:1
  ends 9
  says "skopeo did not finish within" "--timeout"
  nothing_staged
  fake skopeo 'echo "manifest unknown" >&2; exit 1'
  go images pull docker://r/c:1
  ends 4
  says "pull of 'docker://r/c:1'" "manifest unknown"
  fake skopeo 'echo "{}"'
  go images pull docker://r/c:1
  ends 7
  says "has a manifest that is none of an image"
  fake skopeo 'echo "{\"layers\": [{\"digest\": \"sha256:aa\", \"size\": 9000000}]}"'
  go images pull --max-bytes 8M docker://r/c:1
  ends 7
  says "has more than 8388608 bytes" "--max-bytes"
  go images pull docker://r/c:1
  ends 7
  says "came without an image"
  nothing_staged
}

@test "SIGTERM ends skopeo and leaves nothing" {
  prepare
  fake skopeo 'echo $$ >"$T/pid"; exec sleep 1000'
  start images push "$NAME" docker://r/c:1
  await test -s "$T/pid"
  kill -TERM "$BACKGROUND"
  finish
  ends 143
  await gone "$(cat "$T/pid")"
  nothing_staged
}

@test "rclone: the files, then the manifest; another checkpoint is not put over one that is there" {
  prepare
  fake_remote
  go images push --rclone-config r.conf "$NAME" rclone:far:b/web/
  ends 0
  same rclone:far:b/web "$output"
  same "rclone cat --ask-password=false --use-json-log --config r.conf far:b/web/ckpt.json
rclone copy --ask-password=false --use-json-log --config r.conf --files-from-raw T/store/push/c@STAMP.files/files --stats 500ms --stats-log-level NOTICE T/store/checkpoints/c/STAMP far:b/web
rclone copyto --ask-password=false --use-json-log --config r.conf T/store/push/c@STAMP.files/config.dump far:b/web/config.dump
rclone copyto --ask-password=false --use-json-log --config r.conf T/store/checkpoints/c/STAMP/ckpt.json far:b/web/ckpt.json" "$(called)"
  nothing_staged
  go images push "$NAME" rclone:far:b/web # once more is no harm
  ends 0
  take_checkpoint c
  refuses 5 conflict "'rclone:far:b/web' holds another checkpoint already" "{time}" -- images push c@latest rclone:far:b/web
  go --store "$T/there" images pull rclone:far:b/web
  ends 0
  same "$NAME" "$output"
  go --store "$T/there" images verify "$NAME"
  ends 0
  go --store "$T/there" images pull rclone:far:b/web
  ends 5
  says "'$NAME' is in the store already"
}

@test "rclone: half a push and a changed file are refused, a pull that was cut off goes on" {
  prepare
  fake_remote
  echo 'echo "{\"level\":\"error\",\"msg\":\"disk full\",\"object\":\"a\"}" >&2; head -n 1 "$list" >"$list.1"; mv "$list.1" "$list"; mkdir -p "$to"; cp -r "$from/config.dump" "$to/" 2>/dev/null || cp "$from/spec.dump" "$to/"; exit 5' >"$T/do-copy"
  go images push "$NAME" rclone:far:b
  ends 1
  says "rclone exited with status 5: a: disk full"
  rm "$T/do-copy"
  go --store "$T/there" images pull rclone:far:b
  ends 7
  says "'rclone:far:b' holds no complete checkpoint: it has no ckpt.json"
  go --store "$T/there" images pull rclone:far:none
  ends 4
  says "there is nothing at 'rclone:far:none'"
  go images push "$NAME" rclone:far:b
  ends 0
  echo 'cp "$from/spec.dump" "$to/"; kill -9 $$' >"$T/do-copy"
  go --store "$T/there" images pull rclone:far:b
  ends 1
  says "the same pull goes on with what came"
  same "spec.dump" "$(cd "$T"/there/pull/*/content && echo *)"
  rm "$T/do-copy"
  go --store "$T/there" images pull rclone:far:b
  same "$NAME" "$output"
  same "" "$(find "$T/there/pull" "$T/there/import" -mindepth 1)"
  echo >>"$T/far/b/spec.dump"
  go --store "$T/again" images pull rclone:far:b
  ends 7
  says "is damaged: 'spec.dump' is not what its ckpt.json says"
  same "" "$(find "$T/again" -mindepth 1 ! -type d)"
}

@test "rclone: a ckpt.json that leads outside fetches nothing" {
  prepare
  fake_remote
  ckpt images push "$NAME" rclone:far:b
  local name manifest
  manifest=$(cat "$T/far/b/ckpt.json")
  for name in ../x /etc/x a/../../x ckpt.json; do
    jq --arg name "$name" '.files[0].path = $name' <<<"$manifest" >"$T/far/b/ckpt.json"
    go --store "$T/there" images pull rclone:far:b
    ends 7
    says "a name that leads outside or is none"
  done
  jq '.files[0].size = 9e15' <<<"$manifest" >"$T/far/b/ckpt.json"
  go --store "$T/there" images pull rclone:far:b
  ends 7
  says "--max-bytes allows more"
  echo '{' >"$T/far/b/ckpt.json"
  go --store "$T/there" images pull rclone:far:b
  ends 7
  same "" "$(find "$T/there" -mindepth 1 ! -type d 2>/dev/null)"
  same "" "$(grep files-from "$T/called" | grep there)"
}

@test "prune removes what pushes and pulls that were killed have left, and not what one works in" {
  prepare
  mkdir -p "$STORE/push/x" "$STORE/pull/y/content"
  fake skopeo ': >"$T/runs"; while [ -e "$T/runs" ]; do sleep 0.05; done'
  start images push "$NAME" docker://r/c:1
  await test -e "$T/runs"
  go images prune --keep-last 9
  ends 0
  same "push/$NAME.zstd3" "$(cd "$STORE" && echo push/* pull/*/)" || same "push/$NAME.zstd3 pull/*/" "$(cd "$STORE" && echo push/* pull/*/)"
  rm "$T/runs"
  finish
  ends 0
  nothing_staged
}

@test "checkpoint --push and restore --from a far store, and once more" {
  images_say
  run_container c
  fake_remote
  go checkpoint --push 'rclone:far:{id}/{time}' c
  ends 0
  NAME=$output
  [ -e "$T/far/c/${NAME#*@}/ckpt.json" ]
  ckpt images remove "$NAME"
  go restore -d --bundle "$BUNDLE" --from "rclone:far:c/${NAME#*@}" c
  ends 0
  is_now c running
  same "$NAME" "$(ckpt images list -q)"
  go restore -d --replace --bundle "$BUNDLE" --from "rclone:far:c/${NAME#*@}" c
  ends 0
  is_now c running
  same "$NAME" "$(ckpt images list -q)"
  nothing_staged
  echo 'exit 9' >"$T/do-copy"
  go checkpoint --push rclone:far:d c
  ends 1
  holds "$output" c@2
  holds "$stderr" "is in the store, but was not pushed"
  holds "$stderr" "'ckpt images push c@2"
  same "c@2" "$(ckpt images list -q | tail -n 1 | cut -c 1-3)"
}
