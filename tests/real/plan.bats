#!/usr/bin/env bats
# What --dry-run prints, given to the real program: it must find fault with the container, not with the command line.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions and jq programs for later; variables of helpers.bash

load helpers

# understood COMMAND...: each vector that `ckpt --dry-run COMMAND` prints, for a container that is not there. Vectors
# that make one name files that the real command would have made; here they stand where nothing is.
understood() {
  local plan vector argv said
  plan=$(ckpt --json --dry-run "$@")
  [[ $(jq length <<<"$plan") -gt 0 ]]
  while read -r vector; do
    mapfile -t argv < <(jq -r --arg id "$ID" --arg state "$STATE" \
      '.[] | if . == $id then "no-" + $id else split($state) | join("/dev/null") end' <<<"$vector")
    said=$("${ENVIRONMENT[@]}" "${LEAF[@]}" "${argv[@]}" </dev/null 2>&1) || true
    if grep -qiE 'flag provided|unrecognized option|usage:|unknown (option|flag|command)|invalid option|understood' <<<"$said"; then
      fail "${argv[*]}: $said"
    fi
  done < <(jq -c '.[]' <<<"$plan")
}

@test "the runtime understands every planned command" {
  local options=() at
  bundle bundle /bin/payload counter /data/count
  run_options
  understood "${RUN[@]}" run -d -b "$BUNDLE" "$ID"
  counter
  if [[ $KIND != runsc ]]; then
    options=(--tcp-established --file-locks --ext-unix-sk --shell-job --link-remap --manage-cgroups-mode soft)
  fi
  understood checkpoint "${options[@]}" "$ID"
  understood checkpoint --leave-running --work-path "$T/work" "$ID"
  understood kill "$ID" USR1
  understood exec "$ID" -- true
  understood delete --force "$ID"
  [[ ! -e $T/work && ! -e $STORE/checkpoints/$ID ]]
  counts_on
  ckpt checkpoint "$ID"
  at=$(count)
  understood restore -d "${options[@]:0:4}" "$ID"
  understood restore -d --work-path "$T/work" "$ID"
  [[ $(count) == "$at" ]]
}
