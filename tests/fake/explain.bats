#!/usr/bin/env bats
# explain: a log, a directory of logs, the standard input; what is known and what is not; input that means harm.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

RLIMIT="(00.000123) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted"
TCP='(00.012345) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using --tcp-established option.'
NEW='(00.012345) Error (criu/new.c:1): never seen before'
FAILED='(00.050000) Error (criu/cr-dump.c:1975): Dumping FAILED.'

log() { printf '%s\n' "$@"; }

@test "a known cause: its line, what it means, what to try, the reason, the log" {
  log '(00.000000) Version: 4.2.1' "$RLIMIT" "$TCP" "$FAILED" >"$T/a.log"
  go explain "$T/a.log"
  ends 0
  same "cause:  line 3: $TCP
means:  the container has an established TCP connection
try:    pass --tcp-established at checkpoint and at restore, or close the connection
reason: tcp-connected
log:    $T/a.log" "$output"
  same "" "$stderr"
}
@test "with -v the lines around it, numbered" {
  log 1 2 3 4 5 "$TCP" 7 8 9 10 11 >"$T/a.log"
  go explain -v "$T/a.log"
  ends 0
  holds "$output" "
     2  2
     3  3
     4  4
     5  5
     6> $TCP
     7  7"
  [[ $output != *"    1  1"* && $output != *"   11  11"* ]]
}
@test "an unknown cause is not guessed: the candidates, status 1" {
  log "$RLIMIT" "$NEW" '(00.02) Error (criu/new.c:2): nor this' "$FAILED" >"$T/a.log"
  go explain "$T/a.log"
  ends 1
  holds "$output" "cause:  unknown"
  holds "$output" "     2> $NEW
     3  (00.02) Error (criu/new.c:2): nor this"
  [[ $output != *RLIMIT* && $output != *reason* ]]
  same "" "$stderr"
}
@test "a log of a success tells no failure" {
  log "$RLIMIT" '(00.2) Dumping finished successfully' >"$T/a.log"
  go explain "$T/a.log"
  ends 1
  holds "$output" "no line tells a failure"
  : >"$T/empty.log"
  go explain "$T/empty.log"
  ends 1
}
@test "the standard input" {
  log "$TCP" >"$T/a.log"
  run bash -c '"$CKPT" explain - <"$0"' "$T/a.log"
  ends 0
  holds "$output" "tcp-connected"
  holds "$output" "standard input"
}
@test "one JSON document, known or not" {
  log "$RLIMIT" "$TCP" >"$T/a.log"
  go --json explain "$T/a.log"
  ends 0
  jq -e --arg tcp "$TCP" --arg log "$T/a.log" '.log == $log and .cause == {line: 2, text: $tcp} and .reason == "tcp-connected"
    and .program == "criu" and (.meaning | length > 0) and (.remedy | length > 0) and (.candidates | length == 1)' <<<"$output"
  log "$NEW" >"$T/a.log"
  go --json explain "$T/a.log"
  ends 1
  jq -e '.cause.line == 1 and .reason == null and .meaning == null and (.candidates | length == 1)' <<<"$output"
  : >"$T/a.log"
  go --json explain "$T/a.log"
  ends 1
  jq -e '.cause == null and .candidates == []' <<<"$output"
}
@test "a directory: CRIU's logs before the runtime's, the known before the unknown" {
  mkdir -p "$T/work/checkpoint"
  log '{"level":"error","msg":"criu failed: type NOTIFY errno 0","time":"x"}' >"$T/work/runtime.log"
  log "$TCP" >"$T/work/checkpoint/dump.log"
  go explain "$T/work"
  ends 0
  holds "$output" "tcp-connected"
  holds "$output" "log:    $T/work/checkpoint/dump.log"
  rm "$T/work/checkpoint/dump.log"
  go explain "$T/work"
  ends 0
  holds "$output" "runc-criu-failed"
}
@test "what is not there" {
  mkdir "$T/none"
  refuses 4 not-found "cannot read the log '$T/nothing.log'" -- explain "$T/nothing.log"
  refuses 4 not-found "there is no log in '$T/none'" -- explain "$T/none"
  go explain
  ends 2
  holds "$stderr" "LOG is required"
  mkfifo "$T/fifo"
  go explain "$T/fifo"
  ends 1
}
@test "what a terminal would obey is not printed" {
  printf '(00.1) Error (criu/new.c:1): \e[31mred\e]0;title\a \x9b2J\r\n' >"$T/a.log"
  go explain -v "$T/a.log"
  ends 1
  [[ $output != *$'\e'* && $output != *$'\a'* && $output != *$'\r'* && $output != *$'\x9b'* ]]
  holds "$output" '?[31mred'
}
@test "a log without end or measure takes little memory, and its line numbers are right" {
  {
    yes "$(printf 'x%.0s' {1..99})" | head -n 900000
    log "$TCP"
    yes "$(printf 'y%.0s' {1..999})" | head -n 10000
  } >"$T/big.log"
  go explain "$T/big.log"
  ends 0
  holds "$output" "line 900001: $TCP"
  run bash -c 'head -c 200000000 /dev/zero | (ulimit -v 400000; exec "$CKPT" explain -)'
  ends 1
}
@test "the help has examples" {
  refuses 2 usage "unexpected argument" -- explain a b
  go explain --help
  ends 0
  holds "$output" "Examples:
  ckpt explain -v"
}
@test "a failed restore names the line; with -v the lines around it; explain knows its log" {
  local line='File data/f has bad size 10 (expect 5)'
  run_container c
  ckpt checkpoint c
  do_at restore after fail "$line"
  go restore -d c
  ends 1
  says "a file that a process has open changed since the checkpoint (line 1: $line)" "put the file back" \
    "$CKPT_STATE_DIR/failed/c.restore.log"
  go restore -d -v c
  ends 1
  holds "$stderr" "ckpt:      1> (00.000100) Error (criu/files.c:1): $line"
  go explain "$CKPT_STATE_DIR/failed"
  ends 0
  holds "$output" "reason: file-size"
  behave
}
