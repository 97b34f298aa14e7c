#!/usr/bin/env bats
# One verb on several containers: pause, resume, checkpoint and restore by name and with --all, and what --all chooses.
# shellcheck disable=SC2154  # bats sets stderr

load helpers

setup() { make_place; }
teardown() { leave_place; }

states() { ckpt list --json "$@" | jq -r 'map("\(.id)=\(.status)") | join(" ")'; }

@test "pause and resume: each on its own, the first failure decides" {
  run_container a
  runtime=crun run_container b
  runtime=runsc run_container c
  go pause a nosuch b c
  ends 4
  says "there is no container 'nosuch'"
  same "a=paused b=paused c=paused" "$(states)"
  refuses 5 conflict "container 'a' is paused; only a running one can be paused" -- pause a
  go --json resume a b
  ends 0
  same '[{"id":"a","status":"running"},{"id":"b","status":"running"}]' "$(jq -c . <<<"$output")"
  go resume a c b
  ends 5
  says "container 'a' is running; only a paused one can be resumed" "container 'b' is running"
  same "a=running b=running c=running" "$(states)"
  go --json pause a
  same '{"id":"a","status":"paused"}' "$(jq -c . <<<"$output")"
}
@test "resume: one that a killed ckpt had left paused" {
  run_container c
  do_at checkpoint after gate
  start checkpoint --leave-running c
  await at_gate checkpoint
  runc --root "$ROOT" pause c
  kill -KILL "$(pgrep -P "$BACKGROUND" -x thaw-guard)" "$BACKGROUND"
  BACKGROUND=
  kill -KILL "$(cat "$FAKE_DIR/at/checkpoint")" 2>/dev/null || true
  behave
  go resume c
  ends 0
  is_now c running
}
@test "checkpoint --all: what runs or is paused, of every runtime; the others are left out" {
  run_container a
  runtime=crun run_container b
  run_container p
  run_container dead
  ckpt pause p
  ckpt kill dead KILL
  await is_now dead stopped
  go --json checkpoint --all --leave-running
  ends 0
  same "a b p" "$(jq -r '[.[].id] | join(" ")' <<<"$output")"
  go --json --runtime crun checkpoint --all
  ends 0
  same "b" "$(jq -r '[.[].id] | join(" ")' <<<"$output")"
  same "a=running dead=stopped p=paused" "$(states)"
  go checkpoint --all --filter id=a --filter id=p --filter status=running
  ends 0
  holds "$output" "a@"
  same "dead=stopped p=paused" "$(states)"
  go --json checkpoint --all --filter id=nosuch
  ends 0
  same "[]" "$output"
}
@test "restore: several, and --all of those that a checkpoint stopped" {
  run_container a
  runtime=crun run_container b
  run_container c
  ckpt checkpoint --all >/dev/null
  same "a=checkpointed b=checkpointed c=checkpointed" "$(states --all)"
  go restore -d a nosuch c
  ends 4
  holds "$stderr" nosuch
  same "a=running c=running" "$(states)"
  go --json restore -d --all
  ends 0
  same "b" "$(jq -r '[.[].id] | join(" ")' <<<"$output")"
  same "a=running b=running c=running" "$(states)"
  go --json restore -d --all
  ends 0
  same "[]" "$output"
}
@test "several: what belongs to one container is refused" {
  go restore a b
  ends 125
  says "several containers are restored with --detach"
  refuses 2 usage "are for one container" -- restore -d --bundle "$BUNDLE" a b
  refuses 2 usage "are for one container" -- restore -d --from a@latest --all
  refuses 2 usage "--all and containers by name exclude each other" -- restore -d --all a
  refuses 2 usage "--all and containers by name exclude each other" -- checkpoint --all a
  refuses 2 usage "--manager and --filter go with --all" -- checkpoint --filter id=a a
  refuses 2 usage "--image-path takes one container" -- checkpoint --all --image-path "$T/i"
  refuses 2 usage "ID" "ckpt checkpoint --help" -- checkpoint
  refuses 2 usage "'colour' is not one of" -- list --filter colour=blue
  refuses 2 usage "'id' is not KEY=VALUE" -- list --filter id
  refuses 2 usage "'lxc' is not one of" -- list --manager lxc
}
@test "list: --manager and --filter" {
  local home=$T/io.containerd.runtime.v2.task/k8s.io/k1
  mkdir -p "$home"
  jq --arg root "$BUNDLE/rootfs" '.root.path = $root | .annotations = {"io.kubernetes.cri.sandbox-name": "web-0",
    "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.container-name": "nginx"}' "$BUNDLE/config.json" >"$home/config.json"
  runc --root "$ROOT" create --bundle "$home" --pid-file "$T/pid" k1 </dev/null >/dev/null 3>&-
  runc --root "$ROOT" start k1 </dev/null >/dev/null 3>&-
  run_container mine
  same "k1=running" "$(states --manager containerd)"
  same "mine=running" "$(states --manager none)"
  same "" "$(states --manager podman)"
  same "k1=running" "$(states --filter namespace=shop --filter pod=web-0)"
  same "" "$(states --filter namespace=shop --filter pod=web-1)"
  same "k1=running" "$(states --filter name=shop/web-0/nginx)"
  same "k1=running mine=running" "$(states --filter name=mine --filter name=nginx)"
}
