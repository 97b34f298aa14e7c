#!/usr/bin/env bats
# --dry-run, --json, --quiet, and environments in which nobody watches.
# shellcheck disable=SC2154,SC2030,SC2031  # bats sets stderr and output

load helpers
setup() { make_place; }
teardown() { leave_place; }

# ---- --dry-run

# plans TEXT ARGS...: prints a plan with TEXT, with --json an array of argv arrays of the same words; changes nothing.
plans() {
  local text=$1 before printed
  shift
  before=$(tree)
  forget_calls
  go --dry-run "$@"
  ends 0
  same "" "$stderr"
  holds "$output" "$text"
  printed=$(sed -E 's/[0-9a-f]{12}|[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}/X/g' <<<"$output")
  go --dry-run --json "$@"
  ends 0
  same "" "$stderr"
  same "$printed" "$(jq -r '.[] | join(" ")' <<<"$output" | sed -E 's/[0-9a-f]{12}|[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}/X/g')"
  same "" "$(verbs | tr ' ' '\n' | grep -vxE 'state|ps|list' | grep .)"
  same "$before" "$(tree)"
}

@test "--dry-run of every verb that changes something, on every runtime" {
  local runtime
  for runtime in runc crun runsc; do
    plans "$runtime --root $ROOT --log " --runtime "$runtime" run -d -b "$BUNDLE" "$runtime"
    plans " create --bundle " --runtime "$runtime" run -b "$BUNDLE" "$runtime"
    run_container "$runtime"
    plans " pause $runtime" checkpoint "$runtime"
    plans " checkpoint --image-path " checkpoint --leave-running "$runtime"
    plans " checkpoint --image-path $T/i " checkpoint --image-path "$T/i" "$runtime"
    plans " exec $runtime " exec "$runtime" -- true
    plans " kill $runtime HUP" kill "$runtime" 1
    plans " pause $runtime" pause "$runtime"
    plans " delete --force $runtime" delete --force "$runtime"
    take_checkpoint "$runtime"
    plans " delete --force $runtime" restore -d --replace "$runtime"
    ckpt checkpoint "$runtime"
    plans " restore --image-path " restore -d "$runtime"
    plans " restore --image-path " restore "$runtime"
  done
}
@test "--dry-run refuses what would be refused" {
  run_container c
  take_checkpoint c
  refuses 5 conflict "exists already" -- --dry-run run -d -b "$BUNDLE" c
  refuses 5 conflict "exists already" -- --dry-run restore -d c
  refuses 5 conflict "container 'c' is running" -- --dry-run delete c
  refuses 4 not-found "there is no container" -- --dry-run checkpoint nosuch
  refuses 3 unsupported "--compression" -- --dry-run checkpoint --compression flate-best-speed c
}
@test "--dry-run: the printed commands are the ones that are run" {
  local plan
  run_container c
  plan=$(ckpt --dry-run --json checkpoint c | jq -c '.[]' | sed -E "s|$T/|T/|g; s/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}/STAMP/g; s|/tmp/[0-9a-f]{12}|/tmp/X|g")
  forget_calls
  ckpt checkpoint c
  same "$plan" "$(calls | grep -v '"state",')"
}
@test "--dry-run: odd words are quoted for a shell" {
  run_container c
  go --dry-run exec c -- sh -c "echo 'a b' \$x"
  ends 0
  # shellcheck disable=SC2016
  holds "$output" "c sh -c 'echo '\\''a b'\\'' \$x'"
}

# ---- --json

@test "--json: one document per command, with the contract's members" {
  run_json run -d -b "$BUNDLE" c
  members id log pid runtime
  run_json list
  same 1 "$(jq length <<<"$output")"
  members_of '.[0]' bundle created gpu id last_checkpoint pid root runtime status
  run_json checkpoint --leave-running c
  members bytes gpu id image leave_running name runtime seconds
  members_of .seconds freeze_gpu frozen publish runtime total
  same true "$(jq .leave_running <<<"$output")"
  run_json checkpoint --leave-running c c
  same 2 "$(jq length <<<"$output")"
  run_json checkpoint c
  same false "$(jq .leave_running <<<"$output")"
  run_json list --all
  same checkpointed "$(jq -r '.[0].status' <<<"$output")"
  run_json state c
  same checkpointed "$(jq -r .status <<<"$output")"
  run_json restore -d c
  members gpu id image pid runtime seconds verified
  run_json state c
  members bundle id ociVersion pid root runtime status
  run_json kill c KILL
  same KILL "$(jq -r .signal <<<"$output")"
  go --json wait c
  ends 137
  same 137 "$(jq -r .exit_status <<<"$output")"
  run_json delete c
  same true "$(jq .deleted <<<"$output")"
  run_json delete --force c
  same false "$(jq .deleted <<<"$output")"
}
run_json() {
  go --json "$@"
  ends 0
  same "" "$stderr"
  same 1 "$(jq -s length <<<"$output")"
}
members() { members_of . "$@"; }
members_of() { same "${*:2}" "$(jq -r "$1 | keys | join(\" \")" <<<"$output")"; }

# ---- what people read

@test "what is printed without --json: one line of data each" {
  same c "$(ckpt run -d -b "$BUNDLE" c)"
  [[ $(ckpt checkpoint --leave-running c) =~ ^c@[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}$ ]]
  same "$T/i" "$(ckpt checkpoint --image-path "$T/i" c)"
  same c "$(ckpt restore -d --image-path "$T/i")"
  same "" "$(ckpt kill c KILL)"
  same "" "$(ckpt delete --force c)"
}
@test "--quiet: success prints nothing on stderr, failure does" {
  local runtime
  for runtime in runc runsc; do
    quiet --runtime "$runtime" run -d -b "$BUNDLE" c
    quiet list
    quiet state c
    quiet checkpoint --work-path "$T/w-$runtime" --leave-running c
    quiet checkpoint c
    quiet restore -d c
    quiet logs c
    quiet exec c -- true
    quiet kill c KILL
    quiet delete --force c
  done
  go -q state c
  ends 4
  says "there is no container"
}
quiet() {
  go --quiet "$@"
  ends 0
  same "" "$stderr"
}
@test "-v says what is run, -q has no say in what goes wrong" {
  run_container c
  go -v checkpoint --leave-running c
  ends 0
  holds "$stderr" "ckpt: run: $T/bin/runc --root $ROOT --log"
}
@test "logs: what the container wrote, over all its lives" {
  run_container c
  ckpt checkpoint c
  ckpt restore -d c
  await both_greetings
  ckpt delete --force c
  same 2 "$(ckpt logs c | grep -c 'hello from the container')"
}
@test "logs --json: one document" {
  run_container c
  await greeted
  run_json logs c
  members dropped id log output
  same "$STORE/logs/c.log" "$(jq -r .log <<<"$output")"
  holds "$(jq -r .output <<<"$output")" "hello from the container"
  go logs -f --json c
  ends 2
  says_json usage
}
greeted() { [ -s "$STORE/logs/c.log" ]; }
both_greetings() { [ "$(ckpt logs c | grep -c 'hello from the container')" -eq 2 ]; }
@test "attached run: the container's output and status; detached: wait tells it" {
  echo 7 >"$FAKE_DIR/exit"
  go run -b "$BUNDLE" c
  ends 7
  same "hello from the container" "$output"
  same "" "$stderr"
  no_record
  go run -d --pid-file "$T/pid" -b "$BUNDLE" c
  ends 0
  grep -qxE '[0-9]+' "$T/pid"
  go wait c
  ends 7
  ckpt delete c
}
@test "wait: a container that a checkpoint stopped has not ended" {
  run_container c
  ckpt checkpoint c
  refuses 5 conflict "container 'c' did not end: the checkpoint 'c@" "ckpt restore c" -- wait c
}

# ---- nobody watches

# As cron starts things: two directories in PATH, no HOME, no terminal, stdin closed.
unwatched() {
  env -i PATH=/usr/bin:/bin CKPT_ROOT="$ROOT" CKPT_STORE="$STORE" CKPT_STATE_DIR="$CKPT_STATE_DIR" FAKE_DIR="$FAKE_DIR" \
    FAKE_RECORD="$FAKE_RECORD" setsid -w unshare --cgroup -- "$CKPT" "$@" <&- 3>&-
}

@test "from cron: a whole cycle, and not a word on stderr" {
  unwatched_quietly --runtime runsc --runtime-path "$T/bin/runsc" run -d -b "$BUNDLE" c
  unwatched_quietly checkpoint --leave-running c
  unwatched_quietly checkpoint c
  unwatched_quietly restore -d c
  unwatched_quietly state c
  unwatched_quietly list
  unwatched_quietly logs c
  unwatched_quietly exec c -- true
  unwatched_quietly kill c KILL
  unwatched_quietly delete --force c
  nothing_left
  no_record
}
unwatched_quietly() {
  run --separate-stderr unwatched --quiet "$@"
  ends 0
  same "" "$stderr"
}
@test "all standard streams closed: no file of ours takes their place" {
  run_container c
  "$CKPT" checkpoint --leave-running nosuch <&- >&- 2>&- 3>&- || status=$?
  same 4 "$status"
  unshare --cgroup -- "$CKPT" checkpoint --leave-running c <&- >&- 2>&- 3>&-
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
  nothing_left
}
@test "attached run with stdin closed" {
  echo 3 >"$FAKE_DIR/exit"
  run --separate-stderr unwatched --runtime runsc --runtime-path "$T/bin/runsc" run -b "$BUNDLE" c
  ends 3
  same "hello from the container" "$output"
}
@test "a relative PATH entry and a directory that is gone" {
  run_container c
  cd "$T" && mkdir gone && cd gone && rmdir "$T/gone"
  go state c
  ends 0
  go run -d -b . d
  ends 4
  says "the current directory no longer exists"
}
