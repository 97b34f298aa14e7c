#!/usr/bin/env bats
# Where an image may be restored, and where it is refused before anything is changed.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions and jq programs for later; variables of helpers.bash

load helpers

@test "an image of one's own place" {
  local at
  counter
  [[ $(ckpt checkpoint --image-path "$T/image" "$ID") == "$T/image" ]]
  at=$(count)
  ckpt restore -d --image-path "$T/image" --pid-file "$T/pid"
  goes_on_from "$at"
  [[ $(<"$T/pid") == $(ckpt state "$ID" | jq .pid) ]]
  ends_with 5 ckpt checkpoint --image-path "$T/image" "$ID"
  says "not empty"
  counts_on
}

@test "an image that another user can change is copied before it is judged, with our manifest and without" {
  local at
  counter
  ckpt checkpoint --image-path "$T/image" "$ID" >/dev/null
  at=$(count)
  chown -R 1000:1000 "$T/image"
  ends_with 0 ckpt "${RUN[@]}" restore -d --image-path "$T/image" -b "$BUNDLE" "$ID"
  says "the image in '$T/image' is taken as one from elsewhere"
  goes_on_from "$at"
  [[ -z $(ls "$STORE/copy") && -s $T/image/ckpt.json ]]
  ckpt delete --force "$ID"
  rm "$T/image/ckpt.json"
  ends_with 0 ckpt "${RUN[@]}" restore -d --image-path "$T/image" -b "$BUNDLE" "$ID"
  says "the image in '$T/image' is taken as one from elsewhere"
  [[ -z $(ls "$STORE/copy") ]]
  counts_on
}

@test "a second container from a checkpoint of one that goes on" {
  local other=second-$ID first
  CONTAINERS+=("$other")
  counter
  ckpt checkpoint --leave-running "$ID"
  ckpt restore -d --from "$ID@latest" "$other"
  await "[[ -s $STORE/logs/$other.log ]]"
  first=$(head -n 1 "$STORE/logs/$other.log")
  ((${first#line } > 5))
  is_running "$other"
  is_running "$ID"
  log_is_whole 10
}

@test "--replace takes the place of a running one" {
  local pid
  counter
  pid=$(ckpt state "$ID" | jq .pid)
  ckpt checkpoint --leave-running "$ID"
  ends_with 5 ckpt restore -d "$ID"
  says "$ID" --replace
  counts_on
  ckpt restore -d --replace "$ID"
  [[ $(ckpt state "$ID" | jq .pid) != "$pid" ]]
  counts_on
}

@test "another configuration is refused, and taken with --force" {
  local at
  counter
  ckpt checkpoint "$ID"
  at=$(count)
  bundle other /bin/payload counter /data/count
  edit '.hostname = "other"'
  ends_with 11 ckpt restore -d --bundle "$BUNDLE" "$ID"
  says "$BUNDLE/config.json"
  ends_with 0 ckpt restore -d --bundle "$BUNDLE" --force "$ID"
  goes_on_from "$at"
}

@test "a damaged image is refused by its sizes" {
  local file
  counter
  ckpt checkpoint --image-path "$T/image" "$ID"
  for file in "$T"/image/{pages-1,checkpoint}.img; do
    [[ ! -e $file ]] || truncate -s -100 "$file"
  done
  ends_with 7 ckpt restore -d --image-path "$T/image"
  says .img
  ends_with 4 bare_state
}

bare_state() { ckpt --root "$ROOT" --runtime "$KIND" delete "$ID-none"; }

@test "a missing source of a bind mount is named" {
  local at
  counter
  ckpt checkpoint "$ID"
  at=$(count)
  mv "$DATA" "$DATA.away"
  ends_with 11 ckpt restore -d "$ID"
  says "'$DATA'" "'/data'"
  mv "$DATA.away" "$DATA"
  ckpt restore -d "$ID"
  goes_on_from "$at"
}
