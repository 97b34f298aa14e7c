#!/usr/bin/env bats
# ckpt-recipes(7): every command line in it is one that ckpt takes, every script one that a shell takes.
# shellcheck disable=SC2030,SC2031,SC2154  # tests are subshells; bats sets status, output and stderr

load helpers
PAGE=$BATS_TEST_DIRNAME/../../man/ckpt-recipes.7
PACKAGING=$BATS_TEST_DIRNAME/../../packaging

# With the PATH of whoever runs the tests: it needs Go.
setup_file() { if [ "${CI-}" = true ]; then "$BATS_TEST_DIRNAME/../../scripts/fetch-schemas" >&2; fi; }
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
  # shellcheck disable=SC2034 # name is in the lines
  local line count=0 id name=web@latest
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

# ---- Slurm

# slurm SCRIPT: becomes it as Slurm starts it for job 7, with its commands, and sudo, being fakes.
slurm() {
  export SLURM_JOB_ID=7 FAKE_CALLS=$T/calls
  : >>"$FAKE_CALLS"
  # shellcheck disable=SC2016 # expands in the script
  printf '#!/bin/sh\necho "$@" >>"$FAKE_CALLS"\n' >"$T/bin/scontrol"
  printf '#!/bin/sh\nshift\nexec "$@"\n' >"$T/bin/sudo"
  chmod +x "$T/bin/scontrol" "$T/bin/sudo"
  ln -sf "$CKPT" "$T/bin/ckpt"
  exec unshare --cgroup -- "$PACKAGING/slurm/$1" </dev/null 3>&-
}
in_background() {
  (slurm ckpt-job) &
  BACKGROUND=$!
}
job_is() { [ "$(ckpt state job-7 2>/dev/null | jq -r .status)" = "$1" ]; }
waited_for() { pgrep -f "ckpt -q wait job-7" >/dev/null; }

@test "a job of Slurm's is saved and requeued when it is told to, and goes on" {
  in_background
  await job_is running
  await waited_for
  kill -USR1 "$BACKGROUND"
  wait "$BACKGROUND"
  same "requeue 7" "$(cat "$T/calls")"
  same 1 "$(ckpt --json images list job-7 | jq length)"
  forget_calls
  in_background
  await waited_for
  same restore "$(verbs | tr ' ' '\n' | grep -x -e restore -e create)"
  ckpt kill job-7 TERM
  status=0
  wait "$BACKGROUND" || status=$?
  BACKGROUND=
  ends 143
  same "requeue 7" "$(cat "$T/calls")"
  go state job-7
  ends 4
}

@test "a job that cannot be saved is not requeued, and one that cannot be restored does not begin anew" {
  in_background
  await waited_for
  do_at checkpoint instead fail "no"
  kill -USR1 "$BACKGROUND"
  status=0
  wait "$BACKGROUND" || status=$?
  BACKGROUND=
  ends 1
  same "" "$(cat "$T/calls")"
  behave
  ckpt checkpoint job-7
  do_at restore instead fail "no"
  run slurm ckpt-job
  ends 1
  go state job-7
  ends 4
}

@test "the epilog saves and ends what a job has left, and always succeeds" {
  run_container job-7
  (slurm ckpt-epilog)
  same 1 "$(ckpt --json images list job-7 | jq length)"
  go state job-7
  ends 4
  (slurm ckpt-epilog)
  run_container job-7
  do_at checkpoint instead fail "no"
  (slurm ckpt-epilog)
  go state job-7
  ends 4
}

# ---- Kubernetes

@test "Kubernetes takes the manifests" {
  local schemas=$BATS_TEST_DIRNAME/../../build/kubernetes
  [ -d "$schemas" ] || skip "scripts/fetch-schemas brings the schemas"
  run python3 "$BATS_TEST_DIRNAME/kubernetes-lint.py" "$schemas" "$PACKAGING"/kubernetes/*.yaml
  ends 0
  same "CronJob ckpt-NODE
Namespace ckpt
ConfigMap ckpt
DaemonSet ckpt" "$output"
  sed 's/hostPID/hostPid/' "$PACKAGING/kubernetes/ckpt.yaml" >"$T/wrong.yaml"
  run python3 "$BATS_TEST_DIRNAME/kubernetes-lint.py" "$schemas" "$T/wrong.yaml"
  ends 1
  holds "$output" "'hostPid' was unexpected"
}

# The script that the pods feed to their node.
node_script() {
  python3 -c 'import sys, yaml
for document in yaml.safe_load_all(open(sys.argv[1])):
    if document["kind"] == "ConfigMap": print(document["data"]["save"], end="")' "$PACKAGING/kubernetes/ckpt.yaml"
}

@test "a node saves the containers of the pods that are labelled, and says when one cannot be" {
  node_script >"$T/save"
  if command -v shellcheck >/dev/null; then shellcheck "$T/save"; fi
  ln -s "$CKPT" "$T/bin/ckpt"
  cat >"$T/bin/crictl" <<'SH'
#!/bin/sh
case "$*" in
  'pods --quiet --state ready --label ckpt=yes') echo pod-1 && echo pod-2 ;;
  'ps --quiet --state running --pod pod-1') echo a && echo b ;;
  'ps --quiet --state running --pod pod-2') echo c ;;
  *) exit 1 ;;
esac
SH
  chmod +x "$T/bin/crictl"
  for id in a b c; do run_container "$id"; done
  unshare --cgroup sh -s <"$T/save" 3>&-
  same "a b c" "$(ckpt --json images list | jq -r '[.[].id] | sort | join(" ")')"
  do_at checkpoint instead fail "no"
  run unshare --cgroup sh -s <"$T/save" 3>&-
  ends 1
  for id in a b c; do is_now "$id" running; done
}
