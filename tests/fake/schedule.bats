#!/usr/bin/env bats
# Checkpoints that nobody watches: what is skipped, tried again and counted; cron's and systemd's environments.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

PACKAGING=$BATS_TEST_DIRNAME/../../packaging
METRICS=ckpt_checkpoint

# A silent success.
skips() {
  ends 0
  same "" "$output"
  same "" "$stderr"
}
# series NAME LABELS: its value in $T/m/ckpt.prom
series() { awk -v name="${METRICS}_$1{$2}" '$1 == name { print $2 }' "$T/m/ckpt.prom"; }

# ---- --if-not-running

@test "--if-not-running skip: no such container, stopped, created, gone" {
  refuses 4 not-found "there is no container 'c'" -- checkpoint c
  refuses 2 usage "did you mean 'skip'?" -- checkpoint --if-not-running skp c
  go checkpoint --if-not-running skip c
  skips
  go --json checkpoint --if-not-running skip c
  ends 0
  same '{"id":"c","skipped":"there is no container '"'c'"'"}' "$(jq -c . <<<"$output")"
  run_container c
  ckpt checkpoint c
  go checkpoint --if-not-running skip c
  skips
  ckpt restore -d c
  ckpt kill c KILL
  await stopped c
  refuses 5 conflict "is stopped" -- checkpoint c
  go checkpoint --if-not-running skip c
  skips
  "$T/bin/runc" --root "$ROOT" create --bundle "$BUNDLE" d >/dev/null 3>&-
  is_now d created
  refuses 5 conflict "is created" "start it first" -- checkpoint --if-not-running fail d
  go --json checkpoint --if-not-running skip c d
  ends 0
  same "c d" "$(jq -r 'map(select(.skipped)) | map(.id) | join(" ")' <<<"$output")"
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
  nothing_left
}
stopped() { [ "$(ckpt state "$1" | jq -r .status)" = stopped ]; }

@test "--if-not-running skip: other failures stay failures, the other containers are saved" {
  run_container c
  go checkpoint --leave-running --if-not-running skip nosuch c
  ends 0
  holds "$output" "c@"
  runtime=crun run_container c
  refuses 5 conflict "there are 2 containers 'c'" -- checkpoint --if-not-running skip c
  do_at state instead fail "permission denied"
  go --runtime runc checkpoint --if-not-running skip c
  ends 1
}

# ---- --splay

@test "--splay: a random wait before anything, which a signal ends at once" {
  local signal wait
  run_container c && forget_calls
  for signal in INT TERM; do
    rm -f "$T/own.log"
    start --log "$T/own.log" checkpoint --splay 24d c
    await grep -q "beginning in" "$T/own.log"
    [ ! -s "$FAKE_RECORD" ]
    nothing_left
    kill -"$signal" "$BACKGROUND"
    finish
    if [ "$signal" = INT ]; then ends 130; else ends 143; fi
    says "interrupted by SIG$signal"
    wait=$(grep -o 'in [0-9]*' "$T/own.log" | tr -dc 0-9)
    [ "$wait" -lt $((24 * 86400)) ]
  done
  same "" "$(verbs)"
  go checkpoint --leave-running --splay 1ms c
  ends 0
  go checkpoint --dry-run --splay 24d c
  ends 0
  refuses 2 usage "'soon' is not a duration" -- checkpoint --splay soon c
  refuses 2 usage "--image-path takes one" -- checkpoint --splay 24d --image-path "$T/i" c d
}

# ---- --retries

@test "--retries: fails twice, then works; a fresh image each time" {
  run_container c && forget_calls
  do_at checkpoint before fail-2 "resource busy"
  go -v checkpoint --retries 2 c
  ends 0
  holds "$stderr" "attempt 1 failed: checkpoint of 'c' failed: runc exited with status 1: resource busy"
  holds "$stderr" "again in 1 s"
  holds "$stderr" "again in 2 s"
  same "pause checkpoint resume pause checkpoint resume pause checkpoint delete" "$(verbs | tr ' ' '\n' | grep -v state | paste -sd' ')"
  same 3 "$(jq -r 'select(index("checkpoint")) | .[index("--image-path") + 1]' "$FAKE_RECORD" | grep "$STORE" | sort -u | wc -l)"
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
  nothing_left
}
@test "--retries: the last failure, and how many attempts there were" {
  run_container c
  do_at checkpoint before fail "resource busy"
  refuses 1 runtime-failed "resource busy" "(after 2 attempts)" -- checkpoint --retries 1 c
  [[ $stderr != *"attempt 1 failed"* ]]
  is_now c running
  go checkpoint c
  ends 1
  [[ $stderr != *attempts* ]]
  behave
  do_at checkpoint before hang
  go --timeout 500ms checkpoint --retries 1 c
  ends 9
  says "did not finish" "(after 2 attempts)"
  refuses 2 usage "'-1' is not a number from 0 to 99" -- checkpoint --retries=-1 c
}
@test "--retries: not what is known to last, not what is no failure of the runtime's" {
  run_container c && forget_calls
  do_at checkpoint before fail "Nested mount namespaces are not supported"
  go checkpoint --retries 5 c
  ends 1
  [[ $stderr != *attempts* ]]
  same 1 "$(verbs | tr ' ' '\n' | grep -c checkpoint)"
  go checkpoint --retries 5 nosuch
  ends 4
  behave
  do_at delete before fail "cgroup is busy"
  forget_calls
  go checkpoint --retries 5 c
  ends 1
  says "is taken, but the container could not be stopped"
  same 1 "$(verbs | tr ' ' '\n' | grep -c checkpoint)"
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
}
@test "--retries: a container that the failed dump stopped is told as that failure, also with --if-not-running skip" {
  run_container c
  do_at checkpoint before no-image
  go checkpoint --link-remap --retries 3 --if-not-running skip c
  ends 1
  says "has no inventory.img" "(after 2 attempts)"
}
@test "--retries: a signal ends the wait at once" {
  run_container c
  do_at checkpoint before fail "resource busy"
  start --log "$T/own.log" checkpoint --retries 99 c
  await grep -q "again in" "$T/own.log"
  kill -TERM "$BACKGROUND"
  finish
  ends 143
  nothing_left
  is_now c running
}

# ---- --metrics-file

@test "--metrics-file: what succeeded and what failed, of several containers and runtimes" {
  local begun now
  mkdir "$T/m"
  run_container c
  runtime=runsc run_container d
  begun=$(date +%s)
  go --json checkpoint --leave-running --metrics-file "$T/m/ckpt.prom" c
  ends 0
  now=$(series last_success_timestamp_seconds 'container="c",runtime="runc"')
  ((now >= begun && now <= $(date +%s)))
  same "$(jq .bytes <<<"$output")" "$(series bytes 'container="c",runtime="runc"')"
  same "$(jq .seconds.total <<<"$output")" "$(series seconds 'container="c",runtime="runc",phase="total"')"
  same "freeze_gpu frozen publish runtime total" "$(grep -o 'phase="[a-z_]*' "$T/m/ckpt.prom" | cut -d'"' -f2 | paste -sd' ')"
  same 644 "$(stat -c %a "$T/m/ckpt.prom")"
  do_at checkpoint before fail "resource busy"
  go checkpoint --metrics-file "$T/m/ckpt.prom" d c
  ends 1
  go checkpoint --metrics-file "$T/m/ckpt.prom" d
  ends 1
  go checkpoint --metrics-file "$T/m/ckpt.prom" nosuch
  ends 4
  same "2 1 1" "$(series failures_total 'container="d",runtime="runsc",code="runtime-failed"') $(series failures_total \
    'container="c",runtime="runc",code="runtime-failed"') $(series failures_total 'container="nosuch",runtime="unknown",code="not-found"')"
  same "1 1 4" "$(series last_exit_status 'container="c",runtime="runc"') $(series last_exit_status \
    'container="d",runtime="runsc"') $(series last_exit_status 'container="nosuch",runtime="unknown"')"
  same "$now" "$(series last_success_timestamp_seconds 'container="c",runtime="runc"')"
  behave
  ckpt checkpoint --metrics-file "$T/m/ckpt.prom" d
  same "0 2" "$(series last_exit_status 'container="d",runtime="runsc"') $(series failures_total 'container="d",runtime="runsc",code="runtime-failed"')"
  same ckpt.prom "$(ls -A "$T/m")"
  valid_metrics
}

# Comments before the samples of each metric, samples with labels, numbers; and promtool's word where it is installed.
valid_metrics() {
  local line name type='' metric='' value='-?[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?' label='[a-z]+="([^"\\]|\\["\\n])*"'
  while read -r line; do
    case $line in
      '# HELP '*) metric=$(cut -d' ' -f3 <<<"$line") type='' ;;
      '# TYPE '*)
        [[ $line =~ ^'# TYPE '($metric)' '(gauge|counter)$ ]]
        type=${BASH_REMATCH[2]}
        ;;
      '#'*) [ -z "$metric" ] ;;
      *)
        [[ $line =~ ^([a-z_]+)\{$label(,$label)*\}\ $value$ ]]
        name=${BASH_REMATCH[1]}
        same "$metric" "$name"
        [ -n "$type" ]
        ;;
    esac
  done <"$T/m/ckpt.prom"
  same "" "$(grep -v '^#' "$T/m/ckpt.prom" | cut -d' ' -f1 | sort | uniq -d)"
  if command -v promtool >/dev/null; then promtool check metrics <"$T/m/ckpt.prom"; fi
}

@test "--metrics-file: what is not ckpt's is refused before anything runs, also what is skipped counts nowhere" {
  mkdir "$T/m"
  run_container c && forget_calls
  echo "node_up 1" >"$T/m/node.prom"
  refuses 5 conflict "'$T/m/node.prom' would be overwritten" "line 1" -- checkpoint --metrics-file "$T/m/node.prom" c
  same "node_up 1" "$(cat "$T/m/node.prom")"
  refuses 2 usage "'$T/none' is no directory" -- checkpoint --metrics-file "$T/none/ckpt.prom" c
  same "" "$(verbs)"
  go checkpoint --dry-run --metrics-file "$T/m/ckpt.prom" c
  ends 0
  go checkpoint --if-not-running skip --metrics-file "$T/m/ckpt.prom" nosuch
  skips
  [ ! -e "$T/m/ckpt.prom" ]
}
@test "--metrics-file: interrupted, and a file that cannot be written" {
  mkdir "$T/m"
  run_container c
  do_at checkpoint before gate
  start checkpoint --metrics-file "$T/m/ckpt.prom" c
  await at_gate checkpoint
  kill -TERM "$BACKGROUND"
  open_gate checkpoint
  finish
  ends 143
  same "143 1" "$(series last_exit_status 'container="c",runtime="runc"') $(series failures_total 'container="c",runtime="runc",code="interrupted"')"
  behave
  mount_read_only "$T/m"
  go checkpoint --leave-running --metrics-file "$T/m/ckpt.prom" c
  ends 0
  holds "$output" "c@"
  holds "$stderr" "ckpt: warning: cannot write '$T/m/ckpt.prom': read-only file system"
}

# ---- cron

# cron ARGS...: ckpt as cron runs it: hardly an environment, no terminal, nothing open for reading, one pipe for all it says.
cron() {
  run env -i PATH=/usr/bin:/bin HOME=/root LOGNAME=root SHELL=/bin/sh CKPT_STATE_DIR="$CKPT_STATE_DIR" \
    FAKE_DIR="$FAKE_DIR" FAKE_RECORD="$FAKE_RECORD" setsid --wait unshare --cgroup -- /bin/sh -c 'exec "$@" <&- 3>&-' sh "$CKPT" --config "$T/ckpt.toml" "$@"
}
cron_config() {
  cat >"$T/ckpt.toml" <<END
store = "$STORE"
root = "$ROOT"
runtime = "runsc"
runtime-path = "$T/bin/runsc"
END
}
# The command of the example's first line, for cron's ckpt and container c.
cron_line() { sed -n 's/^\*\/10 .* root  ckpt \(.*\) web >\/dev\/null$/\1/p' "$PACKAGING/cron/ckpt" | sed 's/--splay [^ ]*/--splay 1ms/'; }

@test "cron's environment: silent but for the name on success, one line on failure" {
  local -a line
  cron_config
  read -ra line <<<"$(cron_line)"
  [ "${#line[@]}" -gt 5 ]
  runtime=runsc run_container c
  cron "${line[@]}" c
  [ "$status" -eq 0 ]
  [[ $output =~ ^c@[0-9TZ]+-[0-9a-f]{6}$ ]]
  cron "${line[@]}" nosuch
  [ "$status" -eq 0 ]
  same "" "$output"
  cron -q checkpoint nosuch
  [ "$status" -eq 4 ]
  same "ckpt: there is no container 'nosuch'" "${output%%;*}"
  same 1 "$(wc -l <<<"$output")"
  do_at checkpoint before fail "resource busy"
  cron -q checkpoint c
  [ "$status" -eq 1 ]
  same 1 "$(wc -l <<<"$output")"
  holds "$output" "ckpt: checkpoint of 'c' failed: runsc exited with status 128: resource busy"
}
@test "two cron jobs at once on one container: one wins, the other does as --if-busy says" {
  run_container c
  do_at checkpoint before gate
  start checkpoint --leave-running c
  await at_gate checkpoint
  go -q checkpoint --leave-running --if-busy skip c
  skips
  go -q checkpoint --leave-running c
  ends 8
  says "container 'c' is busy with ckpt checkpoint (pid "
  go -q --timeout 100ms checkpoint --leave-running --if-busy wait c
  ends 8
  open_gate checkpoint
  finish
  ends 0
  same 1 "$(find "$STORE" -name ckpt.json | wc -l)"
  go -q checkpoint --leave-running --if-busy wait c
  ends 0
  same 2 "$(find "$STORE" -name ckpt.json | wc -l)"
}

# ---- systemd

unit() { sed -n "s/^$2=//p" "$PACKAGING/systemd/ckpt-checkpoint@.$1"; }

@test "systemd finds nothing to complain about in the units" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
  mkdir "$T/units"
  cp "$PACKAGING/systemd/"* "$T/units"
  sed -i "s|^ExecStart=ckpt |ExecStart=$CKPT |; s|^ExecStopPost=-ckpt |ExecStopPost=-$CKPT |" "$T/units/ckpt-checkpoint@.service"
  grep -q "^ExecStart=$CKPT " "$T/units/ckpt-checkpoint@.service"
  run systemd-analyze --man=no verify "$T/units/ckpt-checkpoint@.service" "$T/units/ckpt-checkpoint@.timer"
  same "" "$(grep -F ckpt <<<"$output")"
  [ "$status" -eq 0 ]
  run systemd-analyze calendar "$(unit timer OnCalendar)"
  [ "$status" -eq 0 ]
  sed -i 's/^KillMode=process/KillMod=process/' "$T/units/ckpt-checkpoint@.service" # it would complain
  run systemd-analyze --man=no verify "$T/units/ckpt-checkpoint@.service"
  holds "$output" "KillMod"
}
@test "the unit's command line is one of ckpt's, its environment files are where the man page says" {
  local -a words
  run_container c
  read -ra words <<<"$(unit service ExecStart)"
  same "ckpt -q checkpoint \$CHECKPOINT_OPTIONS %i" "${words[*]}"
  [[ $(unit service Environment) =~ ^\"CHECKPOINT_OPTIONS=(.*)\"$ ]]
  read -ra words <<<"${BASH_REMATCH[1]}"
  go -q --dry-run checkpoint "${words[@]}" c
  ends 0
  holds "$output" " checkpoint "
  go -q checkpoint "${words[@]}" c
  ends 0
  same "" "$stderr"
  is_now c running
  go -q checkpoint "${words[@]}" nosuch
  skips
  same "-/etc/ckpt/checkpoint.env -/etc/ckpt/%i.env" "$(unit service EnvironmentFile | paste -sd' ')"
}
@test "the example configuration is one of ckpt's, each line of it" {
  go --config "$PACKAGING/ckpt.toml" list
  ends 0
  same "" "$stderr"
  sed -E 's/^# ([a-z-]+ = )/\1/' "$PACKAGING/ckpt.toml" >"$T/ckpt.toml"
  [ "$(grep -c ' = ' "$T/ckpt.toml")" -ge 8 ]
  sed -i "s|/var/log/ckpt.log|$T/own.log|" "$T/ckpt.toml"
  go --config "$T/ckpt.toml" --version
  ends 0
  go --config "$T/ckpt.toml" images list
  ends 0
}
