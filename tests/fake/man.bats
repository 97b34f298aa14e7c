#!/usr/bin/env bats
# The manual pages say what the program says: every option, its choices, every exit status, and nothing besides.

MAN=$BATS_TEST_DIRNAME/../../man
ERRORS=$BATS_TEST_DIRNAME/../../runtimes/error.cpp

# The statuses of each verb's page, besides 0 and the container's own.
declare -gA STATUSES=(
  [run]='1 2 3 4 5 8 9 125 130 143' [checkpoint]='1 2 3 4 5 6 8 9 130 143' [restore]='1 2 3 4 5 6 7 8 9 10 11 125 130 143'
  [list]='2 3 130 143' [state]='1 2 3 4 5' [wait]='1 2 3 4 5 9 130 143' [logs]='2 4 130 143' [exec]='1 2 3 4 5'
  [completion]='1 2' [doctor]='1 2 3 130 143' [kill]='1 2 3 4 5' [pause]='1 2 3 4 5 8 9 130 143' [resume]='1 2 3 4 5 8 9 130 143' [delete]='1 2 3 4 5 8' [gpu-detect]='1 2 3 4 5 130 143' [images]='1 2 3 4 5 7 8 130 143' [gpu-thaw]='1 2 3 4 5 6 8 130 143' [explain]='1 2 4'
)

verbs() { "$CKPT" --help | awk '/^Commands:/ { on = 1; next } on && NF { print $1 } on && !NF { exit }'; }

page_of() { echo "$MAN/ckpt${1:+-$1}.1"; }

# The options in a help text, one a line: -b, --bundle
options_in_help() { "$CKPT" ${1:+"$1"} --help | sed -n 's/^  \(-[^ ]*\).*/\1/p' | sed 's/\[=.*//' | tr , '\n' | sort; }

# The same in a page: its ".It Fl b , -bundle Ar DIR" lines
options_in_page() { sed -n 's/^\.It Fl //p' "$(page_of "$1")" | sed 's/ \(Ar\|Cm\|Ns Op\) .*//' | tr -d ' ' | tr , '\n' | sed 's/^/-/' | sort; }

# Choices, as in soft|full|strict|ignore
choices_in_help() { "$CKPT" ${1:+"$1"} --help | grep -o -- ' [a-z-]*|[a-z|-]*' | tr -d ' ' | sort; }
choices_in_page() { sed -n 's/^\.It \(Fl\|Ar\) .* Cm //p' "$(page_of "$1")" | tr -d ' ' | sort; }

exit_statuses() { sed -n '/^\.Sh EXIT STATUS/,/^\.Sh [^E]/p' "$(page_of "$1")"; }

# The keys that the configuration file may have: of the global options, those that are not told to be unknown.
keys() {
  local key
  for key in $("$CKPT" --help | sed -n 's/^  \(-[^ ]*\).*/\1/p' | sed -n 's/.*--//p'); do
    echo "$key = []" >"$BATS_TEST_TMPDIR/key.toml"
    "$CKPT" --config "$BATS_TEST_TMPDIR/key.toml" completion bash 2>&1 | grep -q 'unknown key' || echo "$key"
  done | sort
}

# same WHAT HELP PAGE
same() { diff <(echo "$2") <(echo "$3") || { echo "$1: < in the help, > in the page"; return 1; }; }

@test "every command has a page, and ckpt(1) names it" {
  [ "$(verbs | wc -l)" -eq "${#STATUSES[@]}" ]
  for verb in $(verbs); do
    [ -f "$(page_of "$verb")" ] || { echo "no page for $verb"; return 1; }
    grep -qx "\.It Ic $verb" "$(page_of '')" || { echo "ckpt.1 does not describe $verb"; return 1; }
    grep -q "^\.Xr ckpt-$verb 1" "$(page_of '')" || { echo "ckpt.1 does not refer to ckpt-$verb"; return 1; }
  done
  [ "$(find "$MAN" -name '*.1' | wc -l)" -eq $((1 + ${#STATUSES[@]})) ]
}

@test "the options of the help and of the page are the same" {
  for verb in '' $(verbs); do
    same "options of ckpt $verb" "$(options_in_help "$verb")" "$(options_in_page "$verb")"
    same "choices of ckpt $verb" "$(choices_in_help "$verb")" "$(choices_in_page "$verb")"
  done
}

@test "ckpt(1) has every exit status with its word in JSON" {
  local count=0
  while read -r status word; do
    exit_statuses '' | grep -q "^\.It $status\b" || { echo "no status $status"; return 1; }
    exit_statuses '' | grep -q "Ql $word\b" || { echo "no word $word"; return 1; }
    count=$((count + 1))
  done < <(sed -n 's/.*Row{ErrorCode::[a-z_]*, \([0-9]*\), "\([a-z-]*\)"}.*/\1 \2/p' "$ERRORS")
  [ "$count" -ge 13 ]
  for status in 0 125 130 143; do exit_statuses '' | grep -q "^\.It.*\b$status\b" || { echo "no $status"; return 1; }; done
}

@test "every command's page has its exit statuses" {
  for verb in $(verbs); do
    for status in ${STATUSES[$verb]}; do
      exit_statuses "$verb" | grep -Eq "^\.It (.* )?$status( |$)|and $status when" ||
        { echo "ckpt-$verb.1: no $status"; return 1; }
    done
  done
}

@test "ckpt.toml(5) has every key with its variable, and an example that is one" {
  local page=$MAN/ckpt.toml.5 example=$BATS_TEST_TMPDIR/example.toml key name
  [ "$(keys | wc -l)" -ge 15 ]
  same "keys of ckpt.toml" "$(keys)" "$(sed -n 's/^\.It Va //p' "$page" | sort)"
  sed -n '/^\.Sh EXAMPLES/,$s/^[a-z-]* = /&/p' "$page" >"$example"
  same "keys in the example" "$(keys)" "$(sed 's/ = .*//' "$example" | sort)"
  for key in $(keys); do
    name=CKPT_$(tr a-z- A-Z_ <<<"$key")
    [ "$key" = verbose ] || grep -q "^\.Ev $name " "$page" || { echo "no $name"; return 1; }
  done
  sed -i "s|/var/log|$BATS_TEST_TMPDIR|" "$example"
  "$CKPT" --config "$example" completion bash >"$BATS_TEST_TMPDIR/said"
  [ -s "$BATS_TEST_TMPDIR/said" ]
}

@test "mandoc finds nothing to complain about" {
  command -v mandoc >/dev/null || skip "no mandoc"
  run mandoc -T lint -W style "$MAN"/*.[1-9]
  # Pages of other packages need not be installed here.
  grep -v 'referenced manual not found' <<<"$output" >"$BATS_TEST_TMPDIR/lint" || true
  [ ! -s "$BATS_TEST_TMPDIR/lint" ] || { cat "$BATS_TEST_TMPDIR/lint"; return 1; }
}
