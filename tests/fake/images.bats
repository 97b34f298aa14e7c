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
# row NAME: the rest of its line in $output
row() { awk -v name="$1" '$1 == name { $1 = ""; print substr($0, 2) }' <<<"$output"; }
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
  same "NAME AGE SIZE RUNTIME NOTE" "$(head -n 1 <<<"$output" | xargs)"
  [[ $(row "${TAKEN[0]}") =~ ^[0-9]+s\ [0-9.]+\ k?B\ runc\ -$ ]]
  [[ $(row "${TAKEN[1]}") =~ \ newest$ ]]
  same "- 0 B - incomplete" "$(row c@.half)"
  go --json images list c
  ends 0
  same '["bytes","complete","created","goes","id","kept","name","path","pinned","runtime"]' "$(jq -c '.[0] | keys' <<<"$output")"
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
@test "list: how old, and with rules which one keeps it or that it goes" {
  local image days=0
  run_container c
  take 4
  for image in "${TAKEN[@]:0:3}"; do
    jq --arg when "$(date -ud "-$((3 - days)) days -1 hour" +%FT%TZ)" '.created = $when' "$(directory "$image")/ckpt.json" >"$T/json"
    cp "$T/json" "$(directory "$image")/ckpt.json"
    days=$((days + 1))
  done
  ckpt images pin "${TAKEN[0]}"
  go images list c
  same "3d 2d 25h" "$(for image in "${TAKEN[@]:0:3}"; do row "$image" | cut -d' ' -f1; done | paste -sd' ')"
  go images list --keep-within 30h c
  ends 0
  [[ $(row "${TAKEN[0]}") == *" pinned" ]]
  [[ $(row "${TAKEN[1]}") == *" goes: not-kept" ]]
  [[ $(row "${TAKEN[2]}") == *" keep-within" ]]
  [[ $(row "${TAKEN[3]}") == *" newest, keep-within" ]]
  go --json images list --keep-last 3 --max-bytes 1 c
  ends 0
  same '[["pinned"],[],[],["newest","keep-last"]] [null,"max-bytes","max-bytes",null]' "$(jq -c 'map(.kept), map(.goes)' <<<"$output" | paste -sd' ')"
  same 4 "$(ckpt -q images list | wc -l)"
}
@test "prune --max-bytes: of one container, of those named, of the whole store; a dry run says the same" {
  local bytes before
  run_container c
  run_container d
  take 3
  ckpt checkpoint --leave-running d
  ckpt checkpoint --leave-running d
  refuses 2 usage "'lots' is not a size" -- images prune --max-bytes lots
  bytes=$(ckpt --json images list c | jq 'map(.bytes) | add')
  go images prune --max-bytes "$bytes" c
  same "" "$output"
  before=$(ckpt -q images list d)
  go images prune --max-bytes "$((bytes - 1))" c
  ends 0
  same "${TAKEN[0]}" "$output"
  go images prune --dry-run --max-bytes 1
  ends 0
  same "rm -r $(directory "${TAKEN[1]}") rm -r $STORE/checkpoints/d/$(head -n 1 <<<"$before" | cut -d@ -f2)" "$(paste -sd' ' <<<"$output")"
  same 4 "$(ckpt -q images list | wc -l)"
  bytes=$(ckpt --json images list | jq 'map(.bytes) | add')
  go images prune --max-bytes "$((bytes - 1))"
  same "${TAKEN[1]}" "$output"
  go images prune --max-bytes 1 c d c
  same "$(head -n 1 <<<"$before")" "$output"
  nothing_left
}
@test "prune --min-free: what the file system has, in bytes and as a share" {
  local free
  mount_small 4m "$T/small"
  export CKPT_STORE=$T/small
  run_container c
  ckpt checkpoint --leave-running c
  cp -r "$CKPT_STORE/checkpoints/c/"* "$T/copy"
  head -c 1000000 /dev/zero >"$T/copy/checkpoint/pages-1.img"
  jq '.files += [{"path": "checkpoint/pages-1.img", "size": 1000000}]' "$T/copy/ckpt.json" >"$T/json"
  cp "$T/json" "$T/copy/ckpt.json"
  cp -r "$T/copy" "$CKPT_STORE/checkpoints/c/20260101T000000Z-000000"
  cp -r "$T/copy" "$CKPT_STORE/checkpoints/c/20260102T000000Z-000000"
  refuses 2 usage "'101%' is neither a size nor a share" -- images prune --min-free 101%
  free=$(df --output=avail -B1 "$T/small" | tail -n 1)
  go images prune --min-free "$free"
  ends 0
  same "" "$output"
  go images prune --min-free "$((free + 1))"
  ends 0
  same c@20260101T000000Z-000000 "$output"
  go images prune --min-free 100%
  ends 0
  same c@20260102T000000Z-000000 "$output"
  same 1 "$(ckpt -q images list | wc -l)"
}
@test "prune: a container that another ckpt works on fails, the others are pruned" {
  run_container c
  run_container d
  take 2
  ckpt checkpoint --leave-running d
  ckpt checkpoint --leave-running d
  do_at checkpoint before gate
  start checkpoint --leave-running c
  await at_gate checkpoint
  go images prune --keep-last 1
  ends 8
  same "1 d@" "$(wc -l <<<"$output") ${output:0:2}"
  holds "$stderr" "container 'c' is busy with ckpt checkpoint"
  open_gate checkpoint
  finish
  ends 0
}
@test "prune: a dead ckpt's note is left for the next one that works on the container" {
  run_container c
  take 2
  do_at checkpoint before gate
  start checkpoint c
  await at_gate checkpoint
  kill -KILL "$(pgrep -P "$BACKGROUND" -x thaw-guard)" "$BACKGROUND"
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
  refuses 2 usage "are for the store" -- checkpoint --max-bytes 1 --image-path "$T/i" c
  go checkpoint --keep-within 0s c
  ends 0
  same 1 "$(ckpt -q images list c | wc -l)"
  go restore -d c
  ends 0
}
@test "checkpoint --max-bytes and --min-free: that container's, the newest stays" {
  run_container c
  run_container d
  take 2
  ckpt checkpoint --leave-running d
  ckpt checkpoint --leave-running d
  go --json checkpoint --leave-running --max-bytes 1 c
  ends 0
  same "[\"${TAKEN[0]}\",\"${TAKEN[1]}\"]" "$(jq -c .removed <<<"$output")"
  same "1 2" "$(ckpt -q images list c | wc -l) $(ckpt -q images list d | wc -l)"
  go checkpoint --leave-running --keep-last 5 --min-free 0 d
  same 3 "$(ckpt -q images list d | wc -l)"
  go checkpoint --leave-running --keep-last 5 --min-free 100% d
  ends 0
  same "$output" "$(ckpt -q images list d)"
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
@test "inspect --html: a page, whole and private, over a regular file only" {
  local page=$T/page.html
  run_container c
  take 2
  go images inspect --html "$page" c@latest
  ends 0
  same "" "$output$stderr"
  same "600 1" "$(stat -c '%a %h' "$page")"
  holds "$(cat "$page")" "<h1>${TAKEN[1]}</h1>"
  holds "$(cat "$page")" "The same as in ${TAKEN[0]}: "
  same "" "$(find "$T" -name '.page.html*')"
  echo old >"$page"
  chmod 644 "$page"
  go --json images inspect --html page.html "${TAKEN[0]}" # in the current directory, beside JSON
  ends 0
  same "${TAKEN[0]}" "$(jq -r .name <<<"$output")"
  holds "$(cat page.html)" "no earlier checkpoint of this container"
  go images inspect --html "$page" "${TAKEN[0]}"
  same 600 "$(stat -c %a "$page")"
  go images inspect --html - "${TAKEN[0]}"
  ends 0
  same "$(grep -v '^<footer>' "$page")" "$(grep -v '^<footer>' <<<"$output")"
  holds "$output" "<h1>${TAKEN[0]}</h1>"
  rm "$page"
  go --dry-run images inspect --html "$page" c@latest
  same "touch $page" "$output"
  [ ! -e "$page" ]
}
@test "inspect --html: where no page can be" {
  run_container c
  take 1
  refuses 2 usage "cannot write --html '$T/nosuch/page.html': '$T/nosuch' is no directory" -- images inspect --html "$T/nosuch/page.html" c@latest
  refuses 2 usage "--html needs a value" -- images inspect c@latest --html
  refuses 2 usage "name one checkpoint" -- images inspect --html "$T/page.html"
  refuses 4 not-found "there is no checkpoint 'c@1999'" -- images inspect --html "$T/page.html" c@1999
  [ ! -e "$T/page.html" ]
  echo kept >"$T/target"
  ln -s target "$T/link"
  refuses 5 conflict "--html '$T/link' would be overwritten, and it is no regular file" "name another file" -- images inspect --html "$T/link" c@latest
  same kept "$(cat "$T/target")"
  refuses 5 conflict "it is no regular file" -- images inspect --html "$T/bin" c@latest
  mkdir "$T/fixed"
  mount_read_only "$T/fixed"
  refuses 1 runtime-failed "cannot write '$T/fixed/page.html': read-only file system" -- images inspect --html "$T/fixed/page.html" c@latest
  go --json images inspect --html - c@latest
  ends 2
  holds "$stderr" "both want stdout"
}
@test "inspect --html: what is hostile, damaged, incomplete or failed is told as text" {
  local images=$T/hostile
  mkdir -p "$images" "$CKPT_STATE_DIR/failed"
  : >"$images/inventory.img"
  # as above, the name being <script>
  printf 'mm%06d\4\0\0\0\10\1\20\0' 0 >"$images/pstree.img"
  printf 'mm%06d\14\0\0\0\32\12\62\10<script>' 0 >"$images/core-1.img"
  go images inspect --html - "$images"
  ends 0
  holds "$output" "<td>&lt;script&gt;</td>"
  same 0 "$(grep -c '<script' <<<"$output")"
  run_container c
  take 2
  mkdir "$STORE/checkpoints/c/.half"
  printf x >"$(directory "${TAKEN[0]}")/checkpoint/pstree.img"
  printf '(00.1) Error (criu/x.c:1): <b>gone</b>\n' >"$CKPT_STATE_DIR/failed/c.dump.log"
  go images inspect --html - c@latest
  ends 0
  holds "$output" "pstree.img&#39; is damaged"
  holds "$output" "incomplete: cut short, or being taken"
  holds "$output" "(00.1) Error (criu/x.c:1): &lt;b&gt;gone&lt;/b&gt;"
}
@test "options that belong to another action" {
  refuses 2 usage "--html goes with 'images inspect'" -- images list --html "$T/page.html"
  refuses 2 usage "images: 'lst' is not one of list, inspect, verify, pin, remove, prune, export, import, push, pull; did you mean 'list'?" -- images lst
  refuses 2 usage "--off goes with 'images pin'" -- images list --off
  refuses 2 usage "--force goes with 'images remove'" -- images list --force
  refuses 2 usage "go with 'images prune' and 'images list'" -- images verify --keep-last 1 c@latest
}
