#!/usr/bin/env bats
# What other users have written, or could write: root's ckpt neither runs, nor believes, nor waits for it.
# shellcheck disable=SC2153,SC2154  # ROOT is of helpers, bats sets stderr

load helpers
setup() {
  make_place
  [ "$(id -u)" = 0 ] || skip "only root can give files away"
}
teardown() { leave_place; }

STRANGER=60001
theirs() { chown -R -h "$STRANGER:$STRANGER" "$@"; }
# A program that says by a file that it was run.
trap_program() {
  mkdir -p "${1%/*}"
  printf '#!/bin/sh\n: >"%s/ran"\necho runc version 1.3.0\n' "$T" >"$1"
  chmod 755 "$1"
}
not_run() { same "" "$(ls "$T/ran" 2>/dev/null)"; }
# ckpt where /run/user has what is below $T/user.
beside_users() {
  # shellcheck disable=SC2016
  run --separate-stderr unshare --mount --cgroup -- bash -c 'mkdir -p /run/user && mount --bind "$1" /run/user && shift && exec "$@"' \
    _ "$T/user" "$CKPT" "$@" </dev/null 3>&-
}

@test "a store and a state directory of somebody else: status 2, and why" {
  mkdir "$T/d" "$T/sticky"
  theirs "$T/d"
  refuses 2 usage "the store '$T/d' is not used: '$T/d' belongs to another user, $STRANGER" "must be root's" -- --store "$T/d" images list
  refuses 2 usage "the store '$T/d/new'" -- --store "$T/d/new" run -d -b "$BUNDLE" c
  CKPT_STATE_DIR=$T/d refuses 2 usage "the state directory '$T/d' is not used" -- list
  chown root:root "$T/d"
  chmod 775 "$T/d"
  refuses 2 usage "'$T/d' can be written by a group" -- --store "$T/d" images list
  chmod 777 "$T/d"
  refuses 2 usage "'$T/d' can be written by everybody" -- --store "$T/d/store" images list
  chmod 755 "$T/d"
  ln -s "$T/d" "$T/link"
  theirs "$T/link"
  refuses 2 usage "'$T/link' belongs to another user" -- --store "$T/link" images list
  chmod 1777 "$T/sticky"
  ckpt --store "$T/sticky/store" run -d -b "$BUNDLE" c
  ckpt --store "$T/sticky/store" checkpoint c
}
@test "a configuration of somebody else, and one that toml++ must not see: status 2" {
  echo "root = '$T/evil'" >"$T/ckpt.toml"
  go --config "$T/ckpt.toml" list
  ends 0
  theirs "$T/ckpt.toml"
  refuses 2 usage "the configuration '$T/ckpt.toml' is not used: '$T/ckpt.toml' belongs to another user" -- --config "$T/ckpt.toml" list
  printf '# ü\nstore = "ü"\nrüntime = "runc"\n' >"$T/new.toml"
  refuses 2 invalid-config "'$T/new.toml' line 3: a key with other than ASCII characters has to be quoted" -- --config "$T/new.toml" list
  mkfifo "$T/fifo.toml"
  refuses 2 invalid-config "cannot read --config '$T/fifo.toml'" -- --config "$T/fifo.toml" list
}
@test "what users put below /run/user: list counts it, shows it with --root, and no other verb finds it" {
  local task="$T/user/$STRANGER/io.containerd.runtime.v2.task/ns/x"
  run_container mine
  trap_program "$T/user/$STRANGER/program"
  mkdir -p "$task" "$T/user/$STRANGER/crun/x" "$T/user/$STRANGER/runc/mine" "$T/user/0/crun"
  echo '{}' >"$task/config.json"
  echo "{\"binary_name\": \"$T/user/$STRANGER/program\"}" >"$task/options.json"
  echo "{\"bundle\": \"/run/user/$STRANGER/io.containerd.runtime.v2.task/ns/x\"}" >"$T/user/$STRANGER/crun/x/status"
  echo '{}' >"$T/user/$STRANGER/runc/mine/state.json"
  theirs "$T/user/$STRANGER"
  unset CKPT_ROOT
  beside_users list
  ends 0
  same "mine" "$(awk '$1 == "mine" || $1 == "x" { print $1 }' <<<"$output")"
  same "ckpt: containers in 2 state directories of other users are not shown, '/run/user/$STRANGER/runc' is one; --root shows those of one" "$stderr"
  beside_users -q list
  same mine "$(grep -x 'mine\|x' <<<"$output")" # beside those of the machine
  same "" "$stderr"
  beside_users state x
  ends 4
  beside_users checkpoint --check x
  ends 4
  beside_users checkpoint --leave-running mine
  ends 0
  beside_users __complete containers
  same mine "$output"
  beside_users --runtime crun --root "/run/user/$STRANGER/crun" list
  ends 0
  same "" "$stderr"
  not_run
}
@test "a FIFO and a link to a device in the place of a configuration: nothing waits for them" {
  rm "$BUNDLE/config.json"
  mkfifo "$BUNDLE/config.json"
  refuses 4 not-found "cannot read '$BUNDLE/config.json'" -- run -d -b "$BUNDLE" c
  rm "$BUNDLE/config.json"
  ln -s /dev/zero "$BUNDLE/config.json"
  refuses 4 not-found "cannot read '$BUNDLE/config.json'" -- run -d -b "$BUNDLE" c
}
@test "an image directory of somebody else: its manifest names no program, no bundle and no log" {
  runtime=runsc run_container c # the fake's images are none of CRIU's, which are looked into
  ckpt checkpoint --image-path "$T/image" c
  trap_program "$T/theirs/runsc"
  jq --arg p "$T/theirs/runsc" --arg l "$T/theirs/log" '.runtime.path = $p | .log_path = $l | .runtime.args = ["--debug-log=" + $l]' "$T/image/ckpt.json" >"$T/m"
  cat "$T/m" >"$T/image/ckpt.json"
  theirs "$T/image"
  go restore --check --image-path "$T/image" -b "$BUNDLE" d
  holds "$stderr" "the image in '$T/image' is taken as one from elsewhere: '$T/image' belongs to another user, $STRANGER"
  go restore -d --image-path "$T/image" d
  ends 2
  holds "$stderr" "does not say which bundle is its container's"
  go restore --dry-run --image-path "$T/image" -b "$BUNDLE" d
  ends 0
  holds "$output" "$T/bin/runsc --root"
  not_run
  same "" "$(ls "$T/theirs/log" 2>/dev/null)"
  ln -s /etc/passwd "$T/image/more"
  go restore -d --image-path "$T/image" -b "$BUNDLE" d
  ends 7
  holds "$stderr" "'$T/image/more' is nothing that an image has"
  rm "$T/image/more"
  same "" "$(ls "$STORE/copy" 2>/dev/null)"
  chown -R 0:0 "$T/image"
  theirs "$T/theirs"
  go restore --check --image-path "$T/image" d
  holds "$stderr" "'$T/theirs/runsc', which made the image, is not run: '$T/theirs' belongs to another user, $STRANGER; --runtime-path names it"
  not_run
}
@test "an image directory and a work path where others can put links: refused before anything is done" {
  local place
  run_container c
  mkdir "$T/theirs" "$T/shared" "$T/sticky"
  theirs "$T/theirs"
  chmod 777 "$T/shared"
  chmod 1777 "$T/sticky"
  forget_calls
  for place in theirs shared; do
    refuses 5 conflict "the image directory '$T/$place/i' is not used: '$T/$place'" "who could put links there" -- checkpoint --image-path "$T/$place/i" c
    refuses 5 conflict "the image directory" -- checkpoint --check --image-path "$T/$place/i" c
    refuses 2 usage "the work path '$T/$place/dump.log' is not used" -- checkpoint --work-path "$T/$place" c
  done
  same "" "$(verbs)"
  go checkpoint --leave-running --image-path "$T/sticky/i" --work-path "$T/sticky" c
  ends 0
  ln -s "$T/victim" "$T/sticky/restore.log"
  theirs "$T/sticky/restore.log"
  refuses 2 usage "the work path '$T/sticky/restore.log' is not used" -- restore -d --work-path "$T/sticky" --image-path "$T/sticky/i" d
}
@test "--runtime-path without a program there: 3, from list too" {
  refuses 3 unsupported "there is no program '/nonexistent/runc'" -- --runtime runc --runtime-path /nonexistent/runc list
  refuses 3 unsupported "there is no program '/nonexistent/runc'" -- --runtime-path /nonexistent/runc list --all
}
@test "/proc of other processes: what runs cannot be told, and that is said" {
  run --separate-stderr unshare --pid --fork "$CKPT" list </dev/null
  ends 3
  says "/proc is that of another pid namespace"
  # shellcheck disable=SC2016
  run --separate-stderr unshare --mount bash -c 'umount -l /proc; exec "$@"' _ "$CKPT" list </dev/null
  ends 3
  says "/proc is not mounted"
}
@test "what names and messages have in them reaches no terminal as a command" {
  local root=$'/x\e[31m\u009b2J\x7f\nckpt: forged'
  go --root "$root" state c
  ends 4
  same 1 "$(wc -l <<<"$stderr")"
  go checkpoint --image-path "$root" nosuch
  ends 4
  go --json restore -d --image-path "$root" c
  ends 4
  holds "$stderr" '\u009b2J\u007f'
  same 1 "$(wc -l <<<"$stderr")"
}
