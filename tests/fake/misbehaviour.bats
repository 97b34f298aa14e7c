#!/usr/bin/env bats
# Runtimes that hang, die, babble or lie: the right status, one line, and the container as it was.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

# Nothing came of it: the container runs on, there is no image.
unharmed() {
  nothing_left
  no_image
  is_now c running
  same "" "$(find "$CKPT_STATE_DIR" -name stopping.json)"
}
no_container() {
  nothing_left
  no_record
  same "" "$(find "$ROOT" -mindepth 1)"
}
# Nobody of this test's is alive but for those in $ROOT's states.
no_process() {
  local pid
  while read -r pid; do await gone "$pid"; done <"$FAKE_DIR/pids"
}

# ---- checkpoint

@test "checkpoint: the dump hangs" {
  run_container c
  do_at checkpoint before hang
  refuses 9 timeout "checkpoint of 'c' failed: runc did not finish within 1 s and was stopped" "--timeout" -- --timeout 1s checkpoint c
  unharmed
  same "resume" "$(verbs | tr ' ' '\n' | grep resume | uniq)"
}
@test "checkpoint: the dump hangs and ignores SIGTERM" {
  run_container c
  do_at checkpoint after hang-hard
  go --timeout 500ms checkpoint c
  ends 9
  says "did not finish" "was stopped"
  unharmed
}
@test "checkpoint: gVisor's hangs" {
  runtime=runsc run_container c
  do_at checkpoint before hang
  refuses 9 timeout "runsc did not finish within 1 s" -- --timeout 1s checkpoint --leave-running c
  unharmed
}
@test "checkpoint: the pause hangs, after it took effect" {
  run_container c
  do_at pause after hang
  refuses 9 timeout "pause of 'c' failed" "did not finish within 1 s" -- --timeout 1s checkpoint c
  unharmed
}
@test "checkpoint: the dump dies of SIGKILL" {
  run_container c
  do_at checkpoint after sigkill
  refuses 1 runtime-failed "checkpoint of 'c' failed: runc was killed by SIGKILL" -- checkpoint c
  unharmed
  refuses 1 runtime-failed "was killed by SIGKILL" -- checkpoint --leave-running c
  unharmed
}
@test "checkpoint: the pause fails" {
  run_container c
  do_at pause before fail "unable to freeze"
  refuses 1 runtime-failed "pause of 'c' failed: runc exited with status 1: unable to freeze" -- checkpoint c
  [[ $stderr != *resume* ]]
  unharmed
}
@test "checkpoint: the dump fails, with the runtime's words, CRIU's cause and its log" {
  local log
  run_container c
  do_at checkpoint before fail "Can't lookup mount=42 for fd=1 path=/x"
  refuses 1 runtime-failed "checkpoint of 'c' failed: runc exited with status 1" "Can't lookup mount" "[log: $CKPT_STATE_DIR/failed/" -- checkpoint c
  log=$(ckpt --json checkpoint c 2>&1 | jq -r .error.log)
  grep -q "Can't lookup mount=42" "$log"
  holds "$(ckpt --json checkpoint c 2>&1 | jq -r .error.cause)" "Can't lookup mount=42"
  same checkpoint "$(ckpt --json checkpoint c 2>&1 | jq -r '.error.command[] | select(. == "checkpoint")')"
  unharmed
}
@test "checkpoint: success without an image" {
  run_container c
  do_at checkpoint before no-image
  refuses 1 runtime-failed "runc reported success, but the image of 'c' has no inventory.img" -- checkpoint c
  unharmed
  behave
  do_at checkpoint instead quit
  refuses 1 runtime-failed "has no inventory.img" -- checkpoint --leave-running c
  unharmed
}
@test "checkpoint: gVisor's success without an image" {
  runtime=runsc run_container c
  do_at checkpoint instead quit
  refuses 1 runtime-failed "runsc reported success, but the image of 'c' has no checkpoint.img" -- checkpoint c
  unharmed
}
@test "checkpoint: a dump that stopped the container and left no image cannot be undone, and is told" {
  run_container c
  do_at checkpoint before no-image
  go checkpoint --link-remap c
  ends 1
  says "reported success, but the image of 'c' has no inventory.img"
  nothing_left
  no_image
}
@test "checkpoint: 100 MB on stderr" {
  run_container c
  do_at checkpoint after flood
  go checkpoint --leave-running c
  ends 0
  same "" "$stderr"
  do_at checkpoint after fail "no space left"
  rm -r "$STORE/checkpoints"
  go checkpoint c
  ends 1
  says "runc exited with status 1: no space left"
  [ "${#stderr}" -lt 1000 ]
  unharmed
}
@test "checkpoint: an error of many lines and odd bytes is one line of words, and valid JSON" {
  run_container c
  do_at checkpoint before fail "$(printf 'caf\xe9 \xff \x1b[31mred')"
  refuses 1 runtime-failed "exited with status 1" -- checkpoint c
  unharmed
}
@test "checkpoint: the resume of the undo fails as well: both are told" {
  run_container c
  do_at checkpoint before fail "dump is broken"
  do_at resume before fail "thaw is broken"
  go checkpoint c
  ends 1
  says "dump is broken" "could not resume 'c'" "thaw is broken"
  is_now c paused
  behave
  go checkpoint --leave-running c
  ends 0
}
@test "checkpoint: published, but the container cannot be removed" {
  run_container c
  do_at delete before fail "cgroup is busy"
  go checkpoint c
  [ "$status" -ne 0 ]
  says "cgroup is busy"
  nothing_left
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
}
@test "checkpoint: several containers, one of which fails: the others are taken, the status tells" {
  run_container a
  run_container c
  go checkpoint --leave-running a nosuch c
  ends 4
  holds "$stderr" "there is no container 'nosuch'"
  same 2 "$(wc -l <<<"$output")"
  same 2 "$(find "$STORE" -name ckpt.json | wc -l)"
}

# ---- run

@test "run: create or start hangs" {
  local verb
  for verb in create start; do
    behave
    do_at "$verb" after hang
    refuses 9 timeout "$verb of 'c' failed: runc did not finish within 1 s" -- --timeout 1s run -d -b "$BUNDLE" c
    no_container
    go --json --timeout 1s run -b "$BUNDLE" c
    ends 125
    says_json timeout
    no_container
  done
  no_process
}
@test "run: create or start fails, dies, or does nothing" {
  local verb
  for verb in create start; do
    behave
    do_at "$verb" after fail "out of cgroups"
    refuses 1 runtime-failed "$verb of 'c' failed: runc exited with status 1: out of cgroups" -- run -d -b "$BUNDLE" c
    no_container
    refuses 125 runtime-failed "out of cgroups" -- run -b "$BUNDLE" c
    no_container
    behave
    do_at "$verb" after sigkill
    refuses 1 runtime-failed "$verb of 'c' failed: runc was killed by SIGKILL" -- run -d -b "$BUNDLE" c
    no_container
  done
  behave
  do_at create instead quit
  refuses 1 runtime-failed "'c'" -- run -d -b "$BUNDLE" c
  no_container
  do_at start instead quit
  refuses 1 runtime-failed "runc wrote no pid for 'c'" -- run -d -b "$BUNDLE" c
  no_container
  no_process
}
@test "run: a pid file or log that cannot be written: no container is left behind" {
  refuses 1 runtime-failed "cannot write '$T/none/pid'" "no such file or directory" -- run -d --pid-file "$T/none/pid" -b "$BUNDLE" c
  no_container
  refuses 125 runtime-failed "cannot write '$T/none/pid'" -- run --pid-file "$T/none/pid" -b "$BUNDLE" c
  no_container
  mkdir "$T/log"
  refuses 1 runtime-failed "cannot write the container's log '$T/log'" -- run -d --log-path "$T/log" -b "$BUNDLE" c
  no_container
  no_process
}
@test "run: 100 MB on stderr before the container starts" {
  do_at create before flood
  go run -d -b "$BUNDLE" c
  ends 0
  is_now c running
  [ "$(stat -c %s "$STORE/logs/c.log")" -lt 1000000 ]
}

# ---- restore

with_checkpoint() {
  run_container c
  ckpt checkpoint c >/dev/null
}
only_the_image() {
  nothing_left
  same "" "$(find "$ROOT" -mindepth 1)"
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
}

@test "restore: hangs" {
  with_checkpoint
  do_at restore after hang
  go --timeout 1s restore -d c
  ends 9
  says "restore of 'c' failed: runc did not finish within 1 s"
  only_the_image
  go --timeout 1s --json restore c
  ends 125
  says_json timeout
  only_the_image
  no_process
  behave
  go restore -d c
  ends 0
  is_now c running
}
@test "restore: fails or dies" {
  with_checkpoint
  do_at restore before fail "Error (criu/tcp.c:1): bind failed"
  go restore -d c
  ends 1
  says "restore of 'c' failed"
  only_the_image
  behave
  do_at restore after sigkill
  go --json restore -d c
  ends 1
  says_json runtime-failed
  only_the_image
  no_process
}
@test "restore: success, but there is no container" {
  with_checkpoint
  do_at restore instead quit
  go restore -d c
  ends 1
  says "runc wrote no pid for 'c'"
  only_the_image
}
@test "restore: success, but the process is dead: 10" {
  with_checkpoint
  do_at restore after gate
  start restore -d c
  await at_gate restore
  kill -KILL "$(tail -n 1 "$FAKE_DIR/pids")"
  await gone "$(tail -n 1 "$FAKE_DIR/pids")"
  open_gate restore
  finish
  ends 10
  says "reported the restore of 'c' done, but the container is" "ckpt logs"
  nothing_left
  behave
  go restore -d --replace c
  ends 0
}
@test "restore: a pid file that cannot be written: no container is left behind" {
  with_checkpoint
  go restore -d --pid-file "$T/none/pid" c
  ends 1
  says "cannot write '$T/none/pid'"
  only_the_image
  no_process
}

# ---- state and list

@test "state: hangs" {
  run_container c
  do_at state instead hang
  refuses 9 timeout "cannot read the state of 'c': runc did not finish within 1 s" -- --timeout 1s state c
  refuses 9 timeout "cannot read the state of 'c'" -- --timeout 1s checkpoint c
}
@test "state: dies, fails, babbles, says nothing" {
  local answer
  run_container c
  do_at state instead sigkill
  refuses 1 runtime-failed "cannot read the state of 'c': runc was killed by SIGKILL" -- state c
  behave
  do_at state instead fail "permission denied"
  refuses 1 runtime-failed "cannot read the state of 'c': runc exited with status 1: permission denied" -- state c
  for answer in '' 'null' '[]' '{}' '5' '{"id": "c"' '{"id": "c"}' '{"id": 5, "status": 7}' '[{"id": "c", "status": "running"}, 5]' 'panic: x'; do
    echo "with $answer"
    behave
    do_at state instead say "$answer"
    refuses 1 runtime-failed "'$T/bin/runc'" -- state c
    refuses 1 runtime-failed "'$T/bin/runc'" -- checkpoint c
  done
}
@test "list: what could not be asked is said, the others are listed" {
  local behaviour
  run_container c
  runtime=crun run_container d --root "$T/root2"
  unset CKPT_ROOT
  for behaviour in "fail no cgroups" sigkill "say {garbage" "say 5"; do
    behave
    do_at list@root2 instead "$behaviour"
    go list
    ends 0
    holds "$output" "c "
    holds "$stderr" "ckpt: warning: could not list crun in '$T/root2': "
    same 1 "$(grep -c root2 <<<"$stderr")"
    go list --json
    ends 0
    same "$ROOT" "$(jq -r '.[] | select(.id == "c") | .root' <<<"$output")"
  done
}
@test "list: one that hangs holds up nobody for longer than --timeout" {
  run_container c
  runtime=crun run_container d --root "$T/root2"
  unset CKPT_ROOT
  do_at list@root2 instead hang
  go --timeout 1s list
  ends 0
  holds "$output" "c "
  holds "$stderr" "could not list crun in '$T/root2'"
  holds "$stderr" "did not finish within 1 s"
}
@test "list: null and an empty list are no containers" {
  run_container c
  do_at list instead say null
  same "[]" "$(ckpt list --json)"
  behave
  do_at list instead say "[]"
  same "[]" "$(ckpt list --json)"
}

# ---- kill, delete

@test "kill and delete: the runtime's failure is told" {
  run_container c
  do_at kill before fail "no such process"
  refuses 1 runtime-failed "kill" "'c'" "runc exited with status 1: no such process" -- kill c
  do_at delete before fail "device or resource busy"
  refuses 1 runtime-failed "delete of 'c' failed: runc exited with status 1: device or resource busy" -- delete --force c
  is_now c running
}
