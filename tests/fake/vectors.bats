#!/usr/bin/env bats
# Golden command vectors: everything that ckpt runs, in order, argument for argument.

load helpers
setup() { make_place; }
teardown() { leave_place; }

whole_cycle() {
  runtime=$1 run_container c
  ckpt checkpoint --leave-running c
  ckpt checkpoint c
  ckpt restore -d c
  ckpt list
  ckpt kill c HUP
  await stopped c
  ckpt delete c
}
stopped() { [ "$(ckpt state "$1" | jq -r .status)" = stopped ]; }
# golden FILTER...: what was called, filtered, is what stands on stdin.
golden() { same "$(cat)" "$(calls | "$@")"; }
not_asking() { grep -v '"state",'; }

@test "runc: the whole cycle" {
  whole_cycle runc
  golden not_asking <<'END'
["T/bin/runc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","create","--bundle","T/state/containers/HASH/c/bundle","--pid-file","T/state/containers/HASH/c/pid","c"]
["T/bin/runc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","start","c"]
["T/bin/runc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/store/checkpoints/c/.STAMP/checkpoint","--work-path","T/store/checkpoints/c/.STAMP","--leave-running","c"]
["T/bin/runc","--root","T/root","pause","c"]
["T/bin/runc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/store/checkpoints/c/.STAMP/checkpoint","--work-path","T/store/checkpoints/c/.STAMP","--leave-running","c"]
["T/bin/runc","--root","T/root","delete","--force","c"]
["T/bin/runc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","restore","--image-path","T/store/checkpoints/c/STAMP/checkpoint","--work-path","T/state/containers/HASH/c/work","--detach","--pid-file","T/state/containers/HASH/c/pid","--bundle","T/state/containers/HASH/c/bundle","c"]
["T/bin/runc","--root","T/root","list","--format","json"]
["T/bin/runc","--root","T/root","kill","c","HUP"]
["T/bin/runc","--root","T/root","delete","--force","c"]
END
}
@test "crun: the whole cycle" {
  whole_cycle crun
  golden not_asking <<'END'
["T/bin/crun","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","create","--bundle","T/state/containers/HASH/c/bundle","--pid-file","T/state/containers/HASH/c/pid","c"]
["T/bin/crun","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","start","c"]
["T/bin/crun","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/store/checkpoints/c/.STAMP/checkpoint","--work-path","T/store/checkpoints/c/.STAMP","--leave-running","c"]
["T/bin/crun","--root","T/root","pause","c"]
["T/bin/crun","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/store/checkpoints/c/.STAMP/checkpoint","--work-path","T/store/checkpoints/c/.STAMP","--leave-running","c"]
["T/bin/crun","--root","T/root","delete","--force","c"]
["T/bin/crun","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","restore","--image-path","T/store/checkpoints/c/STAMP/checkpoint","--work-path","T/state/containers/HASH/c/work","--detach","--pid-file","T/state/containers/HASH/c/pid","--bundle","T/state/containers/HASH/c/bundle","c"]
["T/bin/crun","--root","T/root","list","--format","json"]
["T/bin/crun","--root","T/root","kill","c","HUP"]
["T/bin/crun","--root","T/root","delete","--force","c"]
END
}
@test "runsc: the whole cycle" {
  whole_cycle runsc
  golden not_asking <<'END'
["T/bin/runsc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","create","--bundle","T/state/containers/HASH/c/bundle","--pid-file","T/state/containers/HASH/c/pid","c"]
["T/bin/runsc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","start","c"]
["T/bin/runsc","--root","T/root","ps","c"]
["T/bin/runsc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/store/checkpoints/c/.STAMP/checkpoint","--leave-running","c"]
["T/bin/runsc","--root","T/root","ps","c"]
["T/bin/runsc","--root","T/root","pause","c"]
["T/bin/runsc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/store/checkpoints/c/.STAMP/checkpoint","--leave-running","c"]
["T/bin/runsc","--root","T/root","delete","--force","c"]
["T/bin/runsc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","restore","--image-path","T/store/checkpoints/c/STAMP/checkpoint","--detach","--pid-file","T/state/containers/HASH/c/pid","--bundle","T/state/containers/HASH/c/bundle","c"]
["T/bin/runsc","--root","T/root","list","--format","json"]
["T/bin/runsc","--root","T/root","kill","c","HUP"]
["T/bin/runsc","--root","T/root","delete","--force","c"]
END
}

# ---- the documents' own spellings, where a binary advertises them

@test "runc: the documents' checkpoint" {
  advertise runc checkpoint image-path work-path leave-running tcp-established skip-in-flight link-remap
  run_container c && forget_calls
  ckpt checkpoint --image-path "$T/i" --work-path "$T/w" --leave-running --tcp-established --skip-in-flight --link-remap c
  golden grep '"checkpoint"' <<'END'
["T/bin/runc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/i","--work-path","T/w","--leave-running","--tcp-established","--skip-in-flight","--link-remap","c"]
END
}
@test "runc: the documents' restore" {
  advertise runc restore image-path work-path link-remap bundle detach pid-file
  run_container c
  ckpt checkpoint --image-path "$T/i" --link-remap c && forget_calls
  ckpt restore -d --image-path "$T/i" --work-path "$T/w" --bundle "$BUNDLE"
  golden grep '"restore"' <<'END'
["T/bin/runc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","restore","--image-path","T/i","--work-path","T/w","--link-remap","--detach","--pid-file","T/state/containers/HASH/c/pid","--bundle","T/state/containers/HASH/c/bundle","c"]
END
}
@test "runsc: the documents' checkpoint" {
  advertise runsc checkpoint image-path work-dir leave-running allow-open-tcp skip-in-flight
  runtime=runsc run_container c && forget_calls
  ckpt -q checkpoint --image-path "$T/i" --work-dir "$T/w" --leave-running --allow-open-tcp --skip-in-flight c
  golden grep '"checkpoint"' <<'END'
["T/bin/runsc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/i","--work-dir","T/w","--leave-running","--allow-open-tcp","--skip-in-flight","c"]
END
}
@test "runsc: the documents' restore" {
  advertise runsc restore image-path work-dir bundle detach pid-file
  runtime=runsc run_container c
  ckpt checkpoint --image-path "$T/i" c && forget_calls
  ckpt -q restore -d --image-path "$T/i" --work-dir "$T/w" --bundle "$BUNDLE"
  golden grep '"restore"' <<'END'
["T/bin/runsc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","restore","--image-path","T/i","--work-dir","T/w","--detach","--pid-file","T/state/containers/HASH/c/pid","--bundle","T/state/containers/HASH/c/bundle","c"]
END
}

# ---- dialects of released versions

@test "runc 1.1: what is no flag goes to CRIU's configuration" {
  install_runtime runc 1.1
  run_container c && forget_calls
  ckpt checkpoint --image-path "$T/i" --leave-running --skip-in-flight --tcp-established c
  golden grep '"checkpoint"' <<'END'
["T/bin/runc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/i","--work-path","T/i","--leave-running","--tcp-established","c"]
END
  same "skip-in-flight" "$(cat "$FAKE_DIR/criu.conf")"
}
@test "runc 1.3: its own name for skip-in-flight" {
  run_container c && forget_calls
  ckpt checkpoint --image-path "$T/i" --leave-running --skip-in-flight --file-locks --ext-unix-sk --shell-job --manage-cgroups-mode ignore c
  golden grep '"checkpoint"' <<'END'
["T/bin/runc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/i","--work-path","T/i","--leave-running","--tcp-skip-in-flight","--file-locks","--ext-unix-sk","--shell-job","--manage-cgroups-mode","ignore","c"]
END
  [ ! -e "$FAKE_DIR/criu.conf" ]
}
@test "crun: link-remap by CRIU's configuration, and the container is stopped by the dump itself" {
  runtime=crun run_container c && forget_calls
  ckpt checkpoint --image-path "$T/i" --link-remap c
  golden not_asking <<'END'
["T/bin/crun","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/i","--work-path","T/i","c"]
END
  same "link-remap" "$(cat "$FAKE_DIR/criu.conf")"
}
@test "a CRIU that cannot dump a paused container stops it itself" {
  echo -n 3.17.1 >"$FAKE_DIR/version/criu"
  run_container c && forget_calls
  ckpt checkpoint --image-path "$T/i" c
  golden not_asking <<'END'
["T/bin/runc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/i","--work-path","T/i","c"]
END
}
@test "runsc 2024: work path and compression" {
  install_runtime runsc 2024
  runtime=runsc run_container c && forget_calls
  ckpt -q checkpoint --image-path "$T/i" --work-path "$T/w" --compression none --leave-running c
  golden grep '"checkpoint"' <<'END'
["T/bin/runsc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","checkpoint","--image-path","T/i","--work-path","T/w","--compression","none","--leave-running","c"]
END
}
@test "global flags of the runtime: platform and runtime arguments, remembered for later verbs" {
  runtime=runsc run_container c --platform systrap --runtime-arg=--network=none --runtime-arg --debug
  ckpt kill c
  golden not_asking <<'END'
["T/bin/runsc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","--platform","systrap","--network=none","--debug","create","--bundle","T/state/containers/HASH/c/bundle","--pid-file","T/state/containers/HASH/c/pid","c"]
["T/bin/runsc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","--platform","systrap","--network=none","--debug","start","c"]
["T/bin/runsc","--root","T/root","--platform","systrap","--network=none","--debug","kill","c","TERM"]
END
}
@test "options of the checkpoint are replayed by the restore, and overridden" {
  run_container c
  ckpt checkpoint --tcp-established --file-locks --shell-job c && forget_calls
  ckpt restore -d --tcp-close c
  golden grep '"restore"' <<'END'
["T/bin/runc","--root","T/root","--log","T/state/containers/HASH/c/runtime.log","--log-format","json","restore","--image-path","T/store/checkpoints/c/STAMP/checkpoint","--work-path","T/state/containers/HASH/c/work","--file-locks","--shell-job","--detach","--pid-file","T/state/containers/HASH/c/pid","--bundle","T/state/containers/HASH/c/bundle","c"]
END
  same "tcp-close" "$(cat "$FAKE_DIR/criu.conf")"
}
@test "exec: the payload as it came, the runtime's status" {
  run_container c && forget_calls
  # shellcheck disable=SC2016
  go exec c -- sh -c 'exit $1' -- 7 --json
  ends 7
  golden grep '"exec"' <<'END'
["T/bin/runc","--root","T/root","exec","c","sh","-c","exit $1","--","7","--json"]
END
}
@test "exec: directory, user, environment and descriptors as each runtime has them" {
  local runtime
  for runtime in runc crun runsc; do
    run_container "$runtime" && forget_calls
    ckpt --runtime "$runtime" exec --cwd /tmp -u 1000:5 -e A=1 --env B=x=y --preserve-fds 2 "$runtime" -- true
    golden grep '"true"' <<END
["T/bin/$runtime","--root","T/root","exec","--cwd","/tmp","--user","1000:5","--env","A=1","--env","B=x=y",$(
      [ "$runtime" = runsc ] && echo '"--pass-fd","3:3","--pass-fd","4:4"' || echo '"--preserve-fds","2"'
    ),"$runtime","true"]
END
  done
}
@test "exec: the terminal that the standard input is, by itself and asked for" {
  local tty
  run_container c
  runtime=runsc run_container s && forget_calls
  for tty in '' -t; do
    script -qec "unshare --cgroup -- $CKPT exec $tty c -- true && unshare --cgroup -- $CKPT exec $tty s -- true" /dev/null </dev/null 3>&-
  done
  golden grep '"true"' <<'END'
["T/bin/runc","--root","T/root","exec","--tty","c","true"]
["T/bin/runsc","--root","T/root","exec","s","true"]
["T/bin/runc","--root","T/root","exec","--tty","c","true"]
["T/bin/runsc","--root","T/root","exec","s","true"]
END
  refuses 2 usage "--tty: the standard input is no terminal" -- exec -t c -- true
}
@test "exec --detach: returns at once, with the pid, and leaves nothing" {
  run_container c && forget_calls
  go --json exec -d --pid-file "$T/pid" c -- sh -c "echo lost; exec sleep 1000"
  ends 0
  golden grep '"exec"' <<'END'
["T/bin/runc","--root","T/root","--log","T/state/tmp/X/runtime.log","--log-format","json","exec","--detach","--pid-file","T/state/tmp/X/pid","c","sh","-c","echo lost; exec sleep 1000"]
END
  same '{"id":"c","pid":'"$(cat "$T/pid")"'}' "$(jq -c . <<<"$output")"
  await sleeps "$(cat "$T/pid")"
  kill "$(cat "$T/pid")"
  same "" "$(ls "$CKPT_STATE_DIR/tmp")"
}
sleeps() { [ "$(cat "/proc/$1/comm")" = sleep ]; }
@test "exec: what cannot be is refused, and nothing is run" {
  run_container c
  runtime=runsc run_container s && forget_calls
  refuses 2 usage "--tty and --detach exclude each other" -- exec -t -d c -- true
  refuses 2 usage "--cwd 'tmp' is not absolute" -- exec --cwd tmp c -- true
  refuses 2 usage "'www-data' is not UID or UID:GID" -- exec --user www-data c -- true
  refuses 2 usage "'=x' is not NAME=VALUE" -- exec --env =x c -- true
  refuses 3 unsupported "the word '--no-detach' with --detach" -- exec -d s -- app --no-detach
  advertise crun exec cwd
  runtime=crun run_container old
  refuses 3 unsupported "has no way to take --user" -- --runtime crun exec --user 1 old -- true
  same "" "$(grep '"exec"' "$FAKE_RECORD" | grep -v help)"
}
@test "run: the payload becomes the process, the user's bundle stays as it is" {
  local before
  before=$(cksum <"$BUNDLE/config.json")
  # shellcheck disable=SC2016
  ckpt run -d -b "$BUNDLE" c -- sh -c 'echo "$1"' -- -d --help
  # shellcheck disable=SC2016
  same '["sh","-c","echo \"$1\"","--","-d","--help"]' "$(jq -c .process.args "$CKPT_STATE_DIR"/containers/*/c/bundle/config.json)"
  same "$before" "$(cksum <"$BUNDLE/config.json")"
}
