#!/usr/bin/env bats
# Failures of the bare runtime, made on purpose, and what ckpt makes of their logs.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash

load helpers

# fails COMMAND...: the bare runtime's words go to $T/said.log
fails() {
  local status=0
  bare "$@" </dev/null >"$T/said.log" 2>&1 || status=$?
  [[ $status -ne 0 ]] || fail "did not fail: $*"
}

# explains REASON LOG: one of REASON|REASON
explains() {
  ckpt --json explain "$2" >"$T/explained" || fail "$(<"$T/explained")" "$(tail -n 30 "$2")"
  [[ "|$1|" == *"|$(jq -r .reason "$T/explained")|"* ]] || fail "not $1: $(<"$T/explained")"
}

criu_only() { [[ $KIND != runsc ]] || skip "CRIU's"; }

# $T/image, of a container that is gone
saved() {
  mkdir -p "$T/work"
  bare checkpoint --image-path "$T/image" --work-path "$T/work" "$ID" </dev/null
  await '[[ $(bare list -q) != *"$ID"* || $(bare state "$ID" | jq -r .status) == stopped ]]'
  bare delete --force "$ID" || true
}

# crun 1.28 alone, with a root of its own, cannot restore masked directories: it looks for what it mounted there in another one.
unmask_directories() {
  local path directories=()
  while read -r path; do
    if [[ -d $path ]]; then directories+=("$path"); fi
  done < <(jq -r '.linux.maskedPaths[]' "$BUNDLE/config.json")
  edit --argjson directories "$(json_list "${directories[@]}")" '.linux.maskedPaths -= $directories'
}

# crun leaves the cgroups of a restore that failed.
forget() {
  bare delete --force "$ID" || true
  await 'find $(cgroups) -depth -type d -exec rmdir {} + 2>/dev/null; [[ -z $(cgroups) ]]'
}

begun() {
  bundle bundle /bin/payload "$@"
  [[ $NAME != crun ]] || unmask_directories
  bare run --detach --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
}

@test "a name that is in use" {
  COUNT=$DATA/count
  begun counter /data/count
  await '(($(count) > 2))'
  bare checkpoint --image-path "$T/image" --leave-running "$ID" </dev/null
  fails restore --detach --bundle "$BUNDLE" --image-path "$T/image" "$ID"
  explains "$KIND-id-taken" "$T/said.log"
}

@test "a connection, locks, a large deleted file" {
  criu_only
  local mode reason
  while read -r mode reason; do
    rm -rf "$T/image" "$T/work" "$T/bundle" "${DATA:?}"/*
    mkdir -p "$T/work"
    # shellcheck disable=SC2086 # words
    begun ${mode//,/ }
    await '[[ -n $(ls "$DATA") ]]'
    await '(($(bare state "$ID" | jq .pid) > 0))'
    fails checkpoint --image-path "$T/image" --work-path "$T/work" --leave-running "$ID"
    explains "$reason" "$T/work"
    bare delete --force "$ID"
  done <<'END'
tcp,/data/count tcp-connected
locks,/data/locked file-locks
deleted,/data,3 ghost-file-large
linked,/data link-remap-needed
END
}

@test "a file that grew" {
  criu_only
  COUNT=$DATA/count
  begun rewrite /data/count
  await '[[ -s $COUNT ]]'
  saved
  echo more >>"$COUNT"
  fails restore --detach --bundle "$BUNDLE" --image-path "$T/image" --work-path "$T/work" "$ID"
  explains file-size "$T/work/restore.log"
  forget
}

@test "an image cut short" {
  criu_only
  begun sleep
  saved
  truncate -s 1000 "$T/image/core-1.img"
  fails restore --detach --bundle "$BUNDLE" --image-path "$T/image" --work-path "$T/work" "$ID"
  explains image-short "$T/work"
  forget
}

@test "no CRIU" {
  criu_only
  begun sleep
  BINARIES=$RUNTIMES/$NAME/bin
  [[ -z $(PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin type -P criu) ]] || skip "a criu is installed"
  fails checkpoint --image-path "$T/image" "$ID"
  explains "$KIND-criu-missing" "$T/said.log"
}

@test "images of runsc that are empty, short, and absent" {
  [[ $KIND == runsc ]] || skip "runsc's"
  begun sleep
  saved
  truncate -s 1000 "$T/image/checkpoint.img"
  fails restore --detach --bundle "$BUNDLE" --image-path "$T/image" "$ID"
  explains 'runsc-image-short|runsc-restore-ended' "$T/said.log"
  bare delete --force "$ID" || true
  truncate -s 0 "$T/image/checkpoint.img"
  fails restore --detach --bundle "$BUNDLE" --image-path "$T/image" "$ID"
  explains 'runsc-image-empty|runsc-restore-ended' "$T/said.log"
  bare delete --force "$ID" || true
  rm "$T/image/checkpoint.img"
  fails restore --detach --bundle "$BUNDLE" --image-path "$T/image" "$ID"
  explains runsc-image-absent "$T/said.log"
  bare delete --force "$ID" || true
}
