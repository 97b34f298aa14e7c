#!/usr/bin/env bats
# ckpt-recipes(7): every command line in it is one that ckpt takes, every script one that a shell takes.
# shellcheck disable=SC2154  # bats sets status, output and stderr

load helpers
PAGE=$BATS_TEST_DIRNAME/../../man/ckpt-recipes.7

setup() { make_place; }
teardown() { leave_place; }

# What stands in displays, as it is read: one line for what a backslash continues.
shown() {
  awk '/^\.Bd -literal/ { on = 1; next } /^\.Ed/ { on = 0 } on; sub(/^\.Dl /, "")' "$PAGE" |
    sed 's/\\e$/\\/' | sed -e ':a' -e '/\\$/ { N; s/\\\n */ /; ta' -e '}'
}

# The arguments of each ckpt in them, one command a line, and of the unit's, whose options a file sets.
command_lines() {
  shown | awk '
    sub(/^CHECKPOINT_OPTIONS=/, "checkpoint ") { print $0 " train" }
    match($0, /(^|[ \047])ckpt [-a-z]/) {
      line = substr($0, RSTART + RLENGTH - 1)
      sub(/( [0-9]?[|>&]|;).*/, "", line)
      print line
    }'
}

@test "ckpt takes every command line of the page" {
  local line count=0 id
  local -a words
  for id in train model web; do
    run_container "$id"
    take_checkpoint "$id" >/dev/null
  done
  while read -r line; do
    eval "words=(${line//\/var\/lib\/prometheus\/node-exporter/$T})"
    if [ "${words[0]}" = wait ]; then words+=(--help); fi # it would
    go --dry-run "${words[@]}"
    [ "$status" -ne 2 ] || { echo "ckpt $line:" "$stderr"; return 1; }
    count=$((count + 1))
  done < <(command_lines)
  [ "$count" -gt 30 ] || { echo "only $count command lines were found"; return 1; }
}

@test "shellcheck has nothing to say of its script" {
  command -v shellcheck >/dev/null || skip "no shellcheck"
  shown | sed -n '/^#!/,/^wait/p' >"$T/script"
  [ "$(wc -l <"$T/script")" -gt 5 ]
  shellcheck "$T/script"
}
