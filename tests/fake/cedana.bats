#!/usr/bin/env bats
# --engine cedana, over a fake of it.
# shellcheck disable=SC2154  # bats sets status, output and stderr

load helpers
load cedana
setup() { make_place && install_cedana; }
teardown() { leave_place; }

# What cedana was called with, without its version and help.
asked() { calls | grep cedana; }

@test "Cedana dumps and restores: the vectors, the manifest, the engine that is remembered" {
  run_container c && forget_calls
  ckpt checkpoint --engine cedana --leave-running --tcp-established c
  same '["T/bin/cedana","daemon","check"]
["T/bin/cedana","dump","runc","--root","T/root","--dir","T/store/checkpoints/c/.STAMP","--name","checkpoint","--compression","none","--leave-running","--tcp-established","c"]' "$(asked)"
  is_now c running
  same 'cedana v0.9.299' "$(jq -r '.options.engine + " " + .cedana_version' "$STORE"/checkpoints/c/*/ckpt.json)"
  ckpt delete --force c
  forget_calls
  ckpt restore -d c
  same '["T/bin/cedana","restore","runc","--root","T/root","--id","c","--no-server","--path","T/state/containers/HASH/c/image","--tcp-established","--detach","--pid-file","T/state/containers/HASH/c/pid","--bundle","T/state/containers/HASH/c/bundle"]' "$(asked)"
  is_now c running
  go images export --archive "$T/c.tar" c@latest
  ends 0
}

@test "a dump that stops the container: Cedana ends it, the image is published, it comes back" {
  run_container c
  name=$(ckpt checkpoint --engine cedana c)
  same stopped-by-dump "$(jq -r .guarantee "$STORE/checkpoints/c/${name#c@}/ckpt.json")"
  is_now c checkpointed
  ckpt restore -d --engine cedana c
  is_now c running
  nothing_left
}

@test "--compression zstd, and a restore from it" {
  run_container c
  ckpt checkpoint --engine cedana --leave-running --compression zstd c
  ckpt restore -d --replace c
  is_now c running
}

@test "containers of crun and runsc, and --engine criu for runsc, are refused" {
  runtime=crun run_container c
  runtime=runsc run_container s
  forget_calls
  refuses 3 unsupported "--engine cedana is not for container 'c', which is of crun" "leave --engine out" -- checkpoint --engine cedana c
  refuses 3 unsupported "--engine cedana is not for container 's', which is of runsc" "a kernel of its own" -- checkpoint --engine cedana s
  refuses 3 unsupported "--engine criu is not for container 's'" "without CRIU" -- checkpoint --engine criu s
  same "" "$(asked || true)"
}

@test "an image is restored by the engine that made it" {
  run_container c
  ckpt checkpoint --engine cedana --leave-running c
  refuses 11 host-incompatible "was made by Cedana; the runtime with CRIU cannot restore it" "--engine cedana" -- restore -d --replace --engine criu c
  ckpt checkpoint --leave-running c
  refuses 11 host-incompatible "was made by the runtime with CRIU; Cedana cannot restore it" -- restore -d --replace --engine cedana c
}

@test "no cedana, no daemon, no plugin, none too old: each is said before anything is done" {
  run_container c
  rm "$FAKE_DIR/daemon"
  refuses 3 unsupported "the daemon of cedana v0.9.299 is not ready: Error: Error connecting to daemon" "'cedana daemon start'" -- checkpoint --engine cedana c
  : >"$FAKE_DIR/daemon"
  grep -v -e --root "$FIXTURES/cedana-0.9-dump.txt" >"$FAKE_DIR/help/cedana-dump.txt"
  touch -d yesterday "$T/bin/cedana"
  refuses 3 unsupported "has no --root for containers of runc" "cedana plugin install runc" -- checkpoint --engine cedana c
  rm "$T/bin/cedana"
  refuses 3 unsupported "cedana is not installed" "looked in" -- checkpoint --engine cedana c
}

@test "what Cedana cannot be told is refused, not left out" {
  run_container c
  refuses 3 unsupported "has no way to take --ext-unix-sk" -- checkpoint --engine cedana --ext-unix-sk c
  refuses 3 unsupported "has no way to take --manage-cgroups-mode soft" -- checkpoint --engine cedana --manage-cgroups-mode soft c
  refuses 3 unsupported "has no way to take --work-path" -- checkpoint --engine cedana --work-path "$T/w" c
  refuses 3 unsupported "Cedana has no dump of memory alone" -- checkpoint --engine cedana --pre-copy c
  refuses 2 usage "--engine cedana is for the store" -- checkpoint --engine cedana --image-path "$T/i" c
}

@test "a dump that fails, one that says nothing and writes nothing, one that hangs: the container runs on" {
  run_container c
  cedana_does dump fail
  go checkpoint --engine cedana c
  ends 1
  says "checkpoint of 'c' failed: cedana exited with status 1: Error: rpc error: code = Internal desc = failed CRIU dump"
  cedana_does dump quit
  go checkpoint --engine cedana --leave-running c
  ends 1
  says "has no inventory.img"
  cedana_does dump hang
  go --timeout 1s checkpoint --engine cedana c
  ends 9
  says "cedana did not finish within 1 s"
  gone "$(cat "$FAKE_DIR/at/cedana")"
  is_now c running
  nothing_left
  no_image
}

@test "a restore that fails leaves nothing, and the image" {
  run_container c
  ckpt checkpoint --engine cedana c
  cedana_does restore fail
  go restore -d c
  ends 1
  says "restore of 'c' failed: cedana exited with status 1" "established TCP connection"
  no_record
  rm "$FAKE_DIR/do/cedana-restore"
  ckpt restore -d c
  is_now c running
}

@test "--check tells of the engine, --dry-run what would run" {
  run_container c && forget_calls
  go checkpoint --check --engine cedana c
  ends 0
  holds "$output" "cedana v0.9.299, its daemon runs"
  go --dry-run checkpoint --engine cedana c
  ends 0
  same 1 "$(wc -l <<<"$output")"
  holds "$output" "/bin/cedana dump runc --root"
  same "" "$(asked | grep '"dump"' || true)"
}
