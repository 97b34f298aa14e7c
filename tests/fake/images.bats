#!/usr/bin/env bats
# The store's checkpoints: listed, verified, pinned, removed, pruned; and restores of damaged ones.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

# take N: that many checkpoints of c, oldest first in $TAKEN
take() {
  local i
  TAKEN=()
  for ((i = 0; i < $1; i++)); do TAKEN+=("$(ckpt checkpoint --leave-running c)"); done
}
directory() { echo "$STORE/checkpoints/c/${1#*@}"; }
names() { ckpt -q images list "$@" | paste -sd' '; }

@test "list: what there is, also what is incomplete" {
  run_container c
  run_container d
  take 2
  ckpt checkpoint --leave-running d
  mkdir "$STORE/checkpoints/c/.half"
  go images list
  ends 0
  same 5 "$(wc -l <<<"$output")"
  holds "$output" "NAME" "CREATED" "SIZE" "RUNTIME" "${TAKEN[0]}" "c@.half" "incomplete"
  go --json images list c
  ends 0
  same '["bytes","complete","created","id","name","path","pinned","runtime"]' "$(jq -c '.[0] | keys' <<<"$output")"
  same "3 2" "$(jq -r '"\(length) \(map(select(.complete)) | length)"' <<<"$output")"
  same "$(directory "${TAKEN[1]}")" "$(jq -r '.[-1].path' <<<"$output")"
  same "" "$(names nosuch)"
}
@test "verify: whole, truncated, changed, missing and extra files; the runtime is not called" {
  local image
  run_container c
  take 1
  image=$(directory "${TAKEN[0]}")
  ckpt kill c KILL
  ckpt delete --force c
  go images verify c@latest
  ends 0
  same "${TAKEN[0]}" "$output"
  same 32 "$(jq -r '.files[0].xxh3 | length' "$image/ckpt.json")"
  forget_calls
  cp -r "$image" "$T/whole"
  printf 'X' | dd of="$image/checkpoint/inventory.img" bs=1 count=1 conv=notrunc 2>/dev/null
  refuses 7 image-invalid "inventory.img' is not what was written at the checkpoint" -- images verify c@latest
  refuses 7 image-invalid "inventory.img' is not what was written at the checkpoint" -- restore -d --verify-image c
  printf 'more' >>"$image/checkpoint/inventory.img"
  refuses 7 image-invalid "bytes" "were written at the checkpoint" -- images verify c@latest
  cp "$T/whole/checkpoint/inventory.img" "$image/checkpoint/inventory.img"
  : >"$image/checkpoint/extra.img"
  refuses 7 image-invalid "a file that was not there when it was made: 'checkpoint/extra.img'" -- images verify c@latest
  rm "$image/checkpoint/extra.img" "$image/checkpoint/inventory.img"
  refuses 7 image-invalid "lacks the file" -- images verify c@latest
  same "" "$(verbs)"
  cp "$T/whole/checkpoint/inventory.img" "$image/checkpoint/inventory.img"
  go restore -d --verify-image c
  ends 0
}
@test "remove and pin" {
  run_container c
  take 3
  refuses 2 usage "names a container, not a checkpoint" "c@latest" -- images remove c
  refuses 2 usage "no checkpoint is named" -- images remove
  refuses 4 not-found "there is no checkpoint 'c@1999'" -- images remove c@1999
  refuses 5 conflict "names 3 checkpoints" -- images remove c@2
  go images pin "${TAKEN[0]}"
  ends 0
  refuses 5 conflict "is pinned" "--force removes it" -- images remove "${TAKEN[0]}"
  go images remove --dry-run "${TAKEN[1]}"
  same "rm -r $(directory "${TAKEN[1]}")" "$output"
  same "${TAKEN[*]}" "$(names c)"
  go images remove "${TAKEN[1]}"
  ends 0
  same "${TAKEN[0]} ${TAKEN[2]}" "$(names c)"
  go images pin --off "${TAKEN[0]}"
  go images remove "${TAKEN[0]}"
  ends 0
  go images pin c@latest
  go images remove --force c@latest
  ends 0
  same "" "$(names)"
  nothing_left
}
@test "remove: only what lies in the store, not while another ckpt works on it" {
  run_container c
  take 1
  cp -r "$(directory "${TAKEN[0]}")" "$T/elsewhere"
  refuses 5 conflict "is not in the store" -- images remove "$T/elsewhere"
  go images verify "$T/elsewhere"
  ends 0
  do_at checkpoint before gate
  start checkpoint --leave-running c
  await at_gate checkpoint
  refuses 8 busy "busy with ckpt checkpoint" -- images remove "${TAKEN[0]}"
  refuses 8 busy "busy with ckpt checkpoint" -- images remove --force "${TAKEN[0]}"
  open_gate checkpoint
  finish
  ends 0
}
@test "prune: the newest, the pinned and the incomplete stay" {
  run_container c
  take 5
  mkdir "$STORE/checkpoints/c/.half"
  refuses 2 usage "nothing says what to keep" -- images prune
  ckpt images pin "${TAKEN[0]}"
  go images prune --dry-run --keep-last 2
  same 2 "$(wc -l <<<"$output")"
  go images prune --keep-last 2
  ends 0
  same "${TAKEN[1]} ${TAKEN[2]}" "$(paste -sd' ' <<<"$output")"
  same "c@.half ${TAKEN[0]} ${TAKEN[3]} ${TAKEN[4]}" "$(names c)"
  go images prune --keep-within 1h
  ends 0
  same "" "$output"
  go --json images prune --keep-within 0s c
  same "[\"${TAKEN[3]}\"]" "$(jq -c . <<<"$output")"
  mkdir "$STORE/checkpoints/c/.removed-20260101T000000Z-000000" # of a ckpt that was killed
  ckpt images prune --keep-last 9
  same "c@.half ${TAKEN[0]} ${TAKEN[4]}" "$(names c)"
  rmdir "$STORE/checkpoints/c/.half"
}
@test "prune: a dead ckpt's note is left for the next one that works on the container" {
  run_container c
  take 2
  do_at checkpoint before gate
  start checkpoint c
  await at_gate checkpoint
  kill -KILL "$BACKGROUND"
  finish
  open_gate checkpoint
  await fake_gone checkpoint
  behave
  ckpt images prune --keep-last 1
  is_now c paused
  go checkpoint --leave-running c
  ends 0
  holds "$stderr" "had been left paused by a ckpt that was killed"
  is_now c running
}
@test "checkpoint --keep-last and --keep-within" {
  run_container c
  take 3
  go --json checkpoint --leave-running --keep-last 2 c
  ends 0
  same "[\"${TAKEN[0]}\",\"${TAKEN[1]}\"]" "$(jq -c .removed <<<"$output")"
  same 2 "$(ckpt -q images list c | wc -l)"
  refuses 2 usage "'0' is not a count" -- checkpoint --keep-last 0 c
  refuses 2 usage "are for the store" -- checkpoint --keep-last 1 --image-path "$T/i" c
  go checkpoint --keep-within 0s c
  ends 0
  same 1 "$(ckpt -q images list c | wc -l)"
  go restore -d c
  ends 0
}
@test "inspect: wrong use, what is no image, and one that says nothing of processes" {
  run_container c
  take 1
  refuses 2 usage "name one checkpoint" -- images inspect
  refuses 2 usage "name one checkpoint" -- images inspect c@latest c@latest
  refuses 2 usage "names a container, not a checkpoint" -- images inspect c
  refuses 4 not-found "there is no checkpoint 'c@1999'" -- images inspect c@1999
  refuses 4 not-found "there is no image directory" -- images inspect "$T/nosuch/"
  mkdir "$T/empty"
  refuses 7 image-invalid "holds no complete image" -- images inspect "$T/empty"
  forget_calls
  go --json images inspect c@latest
  ends 0
  same "${TAKEN[0]}" "$(jq -r .name <<<"$output")"
  same '["bytes","contents","files","manifest","name","not_decoded","path"]' "$(jq -c keys <<<"$output")"
  same '["mounts","open_files","processes","shared_memory","sockets"]' "$(jq -c '.contents | keys' <<<"$output")"
  same null "$(jq .manifest.files <<<"$output")"
  same "" "$(verbs)"
}
@test "inspect: names in a hostile image do not reach the terminal as they are" {
  local images=$T/hostile
  mkdir "$images"
  : >"$images/inventory.img"
  # pstree_entry of pid 1; its core_entry with a name of an escape, a line feed and a letter
  printf 'mm%06d\4\0\0\0\10\1\20\0' 0 >"$images/pstree.img"
  printf 'mm%06d\7\0\0\0\32\5\62\3\33\nx' 0 >"$images/core-1.img"
  go images inspect "$images"
  ends 0
  holds "$output" "??x"
  go --json images inspect "$images"
  same '"\u001b\nx"' "$(jq -c '.contents.processes[0].comm' <<<"$output")"
  printf 'mm%06d\377\377\377\377' 0 >"$images/pstree.img"
  refuses 7 image-invalid "pstree.img' is damaged" -- images inspect "$images"
}
@test "options that belong to another action" {
  refuses 2 usage "images: 'lst' is not one of list, inspect, verify, pin, remove, prune; did you mean 'list'?" -- images lst
  refuses 2 usage "--off goes with 'images pin'" -- images list --off
  refuses 2 usage "--force goes with 'images remove'" -- images list --force
  refuses 2 usage "go with 'images prune'" -- images list --keep-last 1
}
