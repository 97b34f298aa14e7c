#!/usr/bin/env bats
# The host is compared with the image before anything is changed; the restored container is asked afterwards.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions for later; variables of helpers.bash and of each test

load helpers

# checkpointed: a counter's checkpoint, the container gone
checkpointed() {
  counter
  ckpt checkpoint "$ID" >"$T/name"
  MANIFEST=$STORE/checkpoints/$ID/$(cut -d @ -f 2 "$T/name")/ckpt.json
}

# manifest JQ-ARGUMENT...: changes the checkpoint's manifest
manifest() {
  local new
  new=$(jq "$@" <"$MANIFEST") && printf '%s\n' "$new" >"$MANIFEST"
}

result() { jq -r --arg item "$1" '.items[] | select(.item == $item) | .result' "$T/out"; }

@test "the host of the checkpoint fits, and the manifest says what it has" {
  checkpointed
  ends_with 0 ckpt --json restore --check "$ID"
  [[ $(jq -r .compatible "$T/out") == true ]]
  [[ $(jq -r '[.items[].result] | unique | join(" ")' "$T/out") == same ]]
  [[ $(result 'mount /data') == same && $(result "$KIND") == same ]]
  ends_with 0 ckpt restore --check "$ID"
  [[ $output == *"mount /data"*ok* ]]
  [[ $(jq -r '.mounts[] | select(.destination == "/data") | .kind' "$MANIFEST") == dir ]]
  [[ $(jq -r '.cpu.features | length > 3' "$MANIFEST") == true ]]
  [[ $(jq -r '.namespaces | has("pid")' "$MANIFEST") == true ]]
  if [[ $KIND != runsc ]]; then
    [[ $(jq -r '.processes[0] | "\(.pid) \(.comm)"' "$MANIFEST") == '1 payload' ]]
    [[ $(jq -r '.open_files[] | select(.path == "/bin/payload") | .size' "$MANIFEST") == "$(stat -c %s "$BUNDLE/rootfs/bin/payload")" ]]
  fi
  [[ -z $(ckpt list -q --root "$ROOT") ]]
}

@test "what does not fit is told all at once, and nothing is called" {
  checkpointed
  mv "$DATA" "$DATA.away"
  : >"$DATA"
  manifest '.cpu.features += ["avx9"] | .arch = "riscv64"'
  ends_with 11 ckpt --json restore --check "$ID"
  [[ $(jq -r .compatible "$T/out") == false ]]
  [[ $(result cpu) == fails && $(result architecture) == fails && $(result 'mount /data') == fails ]]
  ends_with 11 ckpt restore -d "$ID"
  says 'avx9' 'riscv64' "'$DATA'" 'it was a dir'
  [[ ! -e $STATE/failed ]]
  rm "$DATA"
  mv "$DATA.away" "$DATA"
  manifest '.arch = "x86_64" | .kernel = "99.1.2"'
  ends_with 11 ckpt restore -d "$ID"
  ends_with 0 ckpt restore -d --force "$ID"
  counts_on
}

@test "a program of the root file system that has changed is named" {
  [[ $KIND != runsc ]] || skip "gVisor takes files as they are now"
  checkpointed
  echo >>"$BUNDLE/rootfs/bin/payload"
  ends_with 11 ckpt restore -d "$ID"
  says "'/bin/payload' has"
}

@test "a probe answers, comes to answer, or does not" {
  checkpointed
  ends_with 0 ckpt restore -d --probe '/bin/sh -c "test -s /data/count"' "$ID"
  counts_on
  ckpt checkpoint "$ID"
  ends_with 0 ckpt restore -d --probe "/bin/sh -c '[ -e /data/tried ] || { : >/data/tried; exit 7; }'" "$ID"
  [[ -e $DATA/tried ]]
  ckpt checkpoint "$ID"
  ends_with 10 ckpt restore -d --probe "/bin/sh -c 'echo broken >&2; exit 7'" --probe-timeout 2s "$ID"
  says "probe" "status 7" "broken"
  is_running "$ID"
  counts_on
}
