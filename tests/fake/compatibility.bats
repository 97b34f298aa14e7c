#!/usr/bin/env bats
# The table of what works is made from TAP: verdicts, reasons, and names that no test has.

TABLE=$BATS_TEST_DIRNAME/../../scripts/compatibility.awk

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  cat >list <<'END'
table   | Some
column  | a-1 | A | one |
column  | b-1 | B | two | guest: a:
measure | walking | b | refused | it has no legs | it sits
measure | walking |   | works   | on two legs    | it walks + it walks on
measure | flying  |   | works   |                |
END
  printf '%s\n' '1..2' 'ok 1 it walks' 'ok 2 it walks on' >one.tap
  echo 'ok 1 guest: a: it sits' >two.tap
}

table() { run awk -f "$TABLE" list one.tap two.tap; }

row() { grep -Fx "$1" <<<"$output" || { echo "no row '$1' in:" "$output"; return 1; }; }

@test "all passed, refused, and no test" {
  table
  row '| walking | works [1] | refused [2] |'
  row '| flying | not measured | not measured |'
  row '[1] on two legs;'
  row '[2] it has no legs.'
}

@test "skipped is impossible with the reason, failed is told" {
  sed -i 's/it walks on/& # skip no ground/' one.tap
  table
  row '| walking | impossible [1] | refused [2] |'
  row '[1] no ground;'
  sed -i 's/^ok 2/not ok 2/; s/ #.*//' one.tap
  table
  row '| walking | fails [1] | refused [2] |'
}

@test "what is skipped for a missing program is not measured" {
  sed -i 's/it walks on/& # skip missing: runc-1.1/' one.tap
  table
  row '| walking | not measured | refused [1] |'
}

@test "a test that was renamed is noticed" {
  sed -i 's/it walks on/it strolls/' one.tap
  table
  [ "$status" -eq 1 ]
  row "compatibility: no test is called 'it walks on'"
}
