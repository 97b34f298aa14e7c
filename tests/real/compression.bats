#!/usr/bin/env bats
# Images that ckpt compresses: memory comes back the same, files are smaller and whole, nothing is left of unpacking.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions for later; variables of helpers.bash and of each test

load helpers

# memory MB [BITS]: a container with that much of it, BITS of 64 random; $DIGEST is what it says of it
memory() {
  COUNT=$DATA/digest
  bundle bundle /bin/payload memory "$1" /data/digest ${2:+"$2"}
  launch "$ID"
  await '(($(count) > 2))'
  DIGEST=$(cut -d ' ' -f 1 "$COUNT")
}

newest() { find "$STORE/checkpoints/$ID" -mindepth 1 -maxdepth 1 -name '2*' | sort | tail -n 1; }
stored() { find "$(newest)" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }'; }
compressed() { find "$(newest)" -name '*.zst'; }

# restored OPTION...: from the newest, where all is as it was
restored() {
  local at file
  at=$(count)
  while read -r file; do zstd -tq "$file"; done < <(compressed)
  ckpt images verify "$ID@latest"
  ckpt restore -d "$@" "$ID"
  goes_on_from "$at"
  counts_on
  [[ $(cut -d ' ' -f 1 "$COUNT") == "$DIGEST" ]] || fail "the memory is not what it was"
  [[ -z $(find "$STORE/restore" -mindepth 1) ]] || fail "unpacked files are left"
}

@test "256 MB that can be compressed, twice; and what is left running goes on" {
  memory 256 16
  ckpt checkpoint --leave-running --compression zstd:1 "$ID"
  counts_on
  ckpt checkpoint --compression zstd "$ID"
  (($(stored) < 130000000)) || fail "$(stored) bytes are stored"
  [[ -n $(compressed) ]]
  restored
  ckpt checkpoint --compression zstd "$ID"
  restored --verify-image
}

@test "256 MB of random memory" {
  memory 256
  ckpt checkpoint --compression zstd "$ID"
  (($(stored) > 256000000)) || fail "$(stored) bytes are stored: nobody can do that"
  restored
  ckpt checkpoint --compression zstd "$ID"
  restored
}

@test "auto tells what it chose" {
  memory 64 16
  ends_with 0 ckpt -v checkpoint --compression auto "$ID"
  says "compression: " "measured: disk"
  restored
}

@test "inspect and restore of small files: processes are shown from a compressed image" {
  COUNT=$DATA/0.0
  bundle bundle /bin/payload threads 3 /data
  launch "$ID"
  await '(($(count) > 5))'
  ckpt checkpoint --compression zstd "$ID"
  ckpt --json images inspect "$ID@latest" >"$T/inspected"
  if [[ $KIND != runsc ]]; then
    [[ $(jq -c '[.contents.processes[].comm] | unique' "$T/inspected") == '["payload"]' ]] || fail "$(jq -c .contents.processes "$T/inspected")"
    # Read from compressed files: what the images of the descriptors, mappings and pages say.
    [[ $(compressed) == *.img.zst* && $(jq '[.contents.processes[].memory.in_image] | add' "$T/inspected") -gt 0 ]]
    [[ $(jq '.contents.mounts | length' "$T/inspected") -gt 3 ]]
  fi
  ckpt restore -d "$ID"
  for COUNT in "$DATA"/{0,1}.{0,1,2}; do counts_on; done
}

@test "a changed byte is found by verify and by restore" {
  local file
  memory 16 16
  ckpt checkpoint --compression zstd "$ID"
  file=$(find "$(newest)" -name '*.zst' -size +1M)
  printf 'XXXXXXXX' | dd of="$file" bs=1 seek=700000 conv=notrunc status=none
  ends_with 7 ckpt images verify "$ID@latest"
  says 'has changed'
  ends_with 7 ckpt restore -d "$ID"
  says "is damaged"
  [[ -z $(find "$STORE/restore" -mindepth 1) ]]
  [[ -z $(ckpt list -q --root "$ROOT") ]]
}
