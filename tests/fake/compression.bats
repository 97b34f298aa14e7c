#!/usr/bin/env bats
# Images compressed by ckpt: what is stored, what the runtime is told, full disks, damage, and ckpt killed meanwhile.
# shellcheck disable=SC2030,SC2031,SC2154  # variables of one test; bats sets stderr

load helpers

setup_file() {
  export STOP=$BATS_FILE_TMPDIR/stop-at-write.so
  "${CC:-cc}" -std=c17 -O1 -Wall -Wextra -Werror -shared -fPIC -o "$STOP" "$BATS_TEST_DIRNAME/stop-at-write.c"
}
setup() {
  make_place
  seq 1 1000000 >"$FAKE_DIR/pages" # 6.9 MB
  run_container c
}
teardown() { leave_place; }

image() { find "$STORE/checkpoints/c" -mindepth 1 -maxdepth 1 -name '2*' | sort | tail -n 1; }
pages() { echo "$(image)/checkpoint/pages-1.img.zst"; }
nothing_unpacked() { same "" "$(find "$STORE/restore" -mindepth 1 2>/dev/null)"; }
restored_whole() { cmp "$FAKE_DIR/pages" "$FAKE_DIR/restored"; }

# stopped ARGS...: ckpt stands at its first write of compressed or unpacked data
stopped() {
  behave
  LD_PRELOAD=$STOP start "$@"
  await at_gate pwrite
}
die() {
  kill -KILL "$BACKGROUND"
  finish
  ends 137
  behave
}

@test "zstd: what is stored, and restored" {
  local image
  go --json checkpoint --compression zstd:5 c
  ends 0
  image=$(image)
  same "$(find "$image" -type f ! -name ckpt.json -printf '%s\n' | awk '{ sum += $1 } END { print sum }')" "$(jq .bytes <<<"$output")"
  same "inventory.img pages-1.img.zst" "$(cd "$image/checkpoint" && echo *)"
  [ "$(stat -c %s "$(pages)")" -lt 3000000 ]
  same "600" "$(stat -c %a "$(pages)")"
  zstd -tq "$(pages)"
  zstd -dcq "$(pages)" | cmp - "$FAKE_DIR/pages"
  same '{"path":"checkpoint/pages-1.img.zst","size":'"$(stat -c %s "$(pages)")"',"unpacked":6888896,"xxh3":true}' \
    "$(jq -cS '.files[] | select(.unpacked) | .xxh3 |= (length == 32)' "$image/ckpt.json")"
  same zstd:5 "$(jq -r .options.compression "$image/ckpt.json")"
  go images verify c@latest
  ends 0
  go restore -d --verify-image c
  ends 0
  restored_whole
  nothing_left
  nothing_unpacked
}
@test "the runtime is not told of it, but for a runsc that can compress: not to" {
  run_container d
  runtime=runsc run_container s
  runtime=crun run_container u
  forget_calls
  ckpt checkpoint --leave-running --compression zstd c d u
  ckpt checkpoint --leave-running --compression none c
  same "" "$(calls | grep -o 'compression.*')"
  ckpt checkpoint --leave-running --compression zstd:1 s
  ckpt checkpoint --leave-running --compression auto s
  same 2 "$(calls | grep -c '"--compression","none"')"
}
@test "auto: a small image is compressed without measuring, and -v says so" {
  go -v checkpoint --leave-running --compression auto c
  ends 0
  holds "$stderr" "compression: zstd:3, the image is small"
  same zstd:3 "$(jq -r .options.compression "$(image)/ckpt.json")"
  for _ in 1 2 3; do cat "$FAKE_DIR/pages"; done >"$T/more"
  mv "$T/more" "$FAKE_DIR/pages"
  go -v checkpoint --leave-running --compression auto c
  ends 0
  holds "$stderr" ", measured: disk "
  nothing_left
}
@test "what does not get smaller stays as it is" {
  head -c 3M /dev/urandom >"$FAKE_DIR/pages"
  ckpt checkpoint --compression zstd c
  same "inventory.img pages-1.img" "$(cd "$(image)/checkpoint" && echo *)"
  same 0 "$(jq '[.files[] | select(.unpacked)] | length' "$(image)/ckpt.json")"
  ckpt restore -d c
  restored_whole
}
@test "wrong use" {
  refuses 2 usage "--compression" "'gzip' is not one of none, flate-best-speed, zstd, auto" -- checkpoint --compression gzip c
  refuses 2 usage "'zstd:0' has no level of zstd's; write zstd:1 to zstd:19" -- checkpoint --compression zstd:0 c
  refuses 2 usage "'zstd:20' has no level" -- checkpoint --compression zstd:20 c
  refuses 2 usage "--compression zstd:3 is for the store" -- checkpoint --compression zstd:3 --image-path "$T/i" c
  refuses 2 usage "--compression auto is for the store" -- checkpoint --compression auto --image-path "$T/i" c
  go checkpoint --compression none --image-path "$T/i" c
  ends 0
}
@test "a disk that has room for the image, but not for the compressed one beside it" {
  base64 -w 0 /dev/urandom | head -c 3M >"$FAKE_DIR/pages" || true
  mount_small 4M "$T/small"
  go --store "$T/small" checkpoint --compression zstd c
  ends 1
  says "pages-1.img.zst': no space left on device"
  same "" "$(find "$T/small" -type f)"
  is_now c running
  nothing_left
  go --store "$T/small" checkpoint --leave-running --compression zstd c
  ends 1
  same "" "$(find "$T/small" -type f)"
  is_now c running
  go --store "$T/small" checkpoint --link-remap --compression zstd c # the dump has stopped the container
  ends 0
  holds "$stderr" "is not compressed: cannot write"
  go --store "$T/small" restore -d c
  ends 0
  restored_whole
}
@test "a disk without room to unpack" {
  mount_small 32M "$T/small"
  truncate -s 20M "$FAKE_DIR/pages"
  ckpt --store "$T/small" checkpoint --compression zstd c
  head -c 16M /dev/zero >"$T/small/fill"
  forget_calls
  go --store "$T/small" restore -d c
  ends 1
  says "no space left in '$T/small/restore' to unpack the image" "20971520 bytes"
  same "" "$(verbs | tr ' ' '\n' | grep -x restore)"
  same "" "$(find "$T/small/restore" -mindepth 1)"
  rm "$T/small/fill"
  go --store "$T/small" restore -d c
  ends 0
}
@test "damage: found before the runtime is called, and before --replace removes anything" {
  ckpt checkpoint --leave-running --compression zstd c
  printf 'XX' | dd of="$(pages)" bs=1 seek=100000 conv=notrunc 2>/dev/null
  forget_calls
  refuses 7 image-invalid "pages-1.img.zst' is not what was written at the checkpoint" -- images verify c@latest
  refuses 7 image-invalid "pages-1.img.zst' is damaged" -- restore -d --replace c
  nothing_unpacked
  is_now c running
  same "" "$(verbs | tr ' ' '\n' | grep -xE 'restore|delete')"
  truncate -s 100000 "$(pages)"
  refuses 7 image-invalid "has 100000 bytes" -- restore -d --replace c
  nothing_unpacked
  go images inspect c@latest
  ends 0
}
@test "restore --dry-run and --check change nothing" {
  local before
  ckpt checkpoint --compression zstd c
  before=$(tree)
  go restore --dry-run -d c
  ends 0
  same "$STORE/restore/HEX/checkpoint" "$(sed -E 's/.*--image-path ([^ ]*) .*/\1/; s/[0-9a-f]{16}/HEX/' <<<"$output")"
  go restore --check -d c
  ends 0
  same "$before" "$(tree)"
  [ ! -e "$STORE/restore" ]
}
@test "a restore that fails leaves nothing unpacked, also attached; one that runs neither" {
  ckpt checkpoint --compression zstd c
  do_at restore before fail "no such luck"
  go restore -d c
  ends 1
  nothing_unpacked
  go restore c
  ends 125
  nothing_unpacked
  behave
  start restore c
  await status_is c running
  await nothing_unpacked
  restored_whole
  ckpt kill c KILL
  finish
  ends 137
  nothing_left
}
status_is() { [ "$(ckpt state "$1" 2>/dev/null | jq -r .status)" = "$2" ]; }

put_right() { is_now c running && [ -z "$(find "$STORE/checkpoints" -mindepth 2 -maxdepth 2 -name '.*')" ]; }
@test "killed while it compresses: the container runs again, and the half is gone" {
  stopped checkpoint --compression zstd c
  is_now c paused
  same 1 "$(find "$STORE" -name 'pages-1.img.zst' | wc -l)"
  die
  await put_right
  nothing_left
  same 0 "$(find "$STORE" -name ckpt.json | wc -l)"
  go checkpoint --leave-running --compression zstd c
  ends 0
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
}
@test "--leave-running: it runs while it is compressed" {
  stopped checkpoint --leave-running --compression zstd c
  is_now c running
  open_gate pwrite
  finish
  ends 0
}
@test "killed while it unpacks, or while the runtime restores: the next one removes what was unpacked" {
  ckpt checkpoint --compression zstd c
  stopped restore -d c
  same 1 "$(find "$STORE/restore" -name pages-1.img | wc -l)"
  die
  same 1 "$(find "$STORE/restore" -name pages-1.img | wc -l)"
  mkdir -p "$STORE/restore/not-of-ckpt" "$STORE/restore/00112233445566ff"
  go restore -d c
  ends 0
  restored_whole
  nothing_left
  same "00112233445566ff not-of-ckpt" "$(cd "$STORE/restore" && echo *)" # another container's, and nobody's
}
@test "interrupted while it compresses or unpacks: all is as before" {
  stopped checkpoint --compression zstd c
  kill -TERM "$BACKGROUND"
  open_gate pwrite
  finish
  ends 143
  is_now c running
  nothing_left
  no_image
  behave
  ckpt checkpoint --compression zstd c
  stopped restore -d c
  kill -TERM "$BACKGROUND"
  open_gate pwrite
  finish
  ends 143
  nothing_left
  nothing_unpacked
  behave
  ckpt restore -d c
  restored_whole
}
@test "pre-dumps are compressed and unpacked with the image" {
  ckpt checkpoint --pre-copy=2 --compression zstd c
  same "checkpoint pre-1 pre-2" "$(jq -r '.files[] | select(.unpacked).path' "$(image)/ckpt.json" | xargs -n 1 dirname | sort | paste -sd' ')"
  do_at restore before gate
  start restore -d c
  await at_gate restore
  same "checkpoint pre-1 pre-2" "$(cd "$STORE"/restore/* && echo * )"
  cmp "$FAKE_DIR/pages" "$STORE"/restore/*/pre-2/pages-1.img
  open_gate restore
  finish
  ends 0
  nothing_unpacked
}
@test "inspect reads compressed files, in memory" {
  ckpt checkpoint --leave-running --compression zstd c
  go --json images inspect c@latest
  ends 0
  same checkpoint/pages-1.img.zst "$(jq -r '.files[0].path' <<<"$output")"
  same zstd:3 "$(jq -r .manifest.options.compression <<<"$output")"
  nothing_unpacked
}
