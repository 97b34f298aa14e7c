#!/usr/bin/env bats
# checkpoint --tcp: what a restore does with connections is settled at the checkpoint.
# shellcheck disable=SC2154  # bats sets status, output and stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

# The flags for connections of the last call of VERB.
flags() { calls | jq -r --arg verb "$1" 'select(index($verb)) | .[] | select(startswith("--tcp"))'; }
steps() { verbs | tr ' ' '\n' | grep -Ex 'pause|checkpoint|delete' | xargs; }
restored() { forget_calls && ckpt restore -d --replace "$@" c >/dev/null && flags restore; }

@test "keep is --tcp-established, close closes at each restore that does not say otherwise" {
  runtime=crun run_container c
  ckpt checkpoint --leave-running --tcp keep c
  same --tcp-established "$(flags checkpoint)"
  same --tcp-established "$(restored)"
  forget_calls
  ckpt checkpoint --leave-running --tcp close c
  same --tcp-established "$(flags checkpoint)"
  same --tcp-close "$(restored)"
  same --tcp-established "$(restored --tcp keep)"
  same --tcp-established "$(restored --tcp-established)"
}

@test "what is kept is ended by the dump itself; what is to be closed, or none of it, goes when the image is safe" {
  local option name
  for option in --tcp-established "--tcp keep" "--tcp auto" "--tcp close" ""; do
    run_container c
    forget_calls
    # shellcheck disable=SC2086 # none, one or two words
    name=$(ckpt checkpoint $option c)
    echo "with '$option'"
    if [[ $option == *close || -z $option ]]; then
      same "pause checkpoint delete" "$(steps)"
      same published-first "$(jq -r .guarantee "$STORE/checkpoints/c/${name#c@}/ckpt.json")"
    else
      same checkpoint "$(steps)"
      same "" "$(calls | jq -r 'select(index("checkpoint")) | .[] | select(. == "--leave-running")')"
      same stopped-by-dump "$(jq -r .guarantee "$STORE/checkpoints/c/${name#c@}/ckpt.json")"
    fi
  done
}

@test "auto keeps where nothing is in the way" {
  run_container c
  ckpt checkpoint --leave-running --tcp auto c
  same --tcp-established "$(restored)"
}

@test "two answers, and close for gVisor, are refused" {
  run_container c
  runtime=runsc run_container s
  refuses 2 usage "--tcp excludes --tcp-established" -- checkpoint --tcp keep --tcp-established c
  refuses 2 usage "did you mean" -- checkpoint --tcp clos c
  refuses 3 unsupported "--tcp close is not possible for 's'" "runsc keeps the connections inside" -- checkpoint --tcp close s
  ckpt checkpoint --leave-running --tcp keep s
  same "" "$(flags checkpoint)"
}
