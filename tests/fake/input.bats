#!/usr/bin/env bats
# What is missing, corrupt, of another kind, or not supported: refused before a runtime is asked to change anything.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

changing() { grep -vE '"(state|list|ps)",' || true; }
nothing_was_run() { same "" "$(calls | changing)"; }

# ---- bundles

@test "config.json: missing" {
  refuses 4 not-found "cannot read '$T/none/config.json'" "no such file or directory" "--bundle" -- run -d -b "$T/none" c
  nothing_was_run
}
@test "a bundle whose name is no text: nothing is started" {
  local odd
  odd=$T/$(printf 'b\351')
  cp -a "$BUNDLE" "$odd"
  refuses 2 usage "a path or a name is not UTF-8" -- run -d -b "$odd" c
  nothing_was_run
  nothing_left
  no_record
}
@test "config.json: not what it should be" {
  local text
  for text in '' 'x' '[]' 'null' '{}' '{"process": {"args": ["a"]}' '{"root": {"path": "r"}, "process": {"args": []}}' \
    '{"root": {"path": 1}, "process": {"args": ["a"]}}' '{"root": [], "process": {"args": ["a"]}}' \
    '{"root": {"path": "rootfs"}, "process": {"args": "a"}}' '{"root": {"path": "rootfs"}, "process": {"args": [1]}}' \
    '{"root": {"path": "rootfs"}, "process": {"args": ["a"]}, "mounts": {}}' \
    '{"root": {"path": "rootfs"}, "process": {"args": ["a"]}, "mounts": [{"type": "bind"}]}' \
    '{"root": {"path": "rootfs"}, "process": {"args": ["a"], "terminal": "yes"}}' \
    '{"root": {"path": "rootfs"}, "process": {"args": ["a"]}, "mounts": [{"destination": "/a", "type": 1}]}' \
    '{"root": {"path": "rootfs"}, "process": {"args": ["a"]}, "mounts": [{"destination": "/a", "options": "bind"}]}' \
    '{"root": {"path": "rootfs"}, "process": {"args": ["a"]}, "linux": {"namespaces": 5}}' \
    '{"root": {"path": "rootfs"}, "process": {"args": ["a"]}, "linux": {"devices": [1]}}'; do
    echo "$text" >"$BUNDLE/config.json"
    echo "with $text"
    refuses 2 invalid-config "'$BUNDLE/config.json' is not a usable OCI configuration" "runc spec" -- --runtime runsc run -d -b "$BUNDLE" c
    refuses 2 invalid-config "is not a usable OCI configuration" -- --runtime runc run -d -b "$BUNDLE" c
  done
  nothing_was_run
}
@test "config.json: binary rubbish" {
  head -c 4096 /dev/urandom >"$BUNDLE/config.json"
  refuses 2 invalid-config "is not a usable OCI configuration" -- run -d -b "$BUNDLE" c
}
@test "a root file system and a bind source that are not there" {
  rmdir "$BUNDLE/rootfs"
  refuses 4 not-found "the root file system '$BUNDLE/rootfs' does not exist" -- run -d -b "$BUNDLE" c
  mkdir "$BUNDLE/rootfs"
  jq '.mounts = [{destination: "/data", source: "gone", type: "bind"}]' "$BUNDLE/config.json" >"$T/new"
  mv "$T/new" "$BUNDLE/config.json"
  refuses 4 not-found "the source '$BUNDLE/gone' of the bind mount at '/data' does not exist" -- run -d -b "$BUNDLE" c
  nothing_was_run
}
@test "attached: 125, the table's own code in the JSON" {
  refuses 125 not-found "cannot read" -- run -b "$T/none" c
  refuses 125 not-found "there is no checkpoint" -- restore c
}

# ---- images

@test "images: missing" {
  refuses 4 not-found "there is no checkpoint 'c@latest'" "ID@latest" -- restore -d c
  refuses 4 not-found "there is no checkpoint 'c@2026'" -- restore -d --from c@2026
  refuses 4 not-found "there is no image directory '$T/none'" -- restore -d --image-path "$T/none" c
  nothing_was_run
}
@test "images: a directory without one, and one that a dump left half" {
  mkdir "$T/empty"
  refuses 7 image-invalid "'$T/empty' holds no complete image" "take the checkpoint again" -- restore -d --image-path "$T/empty" --bundle "$BUNDLE" c
  echo x >"$T/empty/pages-1.img"
  refuses 7 image-invalid "holds no complete image" -- restore -d --image-path "$T/empty" --bundle "$BUNDLE" c
  nothing_was_run
}
@test "images: files gone, cut short, manifests that are none" {
  local image
  run_container c
  ckpt checkpoint --image-path "$T/i" c
  image=$T/i
  cp -r "$T/i" "$T/j" && : >"$T/j/pages-1.img"
  forget_calls
  refuses 7 image-invalid "'$T/j/pages-1.img' has 0 bytes, 6 were written" -- restore -d --image-path "$T/j"
  rm "$T/j/pages-1.img"
  refuses 7 image-invalid "lacks the file 'pages-1.img'" -- restore -d --image-path "$T/j"
  echo '{"version": 1' >"$T/j/ckpt.json"
  refuses 7 image-invalid "'$T/j/ckpt.json' is damaged" -- restore -d --image-path "$T/j"
  jq '.files = 5' "$image/ckpt.json" >"$T/j/ckpt.json"
  refuses 7 image-invalid "'$T/j/ckpt.json' is damaged" -- restore -d --image-path "$T/j"
  jq '.version = 99' "$image/ckpt.json" >"$T/j/ckpt.json"
  refuses 7 image-invalid "has version 99" -- restore -d --image-path "$T/j"
  jq '.runtime.name = "runx"' "$image/ckpt.json" >"$T/j/ckpt.json"
  refuses 7 image-invalid "is damaged" -- restore -d --image-path "$T/j"
  nothing_was_run
}
@test "images: a checkpoint in the store without a manifest is none" {
  run_container c
  take_checkpoint c
  rm "$STORE"/checkpoints/c/*/ckpt.json
  refuses 4 not-found "there is no checkpoint 'c@latest'" -- restore -d --replace c
}
@test "images: made by another runtime, or by another version of gVisor" {
  runtime=runsc run_container c
  ckpt checkpoint c && forget_calls
  refuses 11 host-incompatible "was made by runsc; runc cannot restore it" "--runtime runsc" -- restore -d --runtime runc c
  echo -n 2027 >"$FAKE_DIR/version/runsc"
  touch "$FAKE_RUNTIME"
  refuses 11 host-incompatible "the image was made by runsc 2026" "is 2027" "--runtime-path" -- restore -d c
  nothing_was_run
}
@test "images: a bundle that is another one by now" {
  run_container c
  ckpt checkpoint c && forget_calls
  jq '.process.args = ["true"]' "$BUNDLE/config.json" >"$T/new"
  mv "$T/new" "$BUNDLE/config.json"
  refuses 11 host-incompatible "is not the configuration that 'c' was checkpointed with" "--force" -- restore -d c
  nothing_was_run
  go restore -d --force c
  ends 0
  is_now c running
}
@test "an image directory that is not empty" {
  run_container c && forget_calls
  mkdir "$T/i" && echo x >"$T/i/mine"
  refuses 5 conflict "the image directory '$T/i' is not empty" -- checkpoint --image-path "$T/i" c
  same x "$(cat "$T/i/mine")"
  echo x >"$T/f"
  refuses 5 conflict "'$T/f' is not a directory" -- checkpoint --image-path "$T/f" c
  nothing_was_run
}

# ---- containers

@test "containers: none, there already, in the wrong state" {
  local verb
  for verb in state wait logs kill delete checkpoint; do
    refuses 4 not-found "there is no container 'nosuch'" -- "$verb" nosuch
  done
  refuses 4 not-found "there is no container 'nosuch'" -- exec nosuch -- true
  run_container c
  take_checkpoint c
  ckpt kill c && await_status c stopped
  forget_calls
  refuses 5 conflict "container 'c' exists already in '$ROOT'" "ckpt delete --force c" -- run -d -b "$BUNDLE" c
  refuses 5 conflict "container 'c' exists already and is stopped" "--replace" -- restore -d c
  refuses 5 conflict "container 'c' is stopped; only a running one can be checkpointed" -- checkpoint c
  refuses 5 conflict "container 'c' is stopped" -- kill c
  refuses 5 conflict "container 'c' is stopped" -- exec c -- true
  nothing_was_run
}
await_status() { await status_is "$@"; }
status_is() { [ "$(ckpt state "$1" | jq -r .status)" = "$2" ]; }

@test "containers: created is not checkpointed, running is not deleted" {
  runc --root "$ROOT" create --bundle "$BUNDLE" c
  forget_calls
  refuses 5 conflict "container 'c' is created; only a running one can be checkpointed" "start it first" -- checkpoint c
  runc --root "$ROOT" start c
  forget_calls
  refuses 5 conflict "container 'c' is running" "--force" -- delete c
  nothing_was_run
  go delete --force c
  ends 0
  go delete --force c
  ends 0
}
@test "the same id in two roots: refused with the candidates" {
  local id=twice-$$
  run_container "$id"
  runtime=crun run_container "$id" --root "$T/root2"
  unset CKPT_ROOT
  refuses 5 conflict "there are 2 containers '$id'" "runc in '$ROOT'" "crun in '$T/root2'" "--runtime and --root" -- state "$id"
  refuses 5 conflict "there are 2 containers" -- checkpoint "$id"
  refuses 5 conflict "there are 2 containers" -- delete --force "$id"
  same crun "$(ckpt --runtime crun state "$id" | jq -r .runtime)"
  same runc "$(ckpt --root "$ROOT" state "$id" | jq -r .runtime)"
  ckpt --root "$T/root2" delete --force "$id"
  same runc "$(ckpt state "$id" | jq -r .runtime)"
}

# ---- programs

@test "no runtime at all" {
  rm "$T/bin/runc" "$T/bin/crun" "$T/bin/runsc"
  run --separate-stderr without runc crun runsc -- "$CKPT" run -d -b "$BUNDLE" c
  ends 3
  says "none of runc, crun and runsc is installed" "--runtime-path"
  run --separate-stderr without runc crun runsc -- "$CKPT" --json --runtime crun run -d -b "$BUNDLE" c
  ends 3
  says_json unsupported
  refuses 3 unsupported "there is no program '$T/crun-9'" -- --runtime-path "$T/crun-9" run -d -b "$BUNDLE" c
  refuses 3 unsupported "there is no program '$T/bundle'" -- --runtime runc --runtime-path "$T/bundle" run -d -b "$BUNDLE" c
  no_record
}
@test "auto takes the first that is installed" {
  rm "$T/bin/runc"
  run --separate-stderr without runc -- "$CKPT" run --dry-run -d -b "$BUNDLE" c
  ends 0
  holds "$output" "$T/bin/crun --root "
  rm "$T/bin/crun"
  run --separate-stderr without runc crun -- "$CKPT" run --dry-run -d -b "$BUNDLE" c
  ends 0
  holds "$output" "$T/bin/runsc --root "
}
@test "the program named by --runtime-path tells which runtime it is" {
  ln -s "$FAKE_RUNTIME" "$T/crun-1.28"
  go --runtime-path "$T/crun-1.28" run --dry-run -d -b "$BUNDLE" c
  ends 0
  holds "$output" "/containers/crun-"
}
@test "no CRIU" {
  run_container c
  rm "$T/bin/criu"
  forget_calls
  run --separate-stderr without criu -- "$CKPT" checkpoint c
  ends 3
  says "criu is not installed" "install CRIU"
  nothing_was_run
  nothing_left
}
@test "a runtime without checkpoint" {
  runtime=crun run_container c
  rm "$FAKE_DIR/help/crun-checkpoint.txt"
  forget_calls
  refuses 3 unsupported "'$T/bin/crun' does not show the options of 'checkpoint'" "+CRIU" -- checkpoint c
  nothing_was_run
}
@test "options that the runtime has not: refused before anything is run" {
  run_container c1
  runtime=crun run_container c2
  runtime=runsc run_container c3
  install_runtime runc 1.1
  forget_calls
  refuses 3 unsupported "runc 1.1 ('$T/bin/runc') has no way to take --compression flate-best-speed" -- checkpoint --compression flate-best-speed c1
  refuses 3 unsupported "has no way to take --manage-cgroups-mode ignore" "runc >= 1.2" -- checkpoint --manage-cgroups-mode ignore c1
  refuses 3 unsupported "crun 1.28 ('$T/bin/crun') has no way to take --compression flate-best-speed" -- checkpoint --compression flate-best-speed c2
  refuses 3 unsupported "runsc 2026 ('$T/bin/runsc') has no way to take --link-remap" "runc and crun have it" -- checkpoint --link-remap c3
  refuses 3 unsupported "has no way to take --skip-in-flight" -- checkpoint --skip-in-flight c3
  refuses 3 unsupported "--platform is runsc's" -- --runtime runc --platform kvm run -d -b "$BUNDLE" c4
  nothing_was_run
  nothing_left
}
@test "a program that is no runtime" {
  run_container c
  printf '#!/bin/sh\nexit 0\n' >"$T/bin/odd" && chmod +x "$T/bin/odd"
  refuses 1 runtime-failed "'$T/bin/odd' answered with something that is not its JSON" -- --runtime-path "$T/bin/odd" checkpoint c
  printf '\x7fELF rubbish' >"$T/bin/odd"
  refuses 1 runtime-failed "could not be started: exec format error" -- --runtime-path "$T/bin/odd" checkpoint c
  printf '#!/bin/sh\nkill -SEGV $$\n' >"$T/bin/odd"
  refuses 1 runtime-failed "was killed by SIGSEGV" -- --runtime-path "$T/bin/odd" checkpoint c
}
@test "an id that gVisor would take for an abbreviation: --replace removes nothing for it, --dry-run says so" {
  runtime=runsc run_container web
  take_checkpoint web
  runtime=runsc run_container other
  cp "$ROOT/web_sandbox:web.state" "$ROOT/web-2_sandbox:web-2.state"
  forget_calls
  refuses 5 conflict "'web' and the container 'web-2' cannot both be" -- restore -d --replace web
  refuses 5 conflict "'web' and the container 'web-2' cannot both be" -- restore -d --replace --dry-run web
  refuses 5 conflict "'web-22' and the container 'web' cannot both be" -- run -d --dry-run --runtime runsc -b "$BUNDLE" web-22
  same "" "$(verbs | tr ' ' '\n' | grep -E 'delete|restore|create')"
}
